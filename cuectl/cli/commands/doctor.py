"""`cuectl doctor`: whether everything is set up as it must be, and how to mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Command, Option
from cuectl.model.errors import ExitStatus
from cuectl.model.finding import Level, worst

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.cli.call import Call
    from cuectl.cli.output import Line
    from cuectl.model.finding import Finding

_STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "red"}


def run(call: Call, *, fix: bool) -> int | None:
    """Print what every check says; the answer is no unless all is well."""
    from cuectl.engine.doctor import examine, mend
    from cuectl.model.instants import to_text

    findings = examine(call.runtime)
    fixed: list[str] = []
    if fix:
        fixed = mend(call.runtime, findings)
        findings = examine(call.runtime) if fixed else findings
    level = worst(findings)
    record = {
        "level": level.value,
        "home": call.runtime.home,
        "time": to_text(call.runtime.now()),
        "fixed": fixed,
        "findings": [one.to_record() for one in findings],
    }
    call.out.record(record, _lines(findings, fixed, quiet=call.out.quiet))
    return None if level is Level.OK else ExitStatus.NO


def _lines(findings: list[Finding], fixed: list[str], *, quiet: bool) -> Iterator[Line]:
    for done in fixed:
        yield [("fixed    ", "green"), done]
    for one in findings:
        if quiet and one.level is Level.OK:
            continue
        yield [(f"{one.level:<9}", _STYLES[one.level]), one.message]
        if one.hint:
            yield f"         {one.hint}"


command = Command(
    name="doctor",
    summary="Check the installation and say how to mend it",
    description="""
        Looks at everything that must be right for work to be done and seen: the state directory
        (owner, modes, file system, locks, room), what calls run-due and when it did last, the
        clock and the zones, whether the scheduler's PATH has the first word of every handler,
        agent and command, the file 'env' and the names that handlers expect in it, definition
        files that have changed, executions that lost their pass or run for too long, and the
        journal. Each answer is ok, a warning or a problem, with the way to mend it.

        --fix mends what is safe: it closes directories and the file 'env' to other users. How
        the work itself went is the business of 'cuectl status'.
    """,
    options=(Option(name="--fix", help="Mend what is safe to mend, then look again"),),
    exits=((4, "there is a warning or a problem"),),
    see_also=("cuectl-status(1)", "cuectl-scheduler-install(1)", "cuectl-state(7)"),
    run=run,
)
