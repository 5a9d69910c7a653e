"""Deliveries of alerts and pings: the part of a pass, and the process that makes them.

A pass starts `cuectl deliver`, one at a time and outside the store lock, because a receiver may
be slow (reference/reliability.md, F54). Each try is recorded before it is made, with the time of
the next one, and again afterwards. So a killed process loses no alert; a receiver may get one
twice, with the same id.
"""

from __future__ import annotations

import hashlib
import os
import time
import zlib

from cuectl.alerts import pings, sinks
from cuectl.alerts.alerts import (
    MARKER,
    STDERR,
    clear_subject,
    complain_of_delivery,
    read_alert,
    stage_delivery,
)
from cuectl.alerts.facts import compose
from cuectl.alerts.incidents import remind
from cuectl.alerts.pings import PATIENCE, TRIES_TO_COMPLAIN, PingRound, change
from cuectl.alerts.rules.alert import (
    Alert,
    AlertType,
    Delivery,
    DeliveryStatus,
    Severity,
    after_failure,
    after_success,
    trying,
)
from cuectl.alerts.rules.burst import HANDFUL, after_messages, room
from cuectl.alerts.rules.routing import end_of, sink_named
from cuectl.alerts.sinks import NotDelivered, SinkContext
from cuectl.definitions.in_force import InForce, definitions, masker_for
from cuectl.definitions.rules.definitions import AlertSink
from cuectl.process.runtime import monotonic_s
from cuectl.store import home, pass_files
from cuectl.store.handler_files import read_env_file
from cuectl.store.views import BadView, due_markers
from cuectl.values.errors import LockTimeout
from cuectl.values.records import dataclass, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cuectl.definitions.rules.definitions import AlertSink, Settings
    from cuectl.process.runtime import Runtime
    from cuectl.store.store import Transaction
    from cuectl.store.views import Marker

LOCK_NAME = "deliver.lock"
# While a pass raises more, many alerts are gathered: until it brings none for so long, or ends.
LULL_S = 5.0
_MOST_LULLS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class DueAlerts:
    """The work for alerts whose markers are due."""

    printed: tuple[Alert, ...] = ()  # to print with `stderr_line` once the change is committed
    deliver: bool = False
    stale: tuple[Marker, ...] = ()  # markers behind which nothing stands


def deliveries_due(
    tx: Transaction, now: int, markers: Iterable[Marker], settings: Settings | None = None
) -> DueAlerts:
    """Return what due markers, of any kind, ask for; stage what the pass prints as delivered.

    Reminders that are due are staged too; `settings` has the usual time between them.
    """
    printed: list[Alert] = []
    stale: list[Marker] = []
    deliver = False
    for marker in markers:
        if marker.kind == pings.MARKER:
            deliver = True
        if marker.kind != MARKER:
            continue
        try:
            alert = read_alert(tx, marker.id)
        except BadView:
            # The healing of views deals with it; the marker stays for then.
            continue
        if alert is None or alert.next_at != marker.at:
            stale.append(marker)
            continue
        due = alert.due_sinks(now)
        if alert.remind_at is not None and alert.remind_at <= now:
            reminder = remind(tx, alert, now, settings)
            alert = _known(tx, alert.id) or alert
            if reminder is not None:
                printed += [reminder] if STDERR in reminder.delivered else []
                deliver = deliver or bool(reminder.due_sinks(now))
        if STDERR in due:
            tries = alert.delivered[STDERR].tries + 1
            done = Delivery(status=DeliveryStatus.DELIVERED, tries=tries)
            printed.append(stage_delivery(tx, alert, STDERR, done))
        deliver = deliver or any(sink != STDERR for sink in due)
    return DueAlerts(printed=tuple(printed), deliver=deliver, stale=tuple(stale))


def start_delivery(runtime: Runtime) -> bool:
    """Start `cuectl deliver`, detached, unless one runs; tell whether it was started.

    Raises OSError: no process could be made; the markers stay, so a later pass tries again.
    """
    if home.is_held(f"{runtime.home}/{LOCK_NAME}"):
        return False
    from cuectl.process.runtime import start_detached

    start_detached(runtime, ["deliver"])
    return True


_UNFINISHED = "the delivery did not come to an end"
KEPT_QUIET = "kept until the quiet hours are over"
_PUT_OFF = "put off, because the sink failed for other alerts"


@dataclass(slots=True, kw_only=True)
class Delivered:
    """How a call of `deliver` ended; `running`: another process delivers already."""

    delivered: int = 0
    pinged: int = 0
    failed: int = 0
    put_off: int = 0
    running: bool = False


def deliver(runtime: Runtime) -> Delivered:
    """Deliver what is due, by the definitions in force, until nothing is."""
    with change(runtime) as tx:
        in_force = definitions(tx)
    return DeliveryRound(runtime, in_force.alerts, sink_context(runtime, in_force)).run()


