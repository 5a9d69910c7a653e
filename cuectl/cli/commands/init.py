"""`cuectl init`: make the state directory, and a definition file to begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Command, Option
from cuectl.model.errors import UsageError

if TYPE_CHECKING:
    from cuectl.cli.call import Call

_NEXT = (
    ("cuectl create --name hello --cron '@hourly' -- echo hello", "something to run"),
    ("cuectl scheduler install", "let cron run it"),
    ("cuectl doctor", "see whether all is well"),
)
_NEXT_HERE = (("cuectl apply", "take cue.yaml over"), *_NEXT[1:])


def run(call: Call, *, here: bool) -> int | None:
    """Make what is missing, and say what comes next."""
    from cuectl.engine.first_steps import begin

    begun = begin(call.runtime, _directory() if here else None)
    steps = _NEXT_HERE if here else _NEXT
    record = {
        "home": call.runtime.home,
        "created": begun.created,
        "file": begun.file,
        "next": [command for command, _ in steps],
    }
    lines = [f"{'made' if begun.created else 'there is'} {call.runtime.home}"]
    if begun.file:
        lines.append(f"wrote {begun.file}")
    if not call.out.quiet:
        width = max(len(command) for command, _ in steps)
        lines += ["", "next:", *(f"  {command:<{width}}  # {why}" for command, why in steps)]
    call.out.record(record, lines)
    return None


def _directory() -> str:
    import os

    try:
        return os.getcwd()
    except OSError as error:
        raise UsageError("the current directory is gone", hint="cd somewhere else") from error


command = Command(
    name="init",
    summary="Make the state directory, and a cue.yaml with --here",
    description="""
        Makes the state directory, private to its user, and says what to do next. Nothing needs
        it: the first command that writes makes the directory too. Doing it again changes
        nothing.

        With --here a commented cue.yaml is written into the current directory, to be changed
        and taken over with 'cuectl apply'.
    """,
    options=(Option(name="--here", help="Write a cue.yaml into the current directory"),),
    exits=((6, "with --here: there is a cue.yaml already"),),
    see_also=("cuectl-create(1)", "cuectl-apply(1)", "cuectl-scheduler-install(1)", "cue.yaml(5)"),
    run=run,
)
