from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.alerts.rules.alert import (
    GIVE_UP_AFTER_MS,
    LONGEST_MESSAGE,
    Alert,
    AlertType,
    Delivery,
    DeliveryStatus,
    Severity,
    after_failure,
    after_success,
    alert_from_record,
    severity_of,
    shortened,
    trying,
)
from cuectl.values.times import from_text

NOW = from_text("2026-11-21T02:00:00Z")
MINUTE_MS = 60_000


def an_alert(**fields: object) -> Alert:
    plain = {
        "id": "alert_1",
        "type": AlertType.MISSED,
        "severity": Severity.WARNING,
        "message": "'backup' missed an occurrence",
        "created_at": NOW,
    }
    return Alert(**{**plain, **fields})  # type: ignore[arg-type]  # the fields are named by tests


def waiting(tries: int = 0, next_at: int = NOW) -> Delivery:
    return Delivery(status=DeliveryStatus.PENDING, tries=tries, next_at=next_at)


deliveries = st.builds(
    Delivery,
    status=st.sampled_from(DeliveryStatus),
    tries=st.integers(0, 99),
    next_at=st.none() | st.integers(0, 4_000_000_000_000),
    error=st.none() | st.text(),
)
alerts = st.builds(
    Alert,
    id=st.text(min_size=1),
    type=st.sampled_from(AlertType),
    severity=st.sampled_from(Severity),
    cue_id=st.none() | st.text(),
    cue_name=st.none() | st.text(),
    execution_id=st.none() | st.text(),
    message=st.text(),
    created_at=st.integers(0, 4_000_000_000_000),
    acknowledged_at=st.none() | st.integers(0, 4_000_000_000_000),
    since=st.none() | st.integers(0, 4_000_000_000_000),
    failures=st.integers(0, 99),
    incident=st.none() | st.text(),
    resolved_at=st.none() | st.integers(0, 4_000_000_000_000),
    remind_at=st.none() | st.integers(0, 4_000_000_000_000),
    delivered=st.dictionaries(st.text(), deliveries, max_size=3),
)


@given(alerts)
def test_a_record_gives_back_the_alert_that_it_was_made_of(alert: Alert) -> None:
    assert alert_from_record(alert.to_record()) == alert


def test_a_record_has_all_members_also_where_there_is_nothing_to_say() -> None:
    assert an_alert().to_record() == {
        "id": "alert_1",
        "type": "missed",
        "severity": "warning",
        "cue_id": None,
        "cue_name": None,
        "execution_id": None,
        "message": "'backup' missed an occurrence",
        "created_at": "2026-11-21T02:00:00Z",
        "acknowledged_at": None,
        "since": None,
        "failures": 0,
        "incident": None,
        "resolved_at": None,
        "remind_at": None,
        "delivered": {},
    }


def test_the_marker_stands_at_the_earliest_delivery_that_is_pending() -> None:
    done = Delivery(status=DeliveryStatus.DELIVERED, tries=1)
    alert = an_alert(delivered={"a": waiting(next_at=NOW + 5), "b": waiting(), "c": done})
    assert alert.next_at == NOW
    assert alert.due_sinks(NOW) == ["b"]
    assert an_alert(delivered={"c": done}).next_at is None


def test_tries_come_after_1_5_and_15_minutes_an_hour_then_every_6_hours_for_3_days() -> None:
    delivery, now, waits = waiting(), NOW, []
    while delivery.status is DeliveryStatus.PENDING:
        now = delivery.next_at or now
        delivery = after_failure(trying(delivery, now, "?"), "no answer", NOW)
        if delivery.next_at:
            waits.append((delivery.next_at - now) // MINUTE_MS)
    assert waits == [1, 5, 15, 60, *[360] * 11]
    assert now <= NOW + GIVE_UP_AFTER_MS < now + 360 * MINUTE_MS
    assert delivery == Delivery(status=DeliveryStatus.FAILED, tries=16, error="no answer")


def test_a_machine_that_was_off_for_a_week_still_makes_the_first_tries() -> None:
    now = NOW + 7 * 86_400_000
    delivery = waiting()
    for _ in range(4):
        delivery = after_failure(trying(delivery, now, "?"), "no answer", NOW)
        assert delivery.status is DeliveryStatus.PENDING
    assert after_failure(trying(delivery, now, "?"), "no", NOW).status is DeliveryStatus.FAILED


def test_a_try_that_nothing_more_is_heard_of_stands_with_the_next_one() -> None:
    assert trying(waiting(), NOW, "killed") == Delivery(
        status=DeliveryStatus.PENDING, tries=1, next_at=NOW + MINUTE_MS, error="killed"
    )


def test_a_success_leaves_neither_an_error_nor_another_try() -> None:
    done = after_success(trying(waiting(tries=2), NOW, "killed"))
    assert done == Delivery(status=DeliveryStatus.DELIVERED, tries=3)


@pytest.mark.parametrize("kind", AlertType)
def test_every_type_has_a_severity(kind: AlertType) -> None:
    assert severity_of(kind) in Severity
    assert severity_of(AlertType.CONSECUTIVE_FAILURES) is Severity.CRITICAL


def test_a_message_is_cut_to_what_a_person_reads() -> None:
    assert shortened("x" * LONGEST_MESSAGE) == "x" * LONGEST_MESSAGE
    assert len(shortened("x" * (LONGEST_MESSAGE + 1))) == LONGEST_MESSAGE