def sink_context(runtime: Runtime, in_force: InForce) -> SinkContext:
    """Return what sinks may use: the environment of a handler, and a mask for its secrets."""
    environment = {**read_env_file(runtime.home), **runtime.environment}
    masker = masker_for(in_force.secrets, environment.get)
    return SinkContext(
        home=runtime.home,
        environment={**environment, **runtime.clock.environment()},
        now=runtime.now(),
        masked=masker.mask if masker else str,
        host=os.uname().nodename,
        zone=in_force.settings.timezone or runtime.zone,
        quiet=in_force.settings.quiet,
    )


class DeliveryRound:
    """Deliveries of one process; `defined` is the section `alerts` of the definitions in force."""

    def __init__(
        self, runtime: Runtime, defined: Mapping[str, AlertSink], context: SinkContext
    ) -> None:
        self.runtime = runtime
        self.defined = defined
        self.context = context
        self.pings = PingRound(runtime, context.masked)
        self.result = Delivered()
        self.has_gathered = False

    def run(self) -> Delivered:
        """Deliver what is due until nothing is, unless another process does."""
        # A pass that raised an alert while this process was about to stop saw the lock held and
        # started no other, so there is one more look after it has been let go.
        while self._due() or self.pings.due():
            try:
                held = home.acquire(f"{self.runtime.home}/{LOCK_NAME}", 0.0)
            except LockTimeout:
                if not home.is_held(f"{self.runtime.home}/{LOCK_NAME}"):
                    # It was only checked, or has just been released.
                    continue
                self.result.running = True
                break
            try:
                while self._deliver_due():
                    pass
            finally:
                os.close(held)
        self.result.pinged = self.pings.sent
        self.result.failed += self.pings.failed
        return self.result

    def _deliver_due(self) -> bool:
        """Deliver what is due now; False when nothing is."""
        due_pings, alerts = self.pings.due(), self._due()
        self.pings.serve(due_pings)
        if not self.has_gathered and any(len(those) > HANDFUL for those in alerts.values()):
            self.has_gathered = True
            alerts = self._gathered(alerts)
        for name, those in alerts.items():
            self._serve(name, those)
        return bool(due_pings or alerts)

    def _gathered(self, alerts: dict[str, list[str]]) -> dict[str, list[str]]:
        """Return what is due once the passes at work have ended, or bring nothing more.

        What fails at once is one message to each sink then, and not one of each part of it.
        """
        for _ in range(_MOST_LULLS):
            before, is_over = alerts, _passes_end(self.runtime.home, LULL_S)
            alerts = self._due()
            if is_over or alerts == before:
                break
        return alerts

    def _due(self) -> dict[str, list[str]]:
        """Return sink to ids of the alerts that it should get now, in their turn."""
        found: dict[str, list[Alert]] = {}
        with change(self.runtime) as tx:
            tx.store.flush()
            for marker in due_markers(self.runtime.home, tx.now):
                alert = _known(tx, marker.id) if marker.kind == MARKER else None
                if alert is None:
                    continue
                for name in alert.due_sinks(tx.now):
                    if name == STDERR or self._is_kept_for_later(tx, alert, name):
                        continue
                    if not _waits_for_first(tx, _known(tx, alert.id) or alert, name):
                        found.setdefault(name, []).append(alert)
        return {name: _in_turn(those, name) for name, those in found.items()}

    def _is_kept_for_later(self, tx: Transaction, alert: Alert, name: str) -> bool:
        """Postpone an uncritical alert to the end of the quiet hours; tell whether it was."""
        quiet = self.context.quiet
        if quiet is None or alert.severity is Severity.CRITICAL or alert.delivered[name].tries:
            return False
        until = end_of(quiet, tx.now, self.context.zone)
        if until is None:
            return False
        known = _known(tx, alert.id) or alert
        kept = replace(known.delivered[name], next_at=until, error=f"{KEPT_QUIET} ({quiet})")
        stage_delivery(tx, known, name, kept, event="kept")
        return True

    def _serve(self, name: str, alerts: list[str]) -> None:
        """Send a sink its alerts, many as one message, until it fails too often in a row."""
        with change(self.runtime) as tx:
            left, until = room(tx.read(_burst(name)), tx.now)
            if left == 0:
                self._hold(tx, name, alerts, until)
                return
            kept = [one for one in alerts if _was_kept(_known(tx, one), name)]
        if len(kept) > 1:
            # The night is one message, whatever else there is.
            self._try(name, kept)
            alerts = [one for one in alerts if one not in kept]
        if len(alerts) > left:
            self._try(name, alerts)
            return
        failures = 0
        for place, identity in enumerate(alerts):
            if failures >= PATIENCE:
                self._put_off(name, alerts[place:])
                return
            failures = 0 if self._try(name, [identity]) else failures + 1

    def _try(self, name: str, ids: list[str]) -> bool:
        alerts = self._begin(name, ids)
        if not alerts:
            return True
        try:
            self._hand_over(name, alerts)
        except NotDelivered as error:
            self._end(name, alerts, error)
            self.result.failed += len(alerts)
            return False
        self._end(name, alerts, None)
        self.result.delivered += len(alerts)
        return True

    def _hand_over(self, name: str, alerts: Sequence[Alert]) -> None:
        """Send a sink one message: an alert, or a digest of several."""
        sink = sink_named(name, self.defined)
        if sink is None or sink.kind not in sinks.KINDS:
            what = "is switched off" if sink else "is not defined"
            raise NotDelivered(f"it {what}", lasting=True)
        message = compose(self.runtime, alerts, self.context)
        sinks.deliver(message, sink, replace(self.context, now=self.runtime.now()))

    def _begin(self, name: str, ids: list[str]) -> list[Alert]:
        """Record a try before it is made; return what is still to try."""
        begun: list[Alert] = []
        with change(self.runtime) as tx:
            for identity in ids:
                alert = _known(tx, identity)
                if alert is not None and name in alert.due_sinks(tx.now):
                    now_tried = trying(alert.delivered[name], tx.now, _UNFINISHED)
                    begun.append(stage_delivery(tx, alert, name, now_tried, event="trying"))
            if begun:
                burst = tx.read(_burst(name))
                # A digest takes all that is left of the minute.
                count = 1 if len(begun) == 1 else room(burst, tx.now)[0]
                tx.amend({_burst(name): after_messages(burst, tx.now, count)})
        return begun

    def _end(self, name: str, alerts: list[Alert], error: NotDelivered | None) -> None:
        """Record how a try went, and complain about a sink that needs help."""
        with change(self.runtime) as tx:
            for tried in alerts:
                alert = _known(tx, tried.id)
                if alert is None or name not in alert.delivered:
                    continue
                delivery = alert.delivered[name]
                if error is None:
                    views = clear_subject(tx, AlertType.DELIVERY_FAILED, name)
                    stage_delivery(tx, alert, name, after_success(delivery), views)
                    continue
                if error.taken:
                    delivery = replace(after_success(delivery), error=error.reason)
                else:
                    delivery = after_failure(delivery, error.reason, alert.created_at)
                stage_delivery(tx, alert, name, delivery)
                if error.lasting or delivery.tries >= TRIES_TO_COMPLAIN:
                    gone = delivery.status is DeliveryStatus.FAILED
                    what = "did not get an alert" if gone else "does not get its alerts"
                    what = "gets its alerts in part" if error.taken else what
                    message = f"sink '{name}' {what}: {delivery.error}"
                    complain_of_delivery(tx, self.runtime, name, message)

    def _hold(self, tx: Transaction, name: str, alerts: list[str], until: int) -> None:
        """Leave what is too much for a sink to its next minute, in one message."""
        for identity in alerts:
            alert = _known(tx, identity)
            if alert is not None and name in alert.due_sinks(tx.now):
                later = replace(alert.delivered[name], next_at=until)
                stage_delivery(tx, alert, name, later, event="held")
                self.result.put_off += 1

    def _put_off(self, name: str, alerts: list[str]) -> None:
        """Leave the rest for a failing sink to the next round, in one group."""
        with change(self.runtime) as tx:
            for identity in alerts:
                alert = _known(tx, identity)
                if alert is None or name not in alert.due_sinks(tx.now):
                    continue
                waiting = trying(alert.delivered[name], tx.now, _PUT_OFF)
                later = after_failure(waiting, _PUT_OFF, alert.created_at)
                stage_delivery(tx, alert, name, later)
                self.result.put_off += 1


