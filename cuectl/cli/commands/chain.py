"""`cuectl chain`: schedule the next step, from inside a handler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.cue_options import POLICY_OPTIONS, SCHEDULE_OPTIONS, WORK_OPTIONS
from cuectl.cli.options import Command, Option
from cuectl.cli.parameters import not_empty
from cuectl.model.errors import UsageError

if TYPE_CHECKING:
    from cuectl.cli.call import Call
    from cuectl.engine.chain import Chained


def run(call: Call, *, when: str | None, key: str | None, **values: Any) -> int | None:
    """Make a child of the execution that calls."""
    from cuectl.cli.cue_options import draft_of
    from cuectl.engine.chain import chain_cue
    from cuectl.model.chain import parent_from

    parent = parent_from(call.runtime.environment)
    _check(values, when)
    values["no_schedule"] = False
    cwd = _directory(values)
    delay = None
    if when is not None:
        # `--in` counts from the release, which nobody knows the time of yet.
        delay, values["in_"] = values["in_"], None
    draft = draft_of(values, cwd=cwd, cleared=frozenset())
    made = chain_cue(call.runtime, parent, draft, when=when, key=key, delay_s=delay)
    _say(call, made, values)
    return None


def _check(values: dict[str, Any], when: str | None) -> None:
    work = ("argv", "shell", "task", "agent", "prompt", "workflow", "payload", "payload_file")
    if all(values[name] is None for name in work):
        hint = "name a handler (--task NAME), or put the command last: -- ./next.sh"
        raise UsageError("expected something to run", hint=hint)
    if when is not None and (values["cron"] or values["every"]):
        raise UsageError("'--when' goes with --at or --in, not with a schedule that repeats")


def _directory(values: dict[str, Any]) -> str | None:
    if all(values[name] is None for name in ("argv", "shell", "workflow")):
        return None
    import os

    return os.getcwd()


def _say(call: Call, made: Chained, values: dict[str, Any]) -> None:
    from cuectl.cli import cue_warnings
    from cuectl.cli.cue_lines import next_line
    from cuectl.model.cue_view import cue_view

    out, cue = call.out, made.cue
    lines = [f"{cue.id}  {cue.name}"]
    if not out.quiet:
        lines.append(next_line(call, cue, made.state, call.runtime.now()))
    out.record(cue_view(cue, made.state), lines)
    if not made.is_new:
        out.tell("it was there already; nothing was changed")
        return
    if not made.known_task:
        cue_warnings.warn_of_nobody(call, cue)
    if values.get("alert"):
        cue_warnings.warn_of_sinks(call, made.unknown_sinks)
    cue_warnings.warn_of_options(call, cue, values)


command = Command(
    name="chain",
    summary="Schedule the next step",
    description="""
        Called inside a handler: makes a cue that is a child of the execution that runs, with
        its place in the chain on record. Without a schedule it is due at once; with --at, --in
        or --cron, then. With --when it waits until the parent is over, retries and
        verification included, and runs only after that verdict; --in then counts from there.

        A handler that is run again must not schedule its next step twice: the same --name or
        --key from a later attempt of the same execution gives the child that there is.
        A chain is at most 16 deep, and makes at most 200 cues an hour.
    """,
    options=(
        Option(name="--name", metavar="NAME", help="Its name; by default after what it runs"),
        *SCHEDULE_OPTIONS,
        Option(
            name="--when",
            metavar="VERDICT",
            choices=("success", "failure", "always"),
            help="Wait for the parent's verdict: success, failure, or always",
        ),
        Option(
            name="--key",
            metavar="KEY",
            convert=not_empty,
            help="One child for each key and parent, however often this is called",
        ),
        *WORK_OPTIONS,
        *POLICY_OPTIONS,
        Option(name="--description", metavar="TEXT", help="What it is for"),
    ),
    argv="Command to run, without a shell",
    exits=(
        (5, "the calling execution is not running"),
        (6, "another cue has the name"),
        (8, "the chain is too deep, or made too many cues"),
    ),
    see_also=("cuectl-chain-show(1)", "cuectl-report(1)", "cuectl-create(1)"),
    run=run,
)
