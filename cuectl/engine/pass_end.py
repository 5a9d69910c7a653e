"""The end of a pass: views written, heartbeat left, `next` written when all is quiet."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cuectl.engine.alerts import stderr_line
from cuectl.engine.deliver import deliveries_due, start_delivery
from cuectl.engine.recover import remove_dead_passes
from cuectl.engine.workflows import lost
from cuectl.model.alert import AlertType
from cuectl.model.instants import HOUR
from cuectl.store import checkpoint, files, idle, lock
from cuectl.store.agenda import drop_stale, due_markers, next_marker_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.engine.pass_options import PassOptions, PassResult
    from cuectl.engine.runtime import Runtime
    from cuectl.engine.source_round import Coming
    from cuectl.store.passes import PassFile
    from cuectl.store.store import Store


def finish(
    store: Store,
    runtime: Runtime,
    file: PassFile,
    options: PassOptions,
    result: PassResult,
    tell: Callable[[str], None],
    leave_polls: Callable[[Store], Coming],
    longest: int = HOUR,
) -> None:
    """Leave the store tidy: flush, rotate, heartbeat, `next`; then a checkpoint if one is due.

    `longest` is how many ms later passes may go at once when nothing is due.
    """
    now = runtime.now()
    with store.transaction(now, limit_s=lock.SETTLE_LIMIT_S) as tx:
        store.flush()
        alerts = deliveries_due(tx, now, due_markers(store.home, now))
        tx.commit()
        store.flush()
        checkpoint.rotate_if_large(store, now)
        remove_dead_passes(store)
        _remove_own(store, file)
        leave_heartbeat(store.home, now)
        coming = leave_polls(store)
        everything = not (options.only or options.executions)
        write_next(store, now, coming, longest, everything=everything)
    drop_stale(store.home, list(alerts.stale))
    for alert in alerts.printed:
        tell(stderr_line(alert))
        if alert.type is AlertType.DELIVERY_FAILED:
            # An alert that reaches nobody is a silent failure of the pass itself.
            result.problems = (*result.problems, alert.message)
    unwritten = [*store.behind, *(["journal/applied"] if store.unapplied else [])]
    result.problems += tuple(f"can't write '{store.home}/{path}'" for path in unwritten)
    if alerts.deliver:
        start_delivery(runtime)
    # Its age is that of a file, which the machine's clock has stamped.
    if checkpoint.is_due(store, now - runtime.clock.offset_ms):
        checkpoint.checkpoint(store)


def _remove_own(store: Store, file: PassFile) -> None:
    """Take away our own file unless an execution that we claimed and did not start names it."""
    for name in store.names("open"):
        record = store.read(f"open/{name}")
        if record and record.get("pass_id") == file.id:
            return
    file.remove()


def leave_heartbeat(home: str, now: int) -> None:
    """Note that somebody calls passes: the time of `last-pass`, by the clock in use.

    A new file gets its time under another name. Whoever is killed in between must not leave
    one with the machine's time: by a clock that was set, that may be far in the future.
    """
    path = f"{home}/last-pass"
    times = (now * 1_000_000, now * 1_000_000)
    try:
        os.utime(path, ns=times, follow_symlinks=False)
    except FileNotFoundError:
        unready = f"{path}~"
        files.touch_new(unready)
        os.utime(unready, ns=times, follow_symlinks=False)
        os.rename(unready, path)


def write_next(
    store: Store, now: int, coming: Coming, longest: int = HOUR, *, everything: bool
) -> None:
    """Write the line that lets the next passes go at once, or take it away.

    It is only written when nothing is open, nothing stayed behind, and neither a marker nor
    the poll of an event source is due.
    """
    path = f"{store.home}/next"
    line = _next_line(store, now, coming, longest) if everything else None
    if line is None:
        files.remove_file(path)
    else:
        files.replace_file(path, line.encode("ascii"))


def _next_line(store: Store, now: int, coming: Coming, longest: int) -> str | None:
    times = (next_marker_at(store.home, -1), coming.at)
    earliest = min((at for at in times if at is not None), default=None)
    if store.names("open") or (earliest is not None and earliest <= now):
        return None
    if store.behind or store.unapplied or lost.may_have_work(store.home):
        return None
    until = now + longest if earliest is None else min(earliest, now + longest)
    segment = store.journal.place.segment
    return idle.write_line(store.home, now, until, segment, polls=coming.polls)