def _passes_end(state: str, within_s: float) -> bool:
    """Wait for the end of all passes; tell whether it came within some seconds."""
    give_up = monotonic_s() + within_s
    while any(pass_files.is_alive(state, one) for one in pass_files.pass_ids(state)):
        if monotonic_s() >= give_up:
            return False
        time.sleep(0.1)  # noqa: TID251
    return True


def _known(tx: Transaction, identity: str) -> Alert | None:
    """Return an alert; a damaged one, or one of a newer version, is for others to look at."""
    try:
        return read_alert(tx, identity)
    except (BadView, KeyError, TypeError, ValueError):
        return None


def _was_kept(alert: Alert | None, name: str) -> bool:
    """Tell whether an alert waited for the end of quiet hours and was not tried since."""
    waiting = alert.delivered.get(name) if alert is not None else None
    return waiting is not None and not waiting.tries and waiting.error is not None


def _in_turn(alerts: list[Alert], name: str) -> list[str]:
    """Return their ids, those of one incident as they were raised.

    In another order in every round: an alert that a sink cannot digest is not always the first.
    """
    rounds = max(one.delivered[name].tries for one in alerts)

    def turn(one: Alert) -> tuple[int, str]:
        return zlib.crc32(f"{one.incident or one.id}.{rounds}".encode()), one.id

    return [one.id for one in sorted(alerts, key=turn)]


def _waits_for_first(tx: Transaction, alert: Alert, name: str) -> bool:
    """Postpone a later alert of an incident until the sink has the first; tell whether it is."""
    first = _known(tx, alert.incident) if alert.incident else None
    before = first.delivered.get(name) if first is not None else None
    if before is None or before.next_at is None or before.is_due(tx.now):
        return False
    later = replace(alert.delivered[name], next_at=before.next_at)
    stage_delivery(tx, alert, name, later, event="held")
    return True


def _burst(name: str) -> str:
    return f"keys/burst.{hashlib.sha256(name.encode()).hexdigest()[:24]}.json"
