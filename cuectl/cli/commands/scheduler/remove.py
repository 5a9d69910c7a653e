"""`cuectl scheduler remove`: have nothing call `run-due` any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Command
from cuectl.cli.scheduling import DRY_RUN, WHICH, YES

if TYPE_CHECKING:
    from cuectl.cli.call import Call
    from cuectl.engine.schedulers.scheduler import Step


def run(call: Call, *, scheduler: str | None, dry_run: bool, yes: bool) -> int | None:
    """Show what goes, ask, and take it out."""
    from cuectl.cli.scheduling import carry_out, site_of
    from cuectl.engine.schedulers.registry import AUTO, find_installed, schedulers

    site = site_of(call)
    there = {one.scheduler: one for one in find_installed(site)}
    names: list[str] = []
    steps: list[Step] = []
    for one in schedulers(site):
        if one.name in there and scheduler in (None, AUTO, one.name):
            found = one.removal()
            steps += found
            names += [one.name] if found else []
    question = f"have {' and '.join(names)} call 'cuectl run-due' no more?"
    done = carry_out(call, steps, question, dry_run=dry_run, yes=yes)
    if not steps:
        call.out.say("nothing that 'scheduler install' wrote calls 'cuectl run-due' here")
    elif not dry_run:
        call.out.say("nothing runs by itself any more")
    if any(one.by_hand for one in there.values()):
        call.out.warn("a line that somebody wrote is in the crontab", hint="see: crontab -l")
    if not call.out.for_people:
        call.out.record(
            {
                "schedulers": names,
                "home": site.home,
                "dry_run": dry_run,
                "changed": bool(steps) and not dry_run,
                "steps": done,
            }
        )
    return None


command = Command(
    name="scheduler remove",
    summary="Have nothing call run-due any more",
    description="""
        Takes out what 'scheduler install' wrote for this state directory, and nothing else: not
        the entries of other state directories, not a line that somebody wrote by hand, not a
        drop-in of a unit. Without --scheduler, wherever it stands. Cues and all records stay.
    """,
    options=(WHICH, DRY_RUN, YES),
    exits=((8, "nobody could be asked, or the answer was no"),),
    see_also=("cuectl-scheduler-install(1)", "cuectl-pause(1)"),
    run=run,
)
