"""`cuectl run-due`: run everything that is due, once; what cron calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Command, Option
from cuectl.cli.parameters import duration, whole_number

if TYPE_CHECKING:
    from cuectl.cli.call import Call
    from cuectl.engine.pass_options import PassResult


def run(
    call: Call,
    *,
    dry_run: bool,
    only: tuple[str, ...],
    max_parallel: int | None,
    max_time: float | None,
    detach: bool,
    exit_code: bool,
) -> int | None:
    """Run one pass."""
    if dry_run:
        return _dry_run(call, only)
    from cuectl.engine import run_due
    from cuectl.engine.pass_options import PassOptions

    runtime = call.runtime
    if detach:
        status = run_due.detach()
        if status is not None:
            return status
    lines = None
    if not detach and call.out.stderr.isatty():
        from cuectl.cli.live_lines import live_lines

        lines = live_lines(call)
    options = PassOptions(
        only=frozenset(chosen(call, only)),
        max_parallel=max_parallel,
        max_time_s=max_time,
        claimed=run_due.tell_detached if detach else None,
        watch=lines.watch if lines else None,
    )
    try:
        result = run_due.run_pass(runtime, options)
    except BaseException:
        run_due.tell_detached(1)
        raise
    finally:
        if lines:
            lines.clear()
    return conclude(call, result, exit_code=exit_code)


def chosen(call: Call, names: tuple[str, ...]) -> list[str]:
    """Return the ids of the cues that `--only` names.

    Raises:
        NotFound: there is no such cue.
    """
    if not names:
        return []
    from cuectl.engine.cue_lookup import find_cue

    with call.runtime.store.locked():
        return [find_cue(call.runtime.store, name)[0].id for name in names]


def conclude(call: Call, result: PassResult, *, exit_code: bool) -> int:
    """Say what a pass did, and return its exit status."""
    from cuectl.model.errors import CuectlError, ExitStatus

    record = {
        "started": result.started,
        "settled": result.settled,
        "failed": result.failed,
        "signal": result.signal,
    }
    if call.settings.json:
        call.out.record(record, [])
    elif call.out.is_terminal and (result.started or result.settled):
        call.out.say(f"{result.started} started, {result.settled} settled")
    if result.problems:
        raise CuectlError("; ".join(result.problems), hint="look closer: cuectl fsck")
    if result.signal is not None:
        return 128 + result.signal
    return ExitStatus.PARTLY if exit_code and result.failed else ExitStatus.OK


def _dry_run(call: Call, only: tuple[str, ...]) -> int | None:
    from cuectl.engine.dry_run import planned

    rows = planned(call.runtime, frozenset(chosen(call, only)))
    from cuectl.cli.tables import Column

    columns = [
        Column(key="cue_name", title="CUE"),
        Column(key="decision", title="DECISION"),
        Column(key="scheduled_for", title="SCHEDULED FOR"),
        Column(key="count", title="COUNT", right=True),
    ]
    call.out.records(rows, columns, empty="nothing is due")
    return None


command = Command(
    name="run-due",
    summary="Run everything that is due, once; what cron calls",
    description=(
        "Does what is due and goes away: recovers what dead passes left, claims, starts and "
        "waits for the executions that are due, settles them, and looks once more.\n\n"
        "Passes overlap freely: one that waits for a handler keeps no other from its work. "
        "Failures of handlers are records and alerts and go to standard error, which cron "
        "mails; the exit status says whether the pass itself worked."
    ),
    options=(
        Option(name="--dry-run", help="Show what would be done; change nothing"),
        Option(
            name="--only",
            metavar="NAME",
            help="Look at this cue alone; may be repeated",
            many=True,
            complete="cue",
        ),
        Option(
            name="--max-parallel",
            metavar="N",
            help="Run at most N executions at once; lowers the setting, never raises it",
            convert=whole_number(1, 10_000),
        ),
        Option(
            name="--max-time",
            metavar="DUR",
            help="Start nothing after this time, and wait for what runs",
            convert=duration,
        ),
        Option(
            name="--detach",
            help="Go on in a process of its own once the work is claimed; for systemd timers",
        ),
        Option(name="--exit-code", help="Exit with 3 when work failed"),
    ),
    exits=((3, "with --exit-code: some of the work failed"),),
    see_also=("cuectl-worker(1)", "cuectl-status(1)"),
    run=run,
)
