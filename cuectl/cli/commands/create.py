"""`cuectl create`: make a cue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.cue_options import (
    POLICY_OPTIONS,
    SCHEDULE_OPTIONS,
    WEBHOOK_OPTIONS,
    WORK_OPTIONS,
)
from cuectl.cli.options import Command, Option
from cuectl.model.errors import UsageError

if TYPE_CHECKING:
    from cuectl.cli.call import Call
    from cuectl.engine.cue_drafts import Drafted


def run(call: Call, *, transport: str | None, **values: Any) -> int | None:
    """Make the cue and say when it fires next."""
    from cuectl.cli.cue_options import draft_of
    from cuectl.engine.cue_drafts import create_cue

    _check_transport(transport, values["url"])
    _refuse_nothing(values)
    draft = draft_of(values, cwd=_directory(values), cleared=frozenset())
    made = create_cue(call.runtime, draft)
    report(call, made, values, payload=draft.payload)
    return None


def _check_transport(transport: str | None, url: str | None) -> None:
    if transport == "webhook" and url is None:
        raise UsageError("a webhook needs an address", hint="give it: --url https://...")
    if transport == "worker" and url is not None:
        raise UsageError("option '--url': work that is run here has no address")


def _refuse_nothing(values: dict[str, Any]) -> None:
    work = (
        "argv",
        "shell",
        "task",
        "agent",
        "prompt",
        "workflow",
        "payload",
        "payload_file",
        "url",
    )
    if all(values[name] is None for name in work):
        hint = "name a handler (--task NAME), or put the command last: -- ./backup.sh"
        raise UsageError("expected something to run", hint=hint)


def _directory(values: dict[str, Any]) -> str | None:
    if all(values[name] is None for name in ("argv", "shell", "workflow")):
        return None
    import os

    try:
        return os.getcwd()
    except OSError as error:
        raise UsageError("the current directory is gone", hint="give --cwd DIR") from error


def report(
    call: Call, made: Drafted, values: dict[str, Any], *, payload: dict[str, Any] | None
) -> None:
    """Print a cue that was made or changed, and what its user should know now."""
    from cuectl.cli import cue_warnings
    from cuectl.cli.cue_lines import next_line
    from cuectl.model.cue_view import cue_view

    cue, out = made.cue, call.out
    lines = [f"{cue.id}  {cue.name}"]
    if not out.quiet:
        lines.append(next_line(call, cue, made.state, call.runtime.now()))
    out.record(cue_view(cue, made.state, payload if cue.payload_ref else None), lines)
    if not made.known_task:
        cue_warnings.warn_of_nobody(call, cue)
    if values.get("alert"):
        cue_warnings.warn_of_sinks(call, made.unknown_sinks)
    cue_warnings.warn_of_options(call, cue, values)
    if made.state.next_at is not None:
        _tell_of_the_scheduler(call)


def _tell_of_the_scheduler(call: Call) -> None:
    """Say that nothing runs what is due, where somebody watches."""
    from cuectl.engine.cue_drafts import scheduler_seen

    if not call.out.stderr.isatty() or scheduler_seen(call.runtime):
        return
    from cuectl.engine.scheduler_health import install_command

    install = install_command(call.runtime.home, call.environment)
    call.out.tell(
        f"note: no pass has run in the last five minutes; have one called each minute: {install}"
    )


command = Command(
    name="create",
    summary="Create a cue from --cron, --at, --every or --in",
    description="""
        Makes a cue: when it fires, what it runs, and how sure you must be that it worked.
        At most one of --cron, --at, --every and --in says when; without one the cue is started
        by hand (cuectl fire) only.

        What runs is a handler (--task NAME, or the 'task' in the payload), the command behind
        '--', which needs no shell, or a command line for sh (--shell). A command runs in the
        directory in which the cue was made, unless --cwd names another one; PATH and the other
        variables are those of the pass. With --url nothing is run: the pass calls the address,
        and an answer of 2xx is success.

        Prints the id of the cue, and when it fires next.
    """,
    options=(
        Option(name="--name", metavar="NAME", help="Its name; by default after what it runs"),
        *SCHEDULE_OPTIONS,
        Option(
            name="--transport",
            metavar="HOW",
            choices=("worker", "webhook"),
            help="How the work is reached: worker runs it here, webhook calls --url",
        ),
        *WORK_OPTIONS,
        *WEBHOOK_OPTIONS,
        *POLICY_OPTIONS,
        Option(name="--description", metavar="TEXT", help="What it is for"),
    ),
    argv="Command to run, without a shell",
    see_also=("cuectl-next(1)", "cuectl-update(1)", "cuectl-chain(1)", "cuectl-run-due(1)"),
    run=run,
)
