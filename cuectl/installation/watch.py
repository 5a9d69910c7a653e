"""The watch of the watch: it tells when nothing calls `run-due` any more, and when that has ended.

It looks now and then, called by a second line of cron or a second timer. Passes have stopped when
none was made since it looked before: so a machine that was off or asleep raises no alarm. What it
has seen is in a file of its own, beside the store, which may be locked or damaged.
"""

from __future__ import annotations

from cuectl.alerts.alerts import STDERR, clear_subject, raise_alert, sinks_now
from cuectl.alerts.rules.alert import Alert, AlertType, severity_of
from cuectl.definitions.in_force import definitions_now
from cuectl.installation.open_work import LATE_MS, scheduler_health
from cuectl.store import pass_files
from cuectl.store.reading import open_reader
from cuectl.values.errors import CuectlError
from cuectl.values.ids import ALERT_PREFIX, timed_id
from cuectl.values.records import dataclass
from cuectl.values.times import MINUTE, to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.definitions.in_force import InForce
    from cuectl.process.runtime import Runtime

_SUBJECT = "run-due"
LOCK_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchLook:
    """When it looked, and since when no pass is made, which people know; None: all is well."""

    at: int
    silent_since: int | None = None


def look(before: WatchLook | None, last_pass_at: int | None, now: int) -> WatchLook:
    """Return what this look finds, given the one before it."""
    if before is None or before.at > now:
        return WatchLook(at=now)
    if last_pass_at is not None and before.at <= last_pass_at <= now + MINUTE:
        return WatchLook(at=now)
    if now - before.at < LATE_MS:
        # A person has called it in between.
        return before
    return WatchLook(at=now, silent_since=before.silent_since or last_pass_at or before.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchFinding:
    """What the watch found; `lines` are for the standard error, which cron mails."""

    last_pass_at: int | None
    silent: bool
    changed: bool
    lines: tuple[str, ...] = ()


def watch(runtime: Runtime) -> WatchFinding:
    """Look whether passes are made; tell the sinks when that ends or starts again."""
    home, now = runtime.home, runtime.now()
    last, before = scheduler_health(home).last_pass_at, _noted(home)
    after = look(before, last, now)
    was, silent = before.silent_since if before is not None else None, after.silent_since
    lines: Iterator[str] = iter(())
    if silent is not None and was is None:
        what = f"nothing has called 'cuectl run-due' since {_second(silent)}; no cue runs by itself"
        lines = _tell(runtime, AlertType.SCHEDULER_SILENT, what)
    elif was is not None and silent is None:
        what = f"'cuectl run-due' is called again; it was not since {_second(was)}"
        lines = _tell(runtime, AlertType.RECOVERED, what)
    told = tuple(lines)
    if after != before:
        pass_files.note_watch(home, {"at": after.at, "silent_since": silent})
    changed = (was is None) != (silent is None)
    return WatchFinding(last_pass_at=last, silent=silent is not None, changed=changed, lines=told)


def _second(at: int) -> str:
    return to_text(at // 1000 * 1000)


def _noted(home: str) -> WatchLook | None:
    record = pass_files.noted_watch(home)
    try:
        return WatchLook(**record) if record else None
    except TypeError:
        return None


def _tell(runtime: Runtime, kind: AlertType, message: str) -> Iterator[str]:
    """Raise an alert and have it delivered, past the store where that can't take it."""
    yield f"alert: {kind}: {message}"
    try:
        sinks = _stage(runtime, kind, message)
    except (CuectlError, OSError) as error:
        why = error.message if isinstance(error, CuectlError) else str(error)
        yield f"it can't be recorded: {why}"
        yield from _deliver_at_once(runtime, kind, message)
        return
    if any(one != STDERR for one in sinks):
        from cuectl.alerts.delivery import start_delivery

        start_delivery(runtime)


def _stage(runtime: Runtime, kind: AlertType, message: str) -> tuple[str, ...]:
    with runtime.store.transaction(runtime.now(), limit_s=LOCK_LIMIT_S) as tx:
        sinks = _sinks(runtime, definitions_now(tx, runtime.home))
        is_over = kind is AlertType.RECOVERED
        gone = clear_subject(tx, AlertType.SCHEDULER_SILENT, _SUBJECT) if is_over else {}
        raise_alert(
            tx,
            tx.now,
            type=kind,
            message=message,
            sinks=sinks,
            randomness=runtime.random(9),
            subject=None if is_over else _SUBJECT,
            seen=is_over,
        )
        if gone:
            tx.amend(gone)
    return sinks


def _sinks(runtime: Runtime, in_force: InForce) -> tuple[str, ...]:
    """Return whom to alert; all who heard of the silence hear of its end."""
    kind = AlertType.SCHEDULER_SILENT
    return sinks_now(in_force, runtime.now(), lambda: runtime.zone, kind)


def _deliver_at_once(runtime: Runtime, kind: AlertType, message: str) -> Iterator[str]:
    """Hand an alert to the usual sinks; nothing is recorded."""
    from cuectl.alerts import sinks
    from cuectl.alerts.delivery import sink_context
    from cuectl.alerts.facts import compose
    from cuectl.alerts.rules.routing import sink_named

    try:
        in_force = definitions_now(open_reader(runtime.existing_store), runtime.home)
        context = sink_context(runtime, in_force)
    except (CuectlError, OSError):
        # Those who read the standard error know it.
        return
    now = runtime.now()
    alert = Alert(
        id=timed_id(ALERT_PREFIX, now, runtime.random(9)),
        type=kind,
        severity=severity_of(kind),
        message=message,
        created_at=now,
    )
    for name in _sinks(runtime, in_force):
        if name != STDERR and (sink := sink_named(name, in_force.alerts)) is not None:
            try:
                sinks.deliver(compose(runtime, [alert], context), sink, context)
            except sinks.NotDelivered as error:
                yield f"sink '{name}' did not take it: {error.reason}"
