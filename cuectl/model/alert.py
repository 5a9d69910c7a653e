"""An alert: something that a person should know, and how far it has got to them.

An alert is an edge: it is raised when a condition begins, not again while it lasts
(reference/cueapi.md section 4 tells what the peer's floods look like).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from cuectl.model.instants import DAY, from_text, to_text
from cuectl.model.values import dataclass, field, replace

Record = dict[str, Any]

FAILURES_TO_ALERT = 3
LONGEST_MESSAGE = 1000
RETRY_WAITS_S = (60, 300, 900, 3600)
LATER_WAIT_S = 6 * 3600
GIVE_UP_AFTER_MS = 3 * DAY


class AlertType(StrEnum):
    """What alerts are about: cues first, then the store and the alerts themselves."""

    VERIFICATION_FAILED = "verification_failed"
    CONSECUTIVE_FAILURES = "consecutive_failures"
    OUTCOME_TIMEOUT = "outcome_timeout"
    MISSED = "missed"
    INTERRUPTED = "interrupted"
    OVERLAP = "overlap"
    NO_HANDLER = "no_handler"
    QUEUE_FULL = "queue_full"
    FAN_IN_TIMEOUT = "fan_in_timeout"
    CHAIN_DEPTH = "chain_depth"
    SOURCE_FAILED = "source_failed"
    NOTIFICATION = "notification"
    CLOCK_RESET = "clock_reset"
    VIEW_QUARANTINED = "view_quarantined"
    JOURNAL_DAMAGED = "journal_damaged"
    DELIVERY_FAILED = "delivery_failed"
    TEST = "test"


class Severity(StrEnum):
    """How soon somebody should look."""

    WARNING = "warning"
    CRITICAL = "critical"


class DeliveryStatus(StrEnum):
    """Whether a sink has an alert."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


_CRITICAL = frozenset(
    {AlertType.CONSECUTIVE_FAILURES, AlertType.JOURNAL_DAMAGED, AlertType.DELIVERY_FAILED}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How far an alert has got with one sink.

    Attributes:
        tries: rounds in which its delivery was tried or put off behind another failure.
        next_at: the next try, while it is pending.
        error: why the last try failed.
    """

    status: DeliveryStatus
    tries: int = 0
    next_at: int | None = None
    error: str | None = None

    def to_record(self) -> Record:
        """Return the JSON form."""
        next_at = None if self.next_at is None else to_text(self.next_at)
        return {
            "status": self.status.value,
            "tries": self.tries,
            "next_at": next_at,
            "error": self.error,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """The record of an alert.

    Attributes:
        cue_id, cue_name, execution_id: what it is about; None for alerts of the store.
        message: what has happened, with secrets masked; may hold several lines.
        delivered: sink to how far it has got there.
    """

    id: str
    type: AlertType
    severity: Severity
    cue_id: str | None = None
    cue_name: str | None = None
    execution_id: str | None = None
    message: str
    created_at: int
    acknowledged_at: int | None = None
    delivered: dict[str, Delivery] = field(default_factory=dict)

    @property
    def next_at(self) -> int | None:
        """When its next delivery is due, which is where its marker stands; None for never."""
        times = [
            one.next_at
            for one in self.delivered.values()
            if one.status is DeliveryStatus.PENDING and one.next_at is not None
        ]
        return min(times, default=None)

    def due_sinks(self, now: int) -> list[str]:
        """Return the sinks that are to be tried now."""
        return [
            sink
            for sink, one in self.delivered.items()
            if one.status is DeliveryStatus.PENDING
            and one.next_at is not None
            and one.next_at <= now
        ]

    def undelivered(self) -> list[str]:
        """Return the sinks that were tried and do not have it."""
        return [
            sink
            for sink, one in self.delivered.items()
            if one.status is DeliveryStatus.FAILED
            or (one.status is DeliveryStatus.PENDING and one.tries > 0)
        ]

    def with_delivery(self, sink: str, delivery: Delivery) -> Alert:
        """Return the alert after something was done about one sink."""
        return replace(self, delivered={**self.delivered, sink: delivery})

    def to_record(self) -> Record:
        """Return what `alerts/<id>.json` holds, which is also its public form."""
        seen = None if self.acknowledged_at is None else to_text(self.acknowledged_at)
        return {
            "id": self.id,
            "type": self.type.value,
            "severity": self.severity.value,
            "cue_id": self.cue_id,
            "cue_name": self.cue_name,
            "execution_id": self.execution_id,
            "message": self.message,
            "created_at": to_text(self.created_at),
            "acknowledged_at": seen,
            "delivered": {sink: one.to_record() for sink, one in self.delivered.items()},
        }


def alert_from_record(record: Record) -> Alert:
    """Return the alert in a record; unknown members are not looked at.

    Raises:
        KeyError, TypeError, ValueError: it is not one.
    """
    seen = record.get("acknowledged_at")
    return Alert(
        id=record["id"],
        type=AlertType(record["type"]),
        severity=Severity(record["severity"]),
        cue_id=record.get("cue_id"),
        cue_name=record.get("cue_name"),
        execution_id=record.get("execution_id"),
        message=record["message"],
        created_at=from_text(record["created_at"]),
        acknowledged_at=None if seen is None else from_text(seen),
        delivered={sink: _delivery(one) for sink, one in record.get("delivered", {}).items()},
    )


def _delivery(record: Record) -> Delivery:
    next_at = record.get("next_at")
    return Delivery(
        status=DeliveryStatus(record["status"]),
        tries=record.get("tries", 0),
        next_at=None if next_at is None else from_text(next_at),
        error=record.get("error"),
    )


def severity_of(kind: AlertType) -> Severity:
    """Return how grave an alert is when whoever raises it does not say."""
    return Severity.CRITICAL if kind in _CRITICAL else Severity.WARNING


def trying(delivery: Delivery, now: int, error: str) -> Delivery:
    """Return a delivery as it is recorded before a try: the next one stands already.

    So a process that dies over a delivery cannot be started over it every minute. Waits are
    1, 5 and 15 minutes, an hour, then six hours.

    Args:
        delivery: pending.
        now: when the try begins.
        error: what is known if nothing more is ever heard of this try.
    """
    tries = delivery.tries + 1
    early = tries <= len(RETRY_WAITS_S)
    wait_s = RETRY_WAITS_S[tries - 1] if early else LATER_WAIT_S
    return Delivery(
        status=DeliveryStatus.PENDING, tries=tries, next_at=now + wait_s * 1000, error=error
    )


def after_failure(delivery: Delivery, error: str, created_at: int) -> Delivery:
    """Return what `trying` gave after the try has failed: to be tried again, or given up.

    It is given up three days after the alert was raised; a machine that was off so long still
    makes the first tries.
    """
    late = (delivery.next_at or 0) > created_at + GIVE_UP_AFTER_MS
    if late and delivery.tries > len(RETRY_WAITS_S):
        return replace(delivery, status=DeliveryStatus.FAILED, next_at=None, error=error)
    return replace(delivery, error=error)


def after_success(delivery: Delivery) -> Delivery:
    """Return what `trying` gave after the sink has taken the alert."""
    return replace(delivery, status=DeliveryStatus.DELIVERED, next_at=None, error=None)


def shortened(message: str) -> str:
    """Return a message that is not longer than a person reads."""
    if len(message) <= LONGEST_MESSAGE:
        return message
    return message[: LONGEST_MESSAGE - 1] + "…"
