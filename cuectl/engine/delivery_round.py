"""What `cuectl deliver` does: hand alerts and pings over until none is due.

One process at a time does it, outside of the store lock. Each try is recorded before it is
made, with the time of the next one, and again when it is over: a process that is killed
leaves an alert that is tried again later, never one that is lost. So a receiver can get an
alert twice; its id tells.
"""

from __future__ import annotations

import os
import zlib

from cuectl.engine import sinks as sink_registry
from cuectl.engine.alert_changes import MARKER, STDERR, read_alert, stage_delivery
from cuectl.engine.alerts import clear_subject, raise_alert
from cuectl.engine.definitions_in_force import InForce, definitions
from cuectl.engine.deliver import LOCK_NAME
from cuectl.engine.ping_round import PingRound
from cuectl.engine.sinks import NotDelivered, Surroundings
from cuectl.model.alert import (
    Alert,
    AlertType,
    Delivery,
    DeliveryStatus,
    after_failure,
    after_success,
    trying,
)
from cuectl.model.errors import LockTimeout
from cuectl.model.masking import Masker
from cuectl.model.values import dataclass, replace
from cuectl.store import lock
from cuectl.store.agenda import due_markers
from cuectl.store.env_file import read_env_file
from cuectl.store.views import BadView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from cuectl.engine.runtime import Runtime
    from cuectl.model.definitions import AlertSink
    from cuectl.store.store import Transaction

# After so many failures in a row a sink gets nothing more in this round.
PATIENCE = 2
# A sink that seems to be gone for a while only is complained about after this many tries.
TRIES_TO_COMPLAIN = 3
_UNFINISHED = "the delivery did not come to an end"
_PUT_OFF = "put off, because the sink failed for other alerts"


@dataclass(slots=True, kw_only=True)
class Delivered:
    """What a call of `deliver` came to.

    Attributes:
        running: another process delivers already; this one did nothing.
    """

    delivered: int = 0
    pinged: int = 0
    failed: int = 0
    put_off: int = 0
    running: bool = False


def deliver(runtime: Runtime) -> Delivered:
    """Deliver what is due, by the definitions in force, until nothing is.

    Raises:
        OSError, LockTimeout: the store could not be changed; what is not recorded as
            delivered is tried again.
        Refused: the file with the environment is open to others.
    """
    with runtime.store.transaction(runtime.now(), limit_s=lock.SETTLE_LIMIT_S) as tx:
        in_force = definitions(tx)
    return Round(runtime, in_force.alerts, sink_surroundings(runtime, in_force)).run()


def sink_surroundings(runtime: Runtime, in_force: InForce) -> Surroundings:
    """Return what sinks may use: the environment of a handler, and a mask for its secrets."""
    environment = {**read_env_file(runtime.home), **runtime.environment}
    known = {name: environment.get(name, "") for name in in_force.secrets}
    return Surroundings(
        home=runtime.home,
        environment={**environment, **runtime.clock.environment()},
        now=runtime.now(),
        masked=Masker(known).mask,
    )


