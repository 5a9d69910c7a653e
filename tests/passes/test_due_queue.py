"""How many executions a pass may claim and start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cuectl.passes.due_queue import CLAIM_AHEAD, CLAIM_MOST, Admission, slots_of
from cuectl.store.journal.lines import JournalEntry
from cuectl.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

ME, OTHER, THIRD = "1-100-4", "2-200-16", "3-300-2"
NOW = 1_795_226_400_000


def held(pass_id: str | None, count: int, **more: Any) -> dict[str, Any]:
    """Return the lines of `open/` of so many executions that a pass holds."""
    record = {"status": "pending", "pass_id": pass_id, **more}
    return {f"open/exec_{pass_id}_{number}.json": record for number in range(count)}


def test_alone_one_may_take_all() -> None:
    admission = Admission(ME, 4, 16)
    assert admission.slots_now() == 4
    assert admission.room(0) == 4 + CLAIM_AHEAD
    assert admission.room(60) == 8
    assert admission.room(500) == 0
    assert Admission(ME, 5000, 5000).room(0) == CLAIM_MOST


@pytest.mark.parametrize(("others", "slots"), [(0, 4), (3, 4), (12, 4), (13, 3), (16, 0), (90, 0)])
def test_what_others_run_is_taken_off(others: int, slots: int) -> None:
    admission = Admission(ME, 4, 16)
    admission.follow(held(OTHER, others))

    assert admission.slots_now() == slots
    assert (admission.room(0) > 0) == (slots > 0)


def test_a_pass_runs_no_more_than_its_own_limit() -> None:
    """It may have claimed many ahead; what it runs at once stands in its id."""
    admission = Admission(ME, 16, 16)
    admission.follow(held(THIRD, 60))
    assert admission.slots_now() == 14


def test_our_own_and_the_queued_do_not_count() -> None:
    admission = Admission(ME, 4, 16)
    admission.follow(held(ME, 10))
    admission.follow(held(OTHER, 16, status="queued"))
    admission.follow(held(None, 5))
    assert admission.slots_now() == 4


def test_what_ends_makes_room() -> None:
    admission = Admission(ME, 4, 16)
    lines = held(OTHER, 16)
    admission.follow(lines)
    assert admission.slots_now() == 0
    admission.follow(dict.fromkeys(list(lines)[:3]))
    assert admission.slots_now() == 3
    admission.follow({"cues/cue_a.json": {"status": "pending", "pass_id": OTHER}})
    assert admission.slots_now() == 3
    admission.forget()
    assert admission.slots_now() == 4


@pytest.mark.parametrize(
    ("pass_id", "slots"), [("1-2-16", 16), ("1-2-x", 1), ("nonsense", 1), ("", 1)]
)
def test_the_limit_stands_in_the_id(pass_id: str, slots: int) -> None:
    assert slots_of(pass_id) == slots


def test_a_request_to_cancel_is_seen_before_it_is_taken_in(home: Path) -> None:
    mine, other = Store(str(home)), Store(str(home))
    admission = Admission(ME, 4, 16)
    mine.watch = admission.follow
    path = "open/exec_a.json"
    with mine.transaction(NOW, flush=False) as tx:
        tx.stage(JournalEntry(type="x.y", set={path: {"status": "pending", "pass_id": ME}}))
    assert not admission.is_cancelled(mine, "exec_a")
    with other.transaction(NOW) as tx:
        record = {"status": "pending", "pass_id": ME, "cancel": "by hand"}
        tx.stage(JournalEntry(type="x.y", set={path: record}))

    assert admission.is_cancelled(mine, "exec_a")
    assert not admission.is_cancelled(mine, "exec_b")
    with mine.locked():
        pass
    assert admission.is_cancelled(mine, "exec_a")
