"""The end of a pass: write the views, the heartbeat and, when all is quiet, `next`; ping.

A process at the end of a pipe sends the ping, even if the pass is killed. Nothing is recorded: the
next pass makes up for a lost ping, and a pass with nothing to do leaves no trace.
"""

from __future__ import annotations

import json
import os
import sys

from cuectl.store import files, idle, pass_files
from cuectl.store import home as lock
from cuectl.store.views import drop_stale, due_markers, next_marker_at
from cuectl.values.times import HOUR, MINUTE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.alerts.delivery import DueAlerts
    from cuectl.definitions.rules.definitions import Settings
    from cuectl.events.sources.round import Coming
    from cuectl.executions.effects import Effects, PassContext
    from cuectl.passes.away.rounds import Away
    from cuectl.passes.due_queue import PassOptions, PassResult
    from cuectl.process.runtime import Runtime
    from cuectl.store.pass_files import PassFile
    from cuectl.store.store import Store, Transaction


PING_EVERY = 5 * MINUTE


def finish(
    runtime: Runtime,
    context: PassContext,
    options: PassOptions,
    result: PassResult,
    file: PassFile,
    leave_polls: Callable[[Store], Coming | None],
    away: Away | None = None,
) -> None:
    """Leave the store tidy: flush, rotate, heartbeat, `next`; then a checkpoint if one is due."""
    store, now = runtime.store, runtime.now()
    with store.transaction(now, limit_s=lock.SETTLE_LIMIT_S) as tx:
        store.flush()
        alerts = _alerts_due(tx, now, context.in_force.settings)
        tx.commit()
        store.flush()
        if store.journal.place.size >= store.limits.segment_bytes:
            from cuectl.store.journal import checkpoint

            checkpoint.rotate_if_large(store, now)
        if file.id not in remove_dead_passes(store):
            file.remove()
        # `fire --wait` proves nothing about what calls us, so it must not look like a pass.
        is_known = False
        if not options.is_partial:
            leave_heartbeat(store.home, now)
            is_known = pass_files.note_environment(store.home, runtime.environment)
        coming = leave_polls(store)
        pinged = context.in_force.settings.ping_url is not None
        until = now + (PING_EVERY if pinged else HOUR)
        away_at = None if away is None else away.leave()
        line = _next_line(store, now, coming, until, away_at) if is_known else None
        _write_next(store, line)
    if alerts is not None:
        _tell_alerts(store, alerts, result, context.tell)
    unwritten = [*store.behind, *(["journal/applied"] if store.unapplied else [])]
    result.problems += tuple(f"can't write '{store.home}/{path}'" for path in unwritten)
    result.problems += (store.lost,) if store.lost else ()
    if alerts is not None and alerts.deliver:
        from cuectl.alerts.delivery import start_delivery

        start_delivery(runtime)
    limits = store.limits
    if store.journal.place.seq >= min(limits.checkpoint_events, limits.checkpoint_young_events):
        from cuectl.store.journal import checkpoint

        # Its age is that of a file, which the machine's clock stamped.
        if checkpoint.is_due(store, now - runtime.clock.offset_ms):
            checkpoint.checkpoint(store)


def _alerts_due(tx: Transaction, now: int, settings: Settings) -> DueAlerts | None:
    """Return the work for alerts and pings; None when nothing is due."""
    markers = due_markers(tx.store.home, now)
    if not markers:
        return None
    from cuectl.alerts.delivery import deliveries_due

    return deliveries_due(tx, now, markers, settings)


def _tell_alerts(
    store: Store, alerts: DueAlerts, result: PassResult, tell: Callable[[str], None]
) -> None:
    from cuectl.alerts.rules.alert import AlertType, stderr_line

    drop_stale(store.home, list(alerts.stale))
    for alert in alerts.printed:
        tell(stderr_line(alert))
        if alert.type is AlertType.DELIVERY_FAILED:
            # An alert that is not delivered is a silent failure of the pass itself.
            result.problems = (*result.problems, alert.message)


def may_have_work(home: str) -> bool:
    """Tell whether a workflow has an unfinished run, or a queue an unfinished task."""
    if not (os.path.isdir(f"{home}/workflows") or os.path.isdir(f"{home}/queues")):
        return False
    from cuectl.store import workflow_files

    return workflow_files.may_have_work(home)


CLOCK_LIMIT_MS = 3 * HOUR


def check_clock(tx: Transaction, effects: Effects) -> None:
    """Stage the new plan of every cue when the clock was far ahead of now."""
    last = _last_seen(tx)
    if last is not None and last - effects.now > CLOCK_LIMIT_MS:
        from cuectl.passes.healer import reset_after_future

        reset_after_future(tx, effects, last)


