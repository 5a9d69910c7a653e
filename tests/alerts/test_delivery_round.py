from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cuectl.alerts import delivery
from cuectl.alerts.alerts import acknowledge, raise_alert
from cuectl.alerts.delivery import LOCK_NAME, Delivered, DeliveryRound, deliveries_due, sink_context
from cuectl.alerts.rules.alert import DeliveryStatus
from cuectl.alerts.sinks import webhook
from cuectl.definitions.in_force import NOTHING
from cuectl.definitions.rules.definitions import AlertSink
from cuectl.store import home as lock
from cuectl.store.journal.segments import read_lines
from cuectl.store.pass_files import PassFile
from cuectl.store.views import due_markers, read_view
from tests.alerts.test_alerts import CUE, alerts, markers
from tests.fixtures.receiver import Hook, Receiver, closed_port
from tests.implied import implied_views

if TYPE_CHECKING:
    from cuectl.process.runtime import Runtime
    from tests.conftest import ManualClock

MINUTE_S = 60
HOUR_S = 3600


def command(name: str, *argv: str) -> AlertSink:
    return AlertSink(name=name, kind="command", argv=argv)


def noting(name: str = "ops", status: int = 0) -> AlertSink:
    """A sink that writes the message of an alert to `got` beside the store."""
    script = 'echo "$1" >> got; exit "$2"'
    return command(name, "sh", "-c", script, "sh", "{{ alert.message }}", str(status))


def refusing(word: str) -> AlertSink:
    """A sink that cannot digest alerts with a word in them."""
    return command("ops", "sh", "-c", f"case $1 in *{word}*) exit 1; esac", "", "{{alert.message}}")


def got(runtime: Runtime) -> list[str]:
    path = Path(runtime.home, "got")
    return path.read_text().splitlines() if path.exists() else []


def raised(runtime: Runtime, *sinks: str, message: str = "one", count: int = 1) -> None:
    now = runtime.now()
    with runtime.store.transaction(now) as tx:
        for number in range(count):
            raise_alert(
                tx,
                now,
                type="missed",
                message=f"{message} {number}" if count > 1 else message,
                cue=CUE,
                execution_id=None,
                sinks=sinks,
                randomness=runtime.random(9),
            )


def delivered(runtime: Runtime, *sinks: AlertSink) -> Delivered:
    around = replace(sink_context(runtime, NOTHING), environment=dict(os.environ))
    result = DeliveryRound(runtime, {sink.name: sink for sink in sinks}, around).run()
    check(runtime)
    return result


def check(runtime: Runtime) -> None:
    """Compare the views with what the journal implies, both ways."""
    implied = implied_views(runtime.home)
    for path, value in implied.items():
        if isinstance(value, dict):
            assert read_view(runtime.home, path) == value
        else:
            assert Path(runtime.home, path).exists()
    there = {
        str(path.relative_to(runtime.home))
        for folder in ("alerts", "due", "keys")
        for path in Path(runtime.home, folder).rglob("*")
        if path.is_file()
    }
    assert there == {
        path for path in implied if path.partition("/")[0] in ("alerts", "due", "keys")
    }


def complaints(runtime: Runtime) -> list[str]:
    return [alert.message for alert in alerts(runtime) if alert.type == "delivery_failed"]


def test_an_alert_gets_to_its_sink_once_and_leaves_the_agenda(runtime: Runtime) -> None:
    raised(runtime, "ops")
    assert delivered(runtime, noting()) == Delivered(delivered=1)
    assert got(runtime) == ["one"]
    (alert,) = alerts(runtime)
    assert alert.delivered["ops"].status is DeliveryStatus.DELIVERED
    assert markers(runtime) == []
    assert delivered(runtime, noting()) == Delivered()
    assert got(runtime) == ["one"]


def test_a_try_is_recorded_before_it_is_made_and_after(runtime: Runtime) -> None:
    raised(runtime, "ops")
    delivered(runtime, noting())
    lines = [
        (line["type"], line.get("detail", {}).get("status")) for line in read_lines(runtime.home)
    ]
    assert lines == [
        ("alert.raised", None),
        ("alert.trying", "pending"),
        ("alert.delivered", "delivered"),
    ]


def test_all_sinks_of_an_alert_get_it_and_one_that_fails_takes_nothing_from_the_others(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "LIMIT_S", 0.2)
    raised(runtime, "silent", "broken", "ops")
    with Receiver(silent=True) as receiver:
        silent = Hook(name="silent", url=receiver.url)
        result = delivered(runtime, silent, command("broken", "false"), noting())
    assert result == Delivered(delivered=1, failed=2)
    assert got(runtime) == ["one"]
    (alert, *_) = alerts(runtime)
    found = {name: (one.status.value, one.error) for name, one in alert.delivered.items()}
    assert found == {
        "silent": ("pending", "no answer within 0.2 s"),
        "broken": ("pending", "it ended with exit status 1"),
        "ops": ("delivered", None),
    }


