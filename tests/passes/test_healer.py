"""A clock that was in the future for a while."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cuectl.cues.lookup import find_cue
from cuectl.passes.pass_end import leave_heartbeat
from cuectl.values.times import from_text
from tests.fixtures.passing import a_cue, ends, executions, fired, pass_over, types

if TYPE_CHECKING:
    from cuectl.cues.rules.record import CueState
    from cuectl.process.runtime import Runtime
    from tests.conftest import ManualClock


def state(runtime: Runtime, name: str = "job") -> CueState:
    with runtime.store.locked():
        return find_cue(runtime.store, name)[1]


@pytest.mark.parametrize(
    ("back", "reset"), [("2026-11-21T05:00:00Z", False), ("2026-11-21T04:59:59Z", True)]
)
def test_three_hours_are_the_limit(
    runtime: Runtime, clock: ManualClock, back: str, reset: bool
) -> None:
    clock.set("2026-11-21T08:00:00Z")
    a_cue(runtime, cron="0 * * * *")
    clock.set(back)
    pass_over(runtime)

    assert ("clock.reset" in types(runtime)) == reset


def test_only_what_waits_too_long_is_planned_anew(runtime: Runtime, clock: ManualClock) -> None:
    a_cue(runtime, "early", at="2026-11-21T09:00:00Z")
    a_cue(runtime, "hourly", cron="0 * * * *")
    a_cue(runtime, "by hand")
    before = state(runtime, "hourly")
    clock.set("2030-01-01T00:00:00Z")
    a_cue(runtime, "late", cron="0 * * * *")
    clock.set("2026-11-21T02:30:00Z")
    pass_over(runtime)

    assert state(runtime, "hourly") == before
    assert state(runtime, "early").next_at == from_text("2026-11-21T09:00:00Z")
    assert state(runtime, "late").next_at == from_text("2026-11-21T03:00:00Z")
    assert types(runtime).count("cue.planned") == 1


def test_an_occurrence_that_is_due_is_not_planned_away(
    runtime: Runtime, clock: ManualClock
) -> None:
    a_cue(runtime, cron="0 * * * *")
    clock.set("2030-01-01T00:00:00Z")
    a_cue(runtime, "other")
    clock.set("2026-11-21T03:10:00Z")
    pass_over(runtime)

    assert "clock.reset" in types(runtime)
    assert ends(runtime) == ["succeeded"]
    assert executions(runtime)[0]["scheduled_for"] == "2026-11-21T03:00:00Z"


def test_a_cue_that_is_at_rest_stays_so(runtime: Runtime, clock: ManualClock) -> None:
    from cuectl.cues.change import stage_pause

    a_cue(runtime, cron="0 * * * *")
    with runtime.store.transaction(runtime.now()) as tx:
        stage_pause(tx, *find_cue(tx, "job"))
    clock.set("2030-01-01T00:00:00Z")
    a_cue(runtime, "other")
    clock.set("2026-11-21T02:30:00Z")
    pass_over(runtime)

    assert state(runtime).status == "paused"


def test_the_heartbeat_tells_when_the_journal_does_not(
    runtime: Runtime, clock: ManualClock
) -> None:
    a_cue(runtime, cron="0 * * * *")
    ahead = from_text("2030-01-01T00:00:00Z") * 1_000_000
    pass_over(runtime)
    os.utime(f"{runtime.home}/last-pass", ns=(ahead, ahead))
    fired(runtime)
    pass_over(runtime)

    assert types(runtime).count("clock.reset") == 1
    clock.advance(60)
    pass_over(runtime)
    assert types(runtime).count("clock.reset") == 1


def test_a_first_heartbeat_that_is_broken_off_says_nothing(
    runtime: Runtime, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new file has the machine's time, which a clock that was set may be far behind."""
    clock.set("2020-01-01T00:00:00Z")
    a_cue(runtime, cron="0 * * * *")

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("os.rename", killed)
        with pytest.raises(KeyboardInterrupt):
            leave_heartbeat(runtime.home, runtime.now())
    assert not os.path.exists(f"{runtime.home}/last-pass")
    pass_over(runtime)

    assert os.stat(f"{runtime.home}/last-pass").st_mtime == runtime.now() / 1000
    assert "clock.reset" not in types(runtime)


def test_a_run_that_is_meant_for_later_stays_there(runtime: Runtime, clock: ManualClock) -> None:
    from cuectl.cues.fire import fire

    a_cue(runtime)
    later = from_text("2026-12-24T18:00:00Z")
    with runtime.store.transaction(runtime.now()) as tx:
        cue, found = find_cue(tx, "job")
        fire(tx, cue, found, tx.now, runtime.random, at=later)
    clock.set("2030-01-01T00:00:00Z")
    a_cue(runtime, "other")
    clock.set("2026-11-21T02:30:00Z")
    pass_over(runtime)

    assert "clock.reset" in types(runtime)
    assert ends(runtime) == ["pending"]
    assert executions(runtime)[0]["due_at"] == "2026-12-24T18:00:00Z"
