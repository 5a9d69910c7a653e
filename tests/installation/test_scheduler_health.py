from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cuectl.installation.open_work import SchedulerHealth, scheduler_health
from cuectl.store.pass_files import PassFile

if TYPE_CHECKING:
    from pathlib import Path


def test_a_store_that_no_pass_has_seen_says_so(home: Path) -> None:
    health = scheduler_health(str(home))
    assert health == SchedulerHealth(last_pass_at=None)
    assert health.age_ms(1000) is None
    assert health.is_late(1000)


def test_the_heartbeat_is_the_time_of_last_pass(home: Path) -> None:
    beat = home / "last-pass"
    beat.touch()
    os.utime(beat, ns=(0, 1_700_000_000_000 * 1_000_000))
    health = scheduler_health(str(home))
    assert health.last_pass_at == 1_700_000_000_000
    assert health.age_ms(1_700_000_060_000) == 60_000
    assert not health.is_late(1_700_000_060_000, 60_000)
    assert health.is_late(1_700_000_060_001, 60_000)


def test_a_clock_that_was_set_back_makes_no_negative_age() -> None:
    assert SchedulerHealth(last_pass_at=5000).age_ms(1000) == 0


def test_a_first_pass_that_still_works_has_been_called(home: Path) -> None:
    mine = PassFile(str(home), "1700000000000-1-4")
    try:
        health = scheduler_health(str(home))
        assert health == SchedulerHealth(last_pass_at=1_700_000_000_000, running=1)
    finally:
        mine.remove()


def test_what_a_dead_pass_left_behind_is_no_pass(home: Path) -> None:
    (home / "passes" / "1700000000000-1-4").touch()
    assert scheduler_health(str(home)) == SchedulerHealth(last_pass_at=None)
