"""An alert is raised when its condition begins, and once for as long as that lasts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cuectl.alerts.alerts import acknowledge_alerts
from cuectl.alerts.pings import TRIES_TO_COMPLAIN, PingRound
from cuectl.alerts.rules.alert import AlertType
from cuectl.alerts.rules.ping import end_ping
from cuectl.executions.rules.record import Policy
from cuectl.store.journal.lines import JournalEntry, Views
from cuectl.store.journal.segments import read_lines
from cuectl.values.errors import NotFound
from tests.alerts.test_alerts import alerts, raised
from tests.fixtures.past import a_cue, an_execution, succeeded
from tests.fixtures.receiver import Receiver, closed_port

if TYPE_CHECKING:
    from pathlib import Path

    from cuectl.process.runtime import Runtime
    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import StoreState


def test_a_streak_of_failures_is_told_once_until_a_success_ends_it(
    cuectl: Cuectl, state: StoreState
) -> None:
    cuectl.run("create", "--name", "job", "--shell", "test -e good")
    for kind, count in (("bad", 5), ("good", 1), ("bad", 4)):
        for _ in range(count):
            if kind == "good":
                cuectl.files({"good": ""})
            cuectl.run("fire", "job")
            cuectl.run("run-due")
            (cuectl.work / "good").unlink(missing_ok=True)

    assert (
        state.ends()
        == ["failed(exit status 1)"] * 5 + ["succeeded"] + ["failed(exit status 1)"] * 4
    )
    # The second streak begins within `remind` of the recovery, so it waits for its message.
    assert state.alerts() == ["consecutive_failures", "recovered", "consecutive_failures"]
    first, over, second = cuectl.json("alerts", "list", "--all")
    assert [one["failures"] for one in (first, over, second)] == [5, 5, 4]
    assert first["resolved_at"] == over["created_at"]
    assert second["delivered"]["stderr"]["next_at"] > over["created_at"]
    assert [one["id"] for one in cuectl.json("alerts", "list")] == [second["id"]]


def test_an_id_that_is_like_no_other_gets_no_suggestion(runtime: Runtime) -> None:
    raised(runtime)
    (there,) = alerts(runtime)
    near = there.id[:-1] + ("0" if there.id[-1] != "0" else "1")

    with pytest.raises(NotFound) as close:
        acknowledge_alerts(runtime, (near,), everything=False)
    with pytest.raises(NotFound) as far:
        acknowledge_alerts(runtime, ("alert_zzzzzzzzzzzzzzzzzzzzzzzz",), everything=False)

    assert there.id in str(close.value.hint)
    assert there.id not in str(far.value.hint)


def test_acknowledging_says_what_was_not_seen_before(runtime: Runtime) -> None:
    raised(runtime)
    (there,) = alerts(runtime)

    assert [one.id for one in acknowledge_alerts(runtime, (there.id,), everything=False)] == [
        there.id
    ]
    assert acknowledge_alerts(runtime, (there.id,), everything=False) == []
    assert acknowledge_alerts(runtime, (), everything=True) == []


def test_without_a_home_no_alert_is_found(runtime: Runtime, tmp_path: Path) -> None:
    nowhere = replace(runtime, home=str(tmp_path / "nowhere"))
    with pytest.raises(NotFound):
        acknowledge_alerts(nowhere, ("alert_x",), everything=False)
    assert acknowledge_alerts(nowhere, (), everything=True) == []
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("lasting", [True, False])
def test_a_monitor_that_refuses_for_good_is_complained_of_at_once(
    runtime: Runtime, *, lasting: bool
) -> None:
    """One that is away may be back in a minute."""
    told = [True] if lasting else [False] * (TRIES_TO_COMPLAIN - 1) + [True]
    with Receiver(404) as receiver:
        url = receiver.url if lasting else f"http://127.0.0.1:{closed_port()}"
        done = succeeded(an_execution(a_cue(policy=Policy(ping_url=f"{url}/check"))))
        ping = end_ping(done)
        assert ping is not None
        with runtime.store.transaction(runtime.now()) as tx:
            views: Views = {f"pings/{ping.id}.json": ping.to_record()}
            tx.stage(JournalEntry(type="ping.noted", set=views))
        seen = []
        for _ in told:
            pings = PingRound(runtime=runtime, masked=str)
            pings.serve([ping.id])
            assert (pings.sent, pings.failed) == (0, 1)
            seen.append(AlertType.DELIVERY_FAILED in {one.type for one in alerts(runtime)})
    assert seen == told
    noted = [line for line in read_lines(runtime.home) if line["type"].startswith("ping.")]
    assert {line["execution"] for line in noted[1:]} == {done.id}