def _last_seen(tx: Transaction) -> int | None:
    """Return the latest instant of the journal or of the heartbeat.

    The heartbeat knows more if another command wrote the last line after the clock came back, or if
    a new segment has none yet.
    """
    journal_at = tx.store.journal.last_at()
    try:
        found = os.stat(f"{tx.store.home}/last-pass", follow_symlinks=False)
    except FileNotFoundError:
        return journal_at
    return max(journal_at or 0, found.st_mtime_ns // 1_000_000)


def remove_dead_passes(store: Store) -> set[str]:
    """Remove unlocked pass files that no open execution names; return those named (hole A14)."""
    named = set()
    for name in store.names("open"):
        record = store.read(f"open/{name}")
        if record and record.get("pass_id"):
            named.add(record["pass_id"])
    for pass_id in pass_files.pass_ids(store.home):
        if pass_id not in named and not pass_files.is_alive(store.home, pass_id):
            pass_files.remove(store.home, pass_id)
    return named


def leave_heartbeat(home: str, now: int) -> None:
    """Stamp `last-pass` by the clock in use; a new file is renamed to it once it is stamped."""
    path = f"{home}/last-pass"
    times = (now * 1_000_000, now * 1_000_000)
    try:
        os.utime(path, ns=times, follow_symlinks=False)
    except FileNotFoundError:
        unready = f"{path}~"
        files.touch_new(unready)
        os.utime(unready, ns=times, follow_symlinks=False)
        os.rename(unready, path)


def _write_next(store: Store, line: str | None) -> None:
    path = f"{store.home}/next"
    if line is None:
        files.remove_file(path)
    else:
        files.replace_file(path, line.encode("ascii"))


def _next_line(
    store: Store, now: int, coming: Coming | None, latest: int, away_at: int | None = None
) -> str | None:
    """Return the line that lets passes end at once until something is due, at `latest` then.

    None when something is open, stayed behind, or is due: a marker, the poll of a source, a look
    at what is elsewhere.
    """
    times = (next_marker_at(store.home, -1), coming.at if coming is not None else None, away_at)
    until = min((at for at in times if at is not None), default=latest)
    if store.names("open") or until <= now:
        return None
    if store.behind or store.unapplied or may_have_work(store.home):
        return None
    until = min(until, latest)
    segment = store.journal.place.segment
    polls = coming is not None and coming.polls
    away = away_at is not None
    return idle.write_line(store.home, now, until, segment, polls=polls, away=away)


WAITS_S = (5.0, 30.0)
_MOST_SAID = 4_000


class PassPing:
    """A pass's end of the process that pings for it."""

    def __init__(self, runtime: Runtime) -> None:
        from cuectl.process.runtime import start_detached

        reader, self._writer = os.pipe()
        try:
            start_detached(runtime, ["deliver", "--pass"], stdin=reader)
        finally:
            os.close(reader)

    def ended(self, result: PassResult) -> None:
        """Say how the pass ended; a signal or a problem of the pass itself is a failure."""
        failed = bool(result.problems) or result.signal is not None
        text = f"{result.started} started, {result.settled} settled"
        if result.signal is not None:
            text += f", ended by signal {result.signal}"
        self._say(int(failed), "\n".join([text, *result.problems]))

    def failed(self, error: BaseException) -> None:
        """Say that the pass could not work."""
        self._say(1, str(error) or type(error).__name__)

    def _say(self, status: int, text: str) -> None:
        said = json.dumps({"status": status, "text": text[:_MOST_SAID]}).encode("ascii")
        try:
            os.write(self._writer, said)
        except OSError:
            # The process is gone; the next pass pings again.
            return
        finally:
            os.close(self._writer)


def ping_for_pass(runtime: Runtime, url: str) -> None:
    """Tell a monitor that the pass behind the standard input runs, and how it ends."""
    from cuectl.alerts.pings import run_id
    from cuectl.alerts.rules.ping import PingKind, address

    run = run_id(runtime.random(16).hex())
    _send(address(url, PingKind.START, None, run), "", ())
    said = sys.stdin.buffer.read()
    if said:
        end = json.loads(said)
        status, text = int(end["status"]), str(end["text"])
    else:
        status, text = 1, "the pass was killed, or the machine took it away"
    kind = PingKind.FAIL if status else PingKind.SUCCESS
    _send(address(url, kind, status, run), text, WAITS_S)


def _send(url: str, body: str, waits_s: tuple[float, ...]) -> None:
    import select

    from cuectl.alerts.pings import send
    from cuectl.alerts.sinks import NotDelivered

    for wait_s in (*waits_s, None):
        try:
            send(url, body)
        except NotDelivered as error:
            if error.lasting or wait_s is None:
                return
            select.select([], [], [], wait_s)
        else:
            return
