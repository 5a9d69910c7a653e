"""`cuectl update`: change a cue's schedule, handler or policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.cue_options import (
    POLICY_OPTIONS,
    SCHEDULE_OPTIONS,
    WEBHOOK_OPTIONS,
    WORK_OPTIONS,
)
from cuectl.cli.options import Argument, Command, Option
from cuectl.model.errors import UsageError

if TYPE_CHECKING:
    from cuectl.cli.call import Call

# Option to the field that it empties, as `CueDraft.cleared` calls it.
_CLEARING = {
    "no_description": "description",
    "no_payload": "payload",
    "no_env": "env",
    "no_timeout": "timeout_s",
    "no_retries": "max_attempts",
    "no_deadline": "deadline_s",
    "no_outcome_deadline": "outcome_deadline_s",
    "no_jitter": "jitter_s",
    "no_alert": "alert",
    "no_ping_url": "ping_url",
}


def run(call: Call, *, cue: str, **values: Any) -> int | None:
    """Change the cue, and say when it fires next."""
    from cuectl.cli.commands.create import report
    from cuectl.cli.cue_options import draft_of
    from cuectl.cli.cue_reading import payload_of
    from cuectl.engine.cue_drafts import update_cue

    if not any(value not in (None, False, ()) for value in values.values()):
        raise UsageError("expected something to change", hint="see: cuectl update --help")
    cleared = frozenset(field for option, field in _CLEARING.items() if values[option])
    _refuse_both(values)
    draft = draft_of(values, cwd=None, cleared=cleared)
    made = update_cue(call.runtime, cue, draft)
    report(call, made, values, payload=payload_of(call, made.cue))
    if not made.changed:
        call.out.tell("nothing was changed")
    return None


def _refuse_both(values: dict[str, Any]) -> None:
    """Refuse to set and to empty the same thing."""
    for option in _CLEARING:
        given = option.removeprefix("no_")
        if values[option] and values[given] not in (None, ()):
            name = given.replace("_", "-")
            raise UsageError(f"'--{name}' and '--no-{name}' exclude each other")


command = Command(
    name="update",
    summary="Change a cue's schedule, handler or policies",
    description="""
        Takes the options of cuectl create and changes what they name; everything else stays.
        A new schedule keeps the time zone, and counts from now on: what is running goes on as
        it began. A cue that is over fires again when it is given a new schedule.
    """,
    arguments=(Argument(name="CUE", help="Name, id, or start of an id of a cue", complete="cue"),),
    options=(
        Option(name="--name", metavar="NAME", help="Its new name"),
        *SCHEDULE_OPTIONS,
        Option(name="--no-schedule", help="Fire by hand only"),
        *WORK_OPTIONS,
        *WEBHOOK_OPTIONS,
        Option(name="--no-payload", help="Empty the payload"),
        Option(name="--no-env", help="Drop all variables"),
        *POLICY_OPTIONS,
        Option(name="--no-timeout", help="Use the usual time limit"),
        Option(name="--no-retries", help="Never try again"),
        Option(name="--no-deadline", help="Start however late"),
        Option(name="--no-jitter", help="Start at the nominal time"),
        Option(name="--no-outcome-deadline", help="Wait for no report"),
        Option(name="--no-alert", help="Use the usual alert sink"),
        Option(name="--no-ping-url", help="Ping no monitor any more"),
        Option(name="--description", metavar="TEXT", help="What it is for"),
        Option(name="--no-description", help="Drop the description"),
    ),
    argv="New command to run, without a shell",
    see_also=("cuectl-create(1)", "cuectl-edit(1)", "cuectl-next(1)"),
    run=run,
)