class Round:
    """Deliveries of one process.

    Args:
        runtime: its surroundings.
        sinks: the section `alerts` of the definitions in force.
        around: what the sinks may use.
    """

    def __init__(
        self, runtime: Runtime, sinks: Mapping[str, AlertSink], around: Surroundings
    ) -> None:
        self.runtime = runtime
        self.sinks = sinks
        self.around = around
        self.pings = PingRound(runtime, around.masked)
        self.result = Delivered()

    def run(self) -> Delivered:
        """Deliver what is due until nothing is, unless another process does."""
        # Whoever raised an alert while this process was about to stop saw the lock held and
        # started nobody, so there is one more look after it has been let go.
        while self._due() or self.pings.due():
            try:
                held = lock.acquire(f"{self.runtime.home}/{LOCK_NAME}", 0.0)
            except LockTimeout:
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
        pings, alerts = self.pings.due(), self._due()
        self.pings.serve(pings)
        for name, those in alerts.items():
            self._serve(name, those)
        return bool(pings or alerts)

    def _due(self) -> dict[str, list[str]]:
        """Return sink to ids of the alerts that it should get now."""
        found: dict[str, list[tuple[int, str]]] = {}
        now = self.runtime.now()
        with self._change(now) as tx:
            tx.store.flush()
            for marker in due_markers(self.runtime.home, now):
                alert = _known(tx, marker.id) if marker.kind == MARKER else None
                if alert is None:
                    continue
                for name in alert.due_sinks(now):
                    if name != STDERR:
                        found.setdefault(name, []).append((_turn(alert, name), alert.id))
        return {name: [identity for _, identity in sorted(those)] for name, those in found.items()}

    def _change(self, now: int) -> AbstractContextManager[Transaction]:
        return self.runtime.store.transaction(now, limit_s=lock.SETTLE_LIMIT_S)

    def _serve(self, name: str, alerts: list[str]) -> None:
        """Give a sink its alerts, until it has failed too often in a row."""
        failures = 0
        for place, identity in enumerate(alerts):
            if failures >= PATIENCE:
                self._put_off(name, alerts[place:])
                return
            failures = 0 if self._try(name, identity) else failures + 1

    def _try(self, name: str, identity: str) -> bool:
        alert = self._begin(name, identity)
        if alert is None:
            return True
        try:
            self._hand_over(name, alert)
        except NotDelivered as error:
            self._end(name, identity, error)
            self.result.failed += 1
            return False
        self._end(name, identity, None)
        self.result.delivered += 1
        return True

    def _hand_over(self, name: str, alert: Alert) -> None:
        sink = self.sinks.get(name)
        if sink is None or sink.kind not in sink_registry.SINKS:
            what = "is switched off" if sink else "is not defined"
            raise NotDelivered(f"it {what}", lasting=True)
        around = replace(self.around, now=self.runtime.now())
        sink_registry.load(sink.kind).deliver(alert, sink, around)

    def _begin(self, name: str, identity: str) -> Alert | None:
        """Record a try before it is made; None when there is nothing to try any more."""
        now = self.runtime.now()
        with self._change(now) as tx:
            alert = _known(tx, identity)
            if alert is None or name not in alert.due_sinks(now):
                return None
            after = alert.with_delivery(name, trying(alert.delivered[name], now, _UNFINISHED))
            stage_delivery(tx, alert, after, name, event="alert.trying")
        return after

    def _end(self, name: str, identity: str, error: NotDelivered | None) -> None:
        """Record how a try went, and complain about a sink that needs somebody's help."""
        now = self.runtime.now()
        with self._change(now) as tx:
            alert = _known(tx, identity)
            if alert is None or name not in alert.delivered:
                return
            delivery = alert.delivered[name]
            if error is None:
                views = clear_subject(tx, AlertType.DELIVERY_FAILED, name)
                after = alert.with_delivery(name, after_success(delivery))
                stage_delivery(tx, alert, after, name, views)
                return
            delivery = after_failure(delivery, error.reason, alert.created_at)
            stage_delivery(tx, alert, alert.with_delivery(name, delivery), name)
            if error.lasting or delivery.tries >= TRIES_TO_COMPLAIN:
                self._complain(tx, now, name, delivery)

    def _complain(self, tx: Transaction, now: int, name: str, delivery: Delivery) -> None:
        gone = delivery.status is DeliveryStatus.FAILED
        what = "did not get an alert" if gone else "does not get its alerts"
        raise_alert(
            tx,
            now,
            type=AlertType.DELIVERY_FAILED,
            message=f"sink '{name}' {what}: {delivery.error}",
            cue=None,
            state=None,
            execution_id=None,
            sinks=(STDERR,),
            randomness=self.runtime.random(9),
            subject=name,
            printed=False,
        )

    def _put_off(self, name: str, alerts: list[str]) -> None:
        """Leave what a sink that fails should still get for the next round, in one group."""
        now = self.runtime.now()
        with self._change(now) as tx:
            for identity in alerts:
                alert = _known(tx, identity)
                if alert is None or name not in alert.due_sinks(now):
                    continue
                waiting = trying(alert.delivered[name], now, _PUT_OFF)
                later = after_failure(waiting, _PUT_OFF, alert.created_at)
                stage_delivery(tx, alert, alert.with_delivery(name, later), name)
                self.result.put_off += 1


def _known(tx: Transaction, identity: str) -> Alert | None:
    """Return an alert; a damaged one, or one of a newer version, is for others to look at."""
    try:
        return read_alert(tx, identity)
    except (BadView, KeyError, TypeError, ValueError):
        return None


def _turn(alert: Alert, name: str) -> int:
    # Another order in every round: an alert that a sink cannot digest is not always the first.
    return zlib.crc32(f"{alert.id}.{alert.delivered[name].tries}".encode())
