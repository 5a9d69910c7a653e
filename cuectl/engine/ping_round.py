"""Handing pings over to monitors, in the process that delivers alerts.

A ping is sent in the order of what it tells of. One that can't be delivered is tried again as
an alert is; the beginning of what is over by then is dropped, because it would tell the monitor
that something runs.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from cuectl.engine.alert_changes import STDERR
from cuectl.engine.alerts import clear_subject, raise_alert
from cuectl.engine.pings import MARKER, ping_path, ping_views
from cuectl.engine.sinks import NotDelivered
from cuectl.model.alert import AlertType, DeliveryStatus, after_failure, trying
from cuectl.model.ping import Ping, PingKind, address, ping_from_record
from cuectl.model.values import dataclass
from cuectl.store import lock, output, output_reading, paths
from cuectl.store.agenda import due_markers
from cuectl.store.lines import Event
from cuectl.store.views import BadView

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from cuectl.engine.runtime import Runtime
    from cuectl.store.lines import Views
    from cuectl.store.store import Transaction

LOG_BYTES = 10_000
PATIENCE = 2
TRIES_TO_COMPLAIN = 3
_NAMESPACE = uuid.UUID("0bd8e1a6-3d6b-5d8c-9a61-6f5b1c7f1a52")


def run_id(identity: str) -> str:
    """Return the UUID under which the beginning and the end of something belong together."""
    return str(uuid.uuid5(_NAMESPACE, identity))


@dataclass(slots=True)
class PingRound:
    """The pings of one process that delivers.

    Attributes:
        masked: hides the declared secrets in what is sent.
        sent, failed: how many were taken, and were not.
    """

    runtime: Runtime
    masked: Callable[[str], str]
    sent: int = 0
    failed: int = 0

    def due(self) -> list[str]:
        """Return the ids of the pings to send now, in the order of what they tell of."""
        now = self.runtime.now()
        found: list[Ping] = []
        with self._change(now) as tx:
            tx.store.flush()
            for marker in due_markers(self.runtime.home, now):
                ping = _known(tx, marker.id) if marker.kind == MARKER else None
                if ping is not None and (ping.delivery.next_at or 0) <= now:
                    found.append(ping)
        found.sort(key=_turn)
        return [one.id for one in found]

    def serve(self, due: list[str]) -> None:
        """Send what is due; an address that has failed twice in a row gets no more now."""
        failures: dict[str, int] = {}
        for identity in due:
            ping = self._read(identity)
            if ping is None or self._is_late_beginning(ping):
                self._gone(identity, "ping.dropped")
            elif failures.get(ping.url, 0) >= PATIENCE:
                self._failed(identity, NotDelivered("put off, because earlier ones failed"))
            else:
                failures[ping.url] = 0 if self._try(ping) else failures.get(ping.url, 0) + 1

    def _try(self, ping: Ping) -> bool:
        try:
            send(address(ping.url, ping.kind, ping.exit_code, run_id(ping.execution_id)),
                 self._body(ping))  # fmt: skip
        except NotDelivered as error:
            self._failed(ping.id, error)
            self.failed += 1
            return False
        self._gone(ping.id, "ping.sent")
        self.sent += 1
        return True

    def _body(self, ping: Ping) -> str:
        """Return what goes with a ping: how it ended, and the end of its output."""
        if ping.kind is PingKind.START:
            return ""
        path = paths.run_file(self.runtime.home, ping.execution_id, ping.attempt, "out")
        heading = f"{ping.summary}\n\n" if ping.summary else ""
        return self.masked(heading + end_of_output(path))

    def _is_late_beginning(self, ping: Ping) -> bool:
        if ping.kind is not PingKind.START or not ping.delivery.tries:
            return False
        with self._change(self.runtime.now()) as tx:
            return tx.read(paths.open_execution(ping.execution_id)) is None

    def _read(self, identity: str) -> Ping | None:
        with self._change(self.runtime.now()) as tx:
            return _known(tx, identity)

    def _gone(self, identity: str, event: str) -> None:
        with self._change(self.runtime.now()) as tx:
            ping = _known(tx, identity)
            if ping is not None:
                views = ping_views(ping, None)
                views |= clear_subject(tx, AlertType.DELIVERY_FAILED, _subject(ping))
                tx.stage(_event(event, ping, views))

    def _failed(self, identity: str, error: NotDelivered) -> None:
        """Note that a ping was not taken: another time, or, after three days, never."""
        now = self.runtime.now()
        with self._change(now) as tx:
            ping = _known(tx, identity)
            if ping is None:
                return
            tried = trying(ping.delivery, now, error.reason)
            delivery = after_failure(tried, error.reason, ping.created_at)
            over = delivery.status is DeliveryStatus.FAILED
            after = None if over else ping.with_delivery(delivery)
            event = "ping.given_up" if over else "ping.failed"
            tx.stage(_event(event, ping, ping_views(ping, after), error.reason))
            if error.lasting or over or delivery.tries >= TRIES_TO_COMPLAIN:
                self._complain(tx, now, ping, error)

    def _complain(self, tx: Transaction, now: int, ping: Ping, error: NotDelivered) -> None:
        raise_alert(
            tx,
            now,
            type=AlertType.DELIVERY_FAILED,
            message=f"the monitor of '{ping.cue_name}' does not take its pings: {error.reason}",
            cue=None,
            state=None,
            execution_id=None,
            sinks=(STDERR,),
            randomness=self.runtime.random(9),
            subject=_subject(ping),
            printed=False,
        )

    def _change(self, now: int) -> AbstractContextManager[Transaction]:
        return self.runtime.store.transaction(now, limit_s=lock.SETTLE_LIMIT_S)


def send(url: str, body: str) -> None:
    """Send one ping.

    Raises:
        NotDelivered: the answer was not 2xx, or there was none in time.
    """
    from cuectl.engine.sinks.webhook import LATER, Attempt

    headers = {
        "Content-Type": "text/plain; charset=utf-8",
        "User-Agent": "cuectl",
        "Connection": "close",
    }
    status = Attempt(url, True, headers, body.encode("utf-8", "backslashreplace")).run()
    if not 200 <= status < 300:
        lasting = 300 <= status < 500 and status not in LATER
        raise NotDelivered(f"the answer was {status}", lasting=lasting)


def end_of_output(path: str) -> str:
    """Return the end of an output file; empty when there is none."""
    try:
        start = max(0, output.size(path) - LOG_BYTES)
        data = b"".join(output_reading.pieces(path, start))
    except OSError:
        return ""
    return data[-LOG_BYTES:].decode("utf-8", "backslashreplace")


def _event(kind: str, ping: Ping, views: Views, error: str | None = None) -> Event:
    detail = {"ping": ping.kind.value} | ({"error": error} if error else {})
    return Event(type=kind, ids={"execution": ping.execution_id}, set=views, detail=detail)


def _turn(ping: Ping) -> tuple[int, str, int, bool]:
    return ping.created_at, ping.execution_id, ping.attempt, ping.kind is not PingKind.START


def _subject(ping: Ping) -> str:
    return f"ping {ping.url}"


def _known(tx: Transaction, identity: str) -> Ping | None:
    """Return a ping; what is damaged is for others to look at."""
    try:
        record = tx.read(ping_path(identity))
        return ping_from_record(record) if record else None
    except (BadView, KeyError, TypeError, ValueError):
        return None
