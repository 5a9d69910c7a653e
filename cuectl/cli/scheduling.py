"""What the commands of the group `scheduler` have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.asking import confirm
from cuectl.cli.options import Option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.cli.call import Call
    from cuectl.cli.output import Line
    from cuectl.engine.schedulers.scheduler import Installed, Site, Step

CHOICES = ("auto", "crontab", "systemd-timer", "launchd")
"""Kept equal to the engine's registry by a test."""

WHICH = Option(
    name="--scheduler",
    metavar="NAME",
    choices=CHOICES,
    help="Which one: auto takes the first that can be used here",
)
DRY_RUN = Option(name="--dry-run", help="Show what would be written and run; change nothing")
YES = Option(name="--yes", help="Do it without being asked")


def site_of(call: Call) -> Site:
    """Return whose scheduler it is."""
    from cuectl.engine.schedulers.scheduler import Site

    return Site(home=call.runtime.home, environment=call.environment)


def carry_out(
    call: Call, steps: list[Step], question: str, *, dry_run: bool, yes: bool
) -> list[dict[str, Any]]:
    """Show the steps, ask, and do them; return them as JSON.

    Raises:
        Refused: nobody could be asked, or the answer was no.
        CuectlError: a step failed.
    """
    from cuectl.engine.schedulers.scheduler import perform

    if call.out.for_people and not (call.out.quiet and not dry_run):
        for line in shown(steps):
            call.out.line(line)
    if steps and not dry_run:
        confirm(call, question, yes=yes)
        perform(steps, call.environment)
    return [step.to_record() for step in steps]


def shown(steps: list[Step]) -> Iterator[Line]:
    """Yield the lines that say what is written and run."""
    import shlex

    from cuectl.engine.schedulers.scheduler import Write

    for step in steps:
        if isinstance(step, Write):
            yield f"{'remove' if step.after is None else 'write'} {step.place}"
            yield from _difference(step.before, step.after)
        else:
            yield f"run {shlex.join(step.words)}"


def _difference(before: bytes | None, after: bytes | None) -> Iterator[Line]:
    import difflib

    old, new = (
        (text or b"").decode("utf-8", "surrogateescape").splitlines() for text in (before, after)
    )
    for line in difflib.unified_diff(old, new, lineterm="", n=0):
        if not line.startswith(("+++", "---", "@@")):
            style = "green" if line[0] == "+" else "red"
            yield [("    " + line[0] + " " + line[1:], style)]


def words_of(installed: Installed) -> str:
    """Return where something stands, for people."""
    place = installed.place
    return f"a line in the {place}" if place == "crontab" else f"{installed.scheduler}, {place}"