def test_a_webhook_gets_the_id_of_the_alert_with_every_try(
    runtime: Runtime, clock: ManualClock
) -> None:
    raised(runtime, "hook")
    with Receiver(503) as receiver:
        assert delivered(runtime, Hook(name="hook", url=receiver.url)) == Delivered(failed=1)
        assert delivered(runtime, Hook(name="hook", url=receiver.url)) == Delivered()
        clock.advance(MINUTE_S)
        receiver.status = 200
        assert delivered(runtime, Hook(name="hook", url=receiver.url)) == Delivered(delivered=1)
    (alert,) = alerts(runtime)
    ids = [request.headers["X-CueAPI-Alert-Id"] for request in receiver.requests]
    assert ids == [alert.id, alert.id]


def test_a_failed_delivery_is_tried_again_when_its_marker_is_due(
    runtime: Runtime, clock: ManualClock
) -> None:
    raised(runtime, "ops")
    start = runtime.now()
    delivered(runtime, noting(status=1))
    assert [at - start for at, _ in markers(runtime)][:1] == [0]  # the complaint, to be printed
    for wait_s, tries in ((59, 1), (1, 2), (299, 2), (1, 3)):
        clock.advance(wait_s)
        delivered(runtime, noting(status=1))
        assert len(got(runtime)) == tries
    clock.advance(900)
    delivered(runtime, noting())
    assert len(got(runtime)) == 4


def test_after_three_days_a_delivery_is_given_up_and_stays_visible(
    runtime: Runtime, clock: ManualClock
) -> None:
    raised(runtime, "ops")
    for _ in range(4 * 24):
        delivered(runtime, noting(status=1))
        clock.advance(HOUR_S)
    (alert, *_) = alerts(runtime)
    assert alert.delivered["ops"].status is DeliveryStatus.FAILED
    assert alert.delivered["ops"].error == "it ended with exit status 1"
    assert len(got(runtime)) == 16
    assert [identity for _, identity in markers(runtime) if identity == alert.id] == []


def test_a_sink_that_needs_help_is_complained_about_once_on_the_standard_error_of_a_pass(
    runtime: Runtime, clock: ManualClock
) -> None:
    raised(runtime, "ops", count=2)
    delivered(runtime, noting(status=3))
    now = clock.advance(MINUTE_S)
    delivered(runtime, noting(status=3))
    assert complaints(runtime) == [
        "sink 'ops' does not get its alerts: it ended with exit status 3"
    ]
    with runtime.store.transaction(now) as tx:
        due = deliveries_due(tx, now, due_markers(runtime.home, now))
    assert [alert.type for alert in due.printed] == ["delivery_failed"]
    with runtime.store.transaction(now) as tx:
        assert deliveries_due(tx, now, due_markers(runtime.home, now)).printed == ()


def test_a_sink_that_works_again_may_be_complained_about_again(
    runtime: Runtime, clock: ManualClock
) -> None:
    for status in (3, 0, 4):
        raised(runtime, "ops")
        delivered(runtime, noting(status=status))
        clock.advance(MINUTE_S)
    assert len(complaints(runtime)) == 2


def test_a_receiver_that_is_away_for_some_minutes_is_not_complained_about(
    runtime: Runtime, clock: ManualClock
) -> None:
    raised(runtime, "ops")
    gone = Hook(name="ops", url=f"http://127.0.0.1:{closed_port()}/")
    for wait_s, count in ((0, 0), (60, 0), (300, 1)):
        clock.advance(wait_s)
        delivered(runtime, gone)
        assert len(complaints(runtime)) == count


def test_a_sink_that_nobody_defines_is_complained_about(runtime: Runtime) -> None:
    raised(runtime, "oops")
    assert delivered(runtime, noting()) == Delivered(failed=1)
    assert complaints(runtime) == ["sink 'oops' does not get its alerts: it is not defined"]


def test_a_sink_that_is_gone_is_asked_twice_in_a_round_however_many_alerts_wait(
    runtime: Runtime, clock: ManualClock
) -> None:
    raised(runtime, "ops", count=5)
    assert delivered(runtime, noting(status=1)) == Delivered(failed=2, put_off=3)
    assert len(got(runtime)) == 2
    clock.advance(MINUTE_S)
    assert delivered(runtime, noting()) == Delivered(delivered=5)
    assert sorted(got(runtime)[2:]) == [f"one {number}" for number in range(5)]


