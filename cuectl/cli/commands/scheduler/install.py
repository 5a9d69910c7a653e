"""`cuectl scheduler install`: have `run-due` called each minute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Command
from cuectl.cli.scheduling import DRY_RUN, WHICH, YES
from cuectl.model.errors import Conflict, CuectlError

if TYPE_CHECKING:
    from cuectl.cli.call import Call
    from cuectl.engine.schedulers.scheduler import Scheduler, Site


def run(call: Call, *, scheduler: str | None, dry_run: bool, yes: bool) -> int | None:
    """Show what is written, ask, and write it."""
    from cuectl.cli.scheduling import carry_out, site_of

    site = site_of(call)
    chosen = _choose(site, scheduler)
    steps = chosen.installation()
    if not steps:
        call.out.say(f"{chosen.name} calls 'cuectl run-due' each minute already")
    if steps and not dry_run:
        # A scheduler that calls a home which nobody may make would fail each minute.
        _ = call.runtime.existing_store
    question = f"have {chosen.name} call 'cuectl run-due' each minute?"
    done = carry_out(call, steps, question, dry_run=dry_run, yes=yes)
    if steps and not dry_run:
        if chosen.installed() is None:
            raise CuectlError(f"{chosen.name} took what was written and does not have it")
        call.out.say(f"{chosen.name} calls 'cuectl run-due' each minute now; see: cuectl status")
    if not call.out.for_people:
        call.out.record(
            {
                "scheduler": chosen.name,
                "home": site.home,
                "dry_run": dry_run,
                "changed": bool(steps) and not dry_run,
                "steps": done,
            }
        )
    return None


def _choose(site: Site, name: str | None) -> Scheduler:
    """Return the scheduler: the one that is installed already, where none is named.

    Raises:
        Conflict: another one does it already; two would only double the passes.
    """
    from cuectl.engine.schedulers.registry import AUTO, choose, find_installed

    there = find_installed(site)
    if name in (None, AUTO) and there:
        name = there[0].scheduler
    chosen = choose(site, name or AUTO)
    for one in there:
        if one.scheduler != chosen.name:
            message = f"{one.scheduler} calls 'cuectl run-due' for '{site.home}' already"
            raise Conflict(message, hint="take it out first: cuectl scheduler remove")
        if one.by_hand:
            message = "a line that somebody wrote calls 'cuectl run-due' in the crontab already"
            raise Conflict(message, hint="take it out first: crontab -e")
    return chosen


command = Command(
    name="scheduler install",
    summary="Have cron, a systemd timer or launchd call run-due each minute",
    description="""
        Shows the exact text that is written and the commands that are run, asks, and does it.
        Paths are absolute, and PATH and CUECTL_HOME are spelled out, because a scheduler knows
        nothing of your shell: the PATH of this call is the one that handlers get.

        Installing again brings what is there up to date, after cuectl has moved or PATH has
        changed. Each state directory has an entry of its own.
    """,
    options=(WHICH, DRY_RUN, YES),
    exits=(
        (6, "another scheduler does it already, or its text is not ours to change"),
        (8, "nobody could be asked, the answer was no, or no scheduler can be used here"),
    ),
    see_also=(
        "cuectl-scheduler-status(1)",
        "cuectl-scheduler-remove(1)",
        "cuectl-run-due(1)",
        "cuectl-status(1)",
    ),
    run=run,
)
