"""An alert: raised when a condition starts, not again while it lasts (reference/cueapi.md 4)."""

from __future__ import annotations

from enum import StrEnum

from cuectl.values.records import dataclass, field, replace
from cuectl.values.safe_text import one_line
from cuectl.values.times import DAY, members_of, record_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.values.records import Record

LONGEST_MESSAGE = 1000
RETRY_WAITS_S = (60, 300, 900, 3600)
LATER_WAIT_S = 6 * 3600
_LONGEST_LINE = 500
GIVE_UP_AFTER_MS = 3 * DAY


class AlertType(StrEnum):
    """What alerts are about: cues first, then the store and the alerts themselves."""

    VERIFICATION_FAILED = "verification_failed"
    CONSECUTIVE_FAILURES = "consecutive_failures"
    OUTCOME_TIMEOUT = "outcome_timeout"
    MISSED = "missed"
    LATE = "late"
    SLOW = "slow"
    INTERRUPTED = "interrupted"
    OVERLAP = "overlap"
    NO_HANDLER = "no_handler"
    QUEUE_FULL = "queue_full"
    BUDGET = "budget"
    FAN_IN_TIMEOUT = "fan_in_timeout"
    CHAIN_DEPTH = "chain_depth"
    SOURCE_FAILED = "source_failed"
    NOTIFICATION = "notification"
    RECOVERED = "recovered"
    DIGEST = "digest"  # many at once for one sink; it has no record
    SCHEDULER_SILENT = "scheduler_silent"
    CLOCK_RESET = "clock_reset"
    VIEW_QUARANTINED = "view_quarantined"
    JOURNAL_DAMAGED = "journal_damaged"
    DELIVERY_FAILED = "delivery_failed"
    EXECUTOR = "executor"
    TEST = "test"


class Severity(StrEnum):
    """How soon a person should look."""

    WARNING = "warning"
    CRITICAL = "critical"


class DeliveryStatus(StrEnum):
    """Whether a sink has an alert."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"  # a later message says what it would have said


_CRITICAL = frozenset(
    {
        *(AlertType.CONSECUTIVE_FAILURES, AlertType.JOURNAL_DAMAGED, AlertType.DELIVERY_FAILED),
        AlertType.SCHEDULER_SILENT,
    }
)


_NO_TROUBLE = frozenset({AlertType.NOTIFICATION, AlertType.RECOVERED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How far an alert has got with one sink."""

    status: DeliveryStatus
    tries: int = 0  # rounds in which it was tried, or put off behind another failure
    next_at: int | None = None
    error: str | None = None

    def is_due(self, now: int) -> bool:
        """Tell whether it is to be tried now."""
        pending = self.status is DeliveryStatus.PENDING
        return pending and self.next_at is not None and self.next_at <= now

    def to_record(self) -> Record:
        """Return the JSON form."""
        return record_of(self, ("next_at",))


