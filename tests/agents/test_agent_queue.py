from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cuectl.agents.rules import Limits, Place, Seat, Slots, is_stale, place_for, slots_from_record


def _seat(name: str, cue: str = "c", *, alone: bool = True) -> Seat:
    return Seat(execution=name, cue=cue, alone=alone)


def test_a_free_slot_is_taken_and_a_full_line_drops_the_newcomer() -> None:
    slots, limits = Slots(agent="a"), Limits(slots=1, line=1)
    assert place_for(slots, _seat("1"), limits) is Place.START
    full = slots.with_seat(_seat("1"))
    assert place_for(full, _seat("2"), limits) is Place.WAIT
    waiting = Slots(agent="a", held=full.held, waiting=1)
    assert place_for(waiting, _seat("3"), limits) is Place.DROP
    assert place_for(full, _seat("2"), Limits(slots=1, line=0)) is Place.DROP


def test_a_root_run_never_overlaps_itself() -> None:
    slots, limits = Slots(agent="a", held=(_seat("1"),)), Limits(slots=3)
    assert not slots.takes(_seat("2"), limits)
    assert slots.takes(_seat("2", cue="other"), limits)
    assert slots.takes(_seat("2", alone=False), limits)


def test_exactly_as_long_as_allowed_is_not_too_long() -> None:
    limits = Limits(stale_ms=1000)
    assert not is_stale(0, 1000, limits)
    assert is_stale(0, 1001, limits)


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=12), st.integers(1, 4))
def test_never_more_than_the_slots_are_held(wishes: list[tuple[int, bool]], most: int) -> None:
    slots, limits = Slots(agent="a"), Limits(slots=most)
    for number, (cue, alone) in enumerate(wishes):
        seat = _seat(str(number), cue=str(cue), alone=alone)
        if slots.takes(seat, limits):
            slots = slots.with_seat(seat)
    assert len(slots.held) <= most
    solo = [one.cue for one in slots.held if one.alone]
    assert len(solo) == len(set(solo))
    assert slots_from_record(slots.to_record()) == slots