def test_alerts_that_a_sink_cannot_digest_do_not_keep_the_others_from_it(
    runtime: Runtime, clock: ManualClock
) -> None:
    raised(runtime, "ops", message="poison", count=2)
    raised(runtime, "ops", message="good", count=3)
    for wait_s in (0, 60, 300, 900, 3600):
        clock.advance(wait_s)
        delivered(runtime, refusing("poison"))
    waiting = [alert.message for alert in alerts(runtime) if alert.next_at and alert.cue_id]
    assert sorted(waiting) == ["poison 0", "poison 1"]


def test_only_one_process_delivers(runtime: Runtime) -> None:
    raised(runtime, "ops")
    held = lock.acquire(f"{runtime.home}/{LOCK_NAME}", 0)
    try:
        assert delivered(runtime, noting()) == Delivered(running=True)
    finally:
        os.close(held)
    assert delivered(runtime, noting()) == Delivered(delivered=1)


def test_an_alert_that_comes_while_the_others_are_delivered_is_delivered_too(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised(runtime, "ops")
    end = DeliveryRound._end
    came: list[bool] = []

    def end_and_raise(self: DeliveryRound, name: str, tried: list[Any], error: Any) -> None:
        end(self, name, tried, error)
        if not came:
            came.append(True)
            raised(runtime, "ops", message="late")

    monkeypatch.setattr(DeliveryRound, "_end", end_and_raise)
    assert delivered(runtime, noting()) == Delivered(delivered=2)
    assert got(runtime) == ["one", "late"]


def test_an_alert_that_somebody_has_seen_meanwhile_is_delivered_all_the_same(
    runtime: Runtime,
) -> None:
    raised(runtime, "ops")
    (alert,) = alerts(runtime)
    with runtime.store.transaction(runtime.now()) as tx:
        acknowledge(tx, alert, runtime.now())
    delivered(runtime, noting())
    (alert,) = alerts(runtime)
    assert alert.acknowledged_at is not None
    assert alert.delivered["ops"].status is DeliveryStatus.DELIVERED


def test_when_the_end_of_a_try_cannot_be_recorded_the_alert_is_tried_again_later(
    runtime: Runtime, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised(runtime, "ops")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(DeliveryRound, "_end", fail)
        with pytest.raises(OSError, match="No space"):
            delivered(runtime, noting())
    (alert,) = alerts(runtime)
    assert alert.delivered["ops"].error == delivery._UNFINISHED
    assert delivered(runtime, noting()) == Delivered()
    clock.advance(MINUTE_S)
    assert delivered(runtime, noting()) == Delivered(delivered=1)
    assert got(runtime) == ["one", "one"]


def test_a_damaged_alert_keeps_no_other_from_its_sink(runtime: Runtime) -> None:
    raised(runtime, "ops", message="damaged")
    raised(runtime, "ops")
    (first, _) = alerts(runtime)
    Path(runtime.home, "alerts", f"{first.id}.json").write_text("{")
    around = replace(sink_context(runtime, NOTHING), environment=dict(os.environ))
    assert DeliveryRound(runtime, {"ops": noting()}, around).run() == Delivered(delivered=1)
    assert got(runtime) == ["one"]


def test_markers_behind_which_nothing_stands_are_named(runtime: Runtime) -> None:
    raised(runtime, "ops")
    now = runtime.now()
    (_alert,) = alerts(runtime)
    with runtime.store.transaction(now) as tx:
        markers_now = due_markers(runtime.home, now)
        stale = [replace(markers_now[0], id="alert_gone"), replace(markers_now[0], at=now - 1)]
        others = [replace(markers_now[0], kind="c")]
        due = deliveries_due(tx, now, [*markers_now, *stale, *others])
    assert due.deliver
    assert due.stale == tuple(stale)
    assert due.printed == ()


def test_what_a_pass_still_raises_goes_into_the_digest(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised(runtime, "ops", count=6)
    waits: list[float] = []

    def more(_home: str, within_s: float) -> bool:
        waits.append(within_s)
        if len(waits) < 3:
            raised(runtime, "ops", count=10)
        return False

    monkeypatch.setattr(delivery, "_passes_end", more)
    delivered(runtime, command("ops", "sh", "-c", "cat >> got"))
    (message,) = map(json.loads, got(runtime))
    assert len(message["alerts"]) == 26
    assert waits == [delivery.LULL_S] * 3


def test_a_handful_waits_for_no_pass(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    raised(runtime, "ops", count=5)
    monkeypatch.delattr(delivery, "_passes_end")
    assert delivered(runtime, noting()) == Delivered(delivered=5)


def test_a_pass_that_works_is_waited_for(runtime: Runtime) -> None:
    passes_end = delivery._passes_end
    assert passes_end(runtime.home, 0)
    working = PassFile(runtime.home, "100-1-16")
    assert not passes_end(runtime.home, 0)
    working.remove()
    assert passes_end(runtime.home, 0)