def delivery_from_record(record: Record) -> Delivery:
    """Return the delivery in a record."""
    known = members_of(Delivery, record, ("next_at",))
    return Delivery(**{**known, "status": DeliveryStatus(record["status"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """The record of an alert, which is one message to all of its sinks.

    Attributes:
        since: when its condition started, if that was earlier.
        failures: how many ends, or occurrences that did not run, it is about.
        incident: of a reminder or a recovery, the id of the alert that opened the incident.
        resolved_at: when the condition ended; of the alert that opened the incident.
        remind_at: when to send a reminder, unless it has ended or was acknowledged.
    """

    id: str
    type: AlertType
    severity: Severity
    cue_id: str | None = None  # None for alerts of the store
    cue_name: str | None = None
    execution_id: str | None = None
    message: str  # masked; may hold several lines
    created_at: int
    acknowledged_at: int | None = None
    since: int | None = None
    failures: int = 0
    incident: str | None = None
    resolved_at: int | None = None
    remind_at: int | None = None
    delivered: dict[str, Delivery] = field(default_factory=dict)  # by sink

    @property
    def next_at(self) -> int | None:
        """When a pass should look at it, which is where its marker is; None for never."""
        times = [
            one.next_at
            for one in self.delivered.values()
            if one.status is DeliveryStatus.PENDING and one.next_at is not None
        ]
        return min([*times, *([] if self.remind_at is None else [self.remind_at])], default=None)

    @property
    def is_open(self) -> bool:
        """Whether it needs a person: its condition lasts, and it is not acknowledged."""
        return self.acknowledged_at is None and self.resolved_at is None

    def due_sinks(self, now: int) -> list[str]:
        """Return the sinks that are to be tried now."""
        return [sink for sink, one in self.delivered.items() if one.is_due(now)]

    def undelivered(self) -> list[str]:
        """Return the sinks that were tried and do not have it."""
        return [
            sink
            for sink, one in self.delivered.items()
            if one.status is DeliveryStatus.FAILED
            or (one.status is DeliveryStatus.PENDING and one.tries > 0)
        ]

    def with_delivery(self, sink: str, delivery: Delivery) -> Alert:
        """Return the alert with the new state of one delivery."""
        return replace(self, delivered={**self.delivered, sink: delivery})

    def withdrawn(self) -> Alert:
        """Return the alert with all untried deliveries withdrawn."""
        gone = Delivery(status=DeliveryStatus.WITHDRAWN)
        return replace(
            self,
            delivered={
                sink: gone if one.status is DeliveryStatus.PENDING and not one.tries else one
                for sink, one in self.delivered.items()
            },
        )

    def to_record(self) -> Record:
        """Return what `alerts/<id>.json` holds, which is also its public form."""
        delivered = {name: one.to_record() for name, one in self.delivered.items()}
        return record_of(self, _INSTANTS) | {"delivered": delivered}


_INSTANTS = ("created_at", "acknowledged_at", "since", "resolved_at", "remind_at")


def alert_from_record(record: Record) -> Alert:
    """Return the alert in a record. Raises KeyError, TypeError, ValueError: it is not one."""
    known = members_of(Alert, record, _INSTANTS)
    known["delivered"] = {
        sink: delivery_from_record(one) for sink, one in record.get("delivered", {}).items()
    }
    known |= {"type": AlertType(record["type"]), "severity": Severity(record["severity"])}
    return Alert(**known)


def severity_of(kind: AlertType) -> Severity:
    """Return how grave an alert is."""
    return Severity.CRITICAL if kind in _CRITICAL else Severity.WARNING


def trying(delivery: Delivery, now: int, error: str) -> Delivery:
    """Return a delivery as recorded before a try: the next try is already set.

    So a delivery that kills its process does not start one every minute. The error stays if this
    try never finishes.
    """
    tries = delivery.tries
    wait_s = RETRY_WAITS_S[tries] if tries < len(RETRY_WAITS_S) else LATER_WAIT_S
    next_at = now + wait_s * 1000
    return Delivery(status=DeliveryStatus.PENDING, tries=tries + 1, next_at=next_at, error=error)


def after_failure(delivery: Delivery, error: str, created_at: int) -> Delivery:
    """Return what `trying` gave after the try failed: to be retried, or given up.

    A machine that was off for three days still makes the first few tries.
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
    is_short = len(message) <= LONGEST_MESSAGE
    return message if is_short else message[: LONGEST_MESSAGE - 1] + "…"


def stderr_line(alert: Alert) -> str:
    """Return what a pass says of an alert, safe for a terminal, without `cuectl: ` in front."""
    word = "" if alert.type in _NO_TROUBLE else "alert: "
    return f"{word}{alert.type}: {one_line(alert.message, _LONGEST_LINE)}"


def title(alert: Alert) -> str:
    """Return a subject line: `verification failed: nightly-audit`."""
    words = alert.type.value.replace("_", " ")
    return f"{words}: {one_line(alert.cue_name, 100)}" if alert.cue_name else words
