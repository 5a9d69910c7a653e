"""`cuectl import-crontab`: make cues of the lines of a crontab."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from cuectl.cli.options import Argument, Command, Option
from cuectl.model.errors import ExitStatus, NotFound, UsageError

if TYPE_CHECKING:
    from cuectl.cli.call import Call
    from cuectl.model.crontab_import import Imported, LeftOut

_LARGEST = 1 << 20


def run(call: Call, *, file: str, apply: bool) -> int | None:
    """Print the commands that make the cues, or make them."""
    from cuectl.engine.crontab_cues import command_of, imported, make_cues

    found = imported(call.runtime, _read(file))
    made = make_cues(call.runtime, found, _path(file)) if apply else {}
    cues = [
        {
            "line": one.line,
            "name": one.draft.name,
            "command": command_of(one.draft),
            "id": made.get(one.line),
        }
        for one in found.entries
        if not apply or one.line in made
    ]
    record = {
        "applied": apply,
        "cues": cues,
        "left_out": [_record(one) for one in found.left_out],
        "notes": [_record(one) for one in found.notes],
    }
    if call.out.json:
        call.out.record(record)
    else:
        _print(call, cues, found, applied=apply)
    return ExitStatus.PARTLY if found.left_out else None


def _read(file: str) -> str:
    """Return the text of the crontab.

    Raises:
        NotFound: there is no such file.
        UsageError: it is larger than a crontab, or no text.
    """
    import os
    import sys

    try:
        if file == "-":
            raw = sys.stdin.buffer.read(_LARGEST + 1)
        else:
            with open(file, "rb") as opened:
                raw = opened.read(_LARGEST + 1)
    except FileNotFoundError:
        hint = "your own crontab: crontab -l | cuectl import-crontab -"
        raise NotFound(f"there is no file '{os.path.abspath(file)}'", hint=hint) from None
    if len(raw) > _LARGEST or b"\0" in raw:
        raise UsageError(f"'{file}' is no crontab")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UsageError(f"line {line} of '{file}' is not UTF-8") from None


def _path(file: str) -> str:
    import os

    return "" if file == "-" else os.path.abspath(file)


def _record(one: LeftOut) -> dict[str, Any]:
    return {"line": one.line, "text": one.text, "why": one.why}


def _print(call: Call, cues: list[dict[str, Any]], found: Imported, *, applied: bool) -> None:
    for one in cues:
        call.out.line(f"{one['id']}  {one['name']}" if applied else shlex.join(one["command"]))
    for left in found.left_out:
        call.out.warn(f"line {left.line} is not carried over: {left.why}: {left.text}")
    for note in found.notes:
        call.out.warn(f"line {note.line}: {note.text}: {note.why}")
    if applied and cues:
        call.out.tell("note: the crontab still runs these lines too; take them out: crontab -e")


command = Command(
    name="import-crontab",
    summary="Make cues of the lines of a crontab",
    description="""
        Prints the 'cuectl create' commands that make the same cues, one a line, so that they
        can be looked at, changed and run by sh. With --apply the cues are made at once.

        What a cue has no counterpart for is named on standard error, with its line: @reboot,
        text behind a plain '%', lines that are wrong, and lines that call cuectl itself. The
        crontab is only read: take the lines out of it yourself, or the work is done twice.
    """,
    arguments=(
        Argument(name="FILE", help="The crontab of a user; - reads it from stdin", complete="file"),
    ),
    options=(Option(name="--apply", help="Make the cues"),),
    exits=((3, "some lines were not carried over"),),
    see_also=("cuectl-create(1)", "cuectl-scheduler-install(1)"),
    run=run,
)
