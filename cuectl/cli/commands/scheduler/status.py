"""`cuectl scheduler status`: what calls `run-due`, and when it did so last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Command
from cuectl.cli.scheduling import WHICH
from cuectl.model.errors import ExitStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.cli.call import Call
    from cuectl.cli.output import Line
    from cuectl.engine.scheduler_health import SchedulerHealth
    from cuectl.engine.schedulers.scheduler import Installed


def run(call: Call, *, scheduler: str | None) -> int | None:
    """Print what is installed; the answer is no when nothing is, or it does not work."""
    from cuectl.cli.scheduling import site_of
    from cuectl.engine.scheduler_health import scheduler_health
    from cuectl.engine.schedulers.registry import AUTO, find_installed
    from cuectl.model.instants import to_text

    site = site_of(call)
    found = [one for one in find_installed(site) if scheduler in (None, AUTO, one.scheduler)]
    health = scheduler_health(site.home)
    last, now = health.last_pass_at, call.runtime.now()
    record = {
        "home": site.home,
        "installed": [
            {**one.to_record(), "faults": [text for text, _ in one.faults]} for one in found
        ],
        "last_pass_at": None if last is None else to_text(last),
        "late": health.is_late(now),
    }
    call.out.record(record, _lines(call, found, health, now))
    works = bool(found) and not any(one.faults for one in found)
    return None if works else ExitStatus.NO


def _lines(call: Call, found: list[Installed], health: SchedulerHealth, now: int) -> Iterator[Line]:
    import shlex

    from cuectl.cli.scheduling import words_of

    for one in found:
        yield f"by         {words_of(one)}{', written by hand' if one.by_hand else ''}"
        yield f"command    {shlex.join(one.words)}"
        yield f"PATH       {one.path}"
        if not one.is_current:
            yield [("note: ", "yellow"), "it is not what 'cuectl scheduler install' writes now"]
        for message, hint in one.faults:
            yield [("problem: ", "red"), message]
            yield f"  {hint}"
    if not found:
        yield "by         nothing that is known; see: cuectl scheduler install"
    last = health.last_pass_at
    yield f"last pass  {'never' if last is None else call.out.when(last, now)}"


command = Command(
    name="scheduler status",
    summary="Show what calls run-due, and when it did so last",
    description="""
        Shows every scheduler that calls 'cuectl run-due' for this state directory, with the
        command and the PATH that it has, whether it does its work, and when a pass was last
        seen. A line that somebody wrote into the crontab by hand is found too; one of another
        user, or in /etc, is not.
    """,
    options=(WHICH,),
    exits=((4, "none is installed, or one does not do its work"),),
    see_also=("cuectl-scheduler-install(1)", "cuectl-status(1)"),
    run=run,
)
