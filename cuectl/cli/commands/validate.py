"""`cuectl validate`: check a definition file without changing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.options import Argument, Command
from cuectl.model.errors import ExitStatus

if TYPE_CHECKING:
    from cuectl.cli.call import Call
    from cuectl.cli.output import Line
    from cuectl.engine.check_file import Checked
    from cuectl.store.definition_problems import Problem

_COLOURS = {"error": "red", "warning": "yellow", "note": "dim"}


def run(call: Call, *, file: str | None) -> int | None:
    """Print everything that is to be said about the file, with its place."""
    from cuectl.engine.check_file import check_file

    path = file or "cue.yaml"
    found = check_file(call.runtime, path)
    record = {
        "path": path,
        "valid": found.is_valid,
        "problems": [_record(problem) for problem in found.problems],
    }
    if call.out.json:
        call.out.record(record)
    else:
        _print(call, path, found)
    return None if found.is_valid else ExitStatus.INVALID


def _record(problem: Problem) -> dict[str, Any]:
    return {
        "path": problem.path,
        "line": problem.line,
        "column": problem.column,
        "level": problem.level.value,
        "message": problem.message,
        "hint": problem.hint,
    }


def _print(call: Call, path: str, found: Checked) -> None:
    for problem in found.problems:
        line: Line = [(problem.text, _COLOURS[problem.level.value])]
        call.out.line(line)
        if problem.hint:
            call.out.line(f"  hint: {problem.hint}")
    if found.is_valid:
        call.out.say(f"'{path}' is valid: {found.summary}")


command = Command(
    name="validate",
    summary="Check a cue.yaml without changing anything",
    description="""
        Reads a definition file as apply does and prints all that is wrong with it, each with
        file, line and column, and notes on keys that belong to other systems.
    """,
    arguments=(
        Argument(
            name="FILE",
            help="Definition file; cue.yaml when it is left out",
            required=False,
            complete="file",
        ),
    ),
    exits=((7, "the file is not valid"),),
    see_also=("cuectl-apply(1)", "cuectl-diff(1)", "cue.yaml(5)"),
    run=run,
)
