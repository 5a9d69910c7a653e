"""Any history of ends, acknowledgements, deletions, refusals, lost processes and clock steps."""

from __future__ import annotations

from collections import Counter
from itertools import count
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cuectl.alerts.rules.alert import DeliveryStatus
from cuectl.passes.reactions import REACTIONS
from cuectl.process.runtime import Runtime
from cuectl.store import home as home_directory
from tests.alerts.incident_world import World
from tests.conftest import ManualClock

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from cuectl.alerts.rules.alert import Alert
    from cuectl.cues.rules.record import Cue

HOUR_S, DAY_S = 3_600, 86_400
VERDICTS = ("passed", "failed", "failed", "unproven", "interrupted", "missed", "cancelled")
steps = st.lists(
    st.one_of(
        st.tuples(st.just("end"), st.sampled_from(VERDICTS)),
        st.tuples(st.just("acknowledge"), st.just("")),
        st.tuples(st.just("delete"), st.just("")),
        st.tuples(st.just("refuse"), st.sampled_from((1, 2))),
        st.tuples(st.just("kill"), st.just("")),
        st.tuples(st.just("wait"), st.sampled_from((1, 60, HOUR_S, 7 * HOUR_S, 25 * HOUR_S))),
        st.tuples(st.just("clock"), st.sampled_from((-90, -5_000, 300))),
        st.tuples(st.just("restart"), st.just("")),
    ),
    min_size=4,
    max_size=24,
)


def world_in(folder: Path) -> World:
    home = folder / "cue"
    home_directory.make(str(home))
    numbers, clock = count(1), ManualClock()
    runtime = Runtime(
        home=str(home),
        environment={"TZ": "UTC"},
        clock=clock,
        random=lambda size: next(numbers).to_bytes(size, "big"),
        reactions=lambda: REACTIONS,
    )
    return World(runtime, clock)


def play(world: World, history: list[tuple[str, object]]) -> tuple[list[Cue], int]:
    """Play a history with one cue at a time; return the cues and how many processes were lost."""
    cues, lost = [world.cue()], 0
    for what, how in history:
        match what:
            case "end":
                world.end(cues[-1], str(how))
                world.tick()
            case "acknowledge":
                world.acknowledge(cues[-1])
            case "delete":
                world.delete(cues[-1])
                cues.append(world.cue())
                world.tick()
            case "refuse":
                world.refuses = int(str(how))
            case "kill":
                world.dies += 1
                lost += 1
            case "wait":
                world.advance(float(str(how)))
            case "clock":
                world.clock.advance(float(str(how)))
            case "restart":
                world.restart()
    world.refuses = world.dies = 0
    for _ in range(12):
        world.advance(7 * HOUR_S)
    return cues, lost


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(history=steps)
def test_each_incident_opens_and_closes_once_and_no_message_is_lost_or_told_twice(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[str, object]]
) -> None:
    world = world_in(tmp_path_factory.mktemp("history"))
    cues, lost = play(world, history)
    by_id = {one.id: one for one in world.alerts()}
    given_to_sink = Counter(one.id for one in world.sent)

    # No message is lost: each was given to the sink, or withdrawn for one that says it too.
    states = {
        one.id: one.delivered["ops"].status for one in by_id.values() if "ops" in one.delivered
    }
    assert set(states.values()) <= {DeliveryStatus.DELIVERED, DeliveryStatus.WITHDRAWN}
    assert {i for i, it in states.items() if it is DeliveryStatus.DELIVERED} == set(given_to_sink)
    # None was given again once its delivery was recorded; a lost process may repeat the one it had.
    assert sum(given_to_sink.values()) - len(given_to_sink) <= lost

    for cue in cues:
        check_cue(world, cue, [one for one in by_id.values() if one.cue_id == cue.id])


def check_cue(world: World, cue: Cue, alerts: list[Alert]) -> None:
    incidents = [one for one in alerts if one.incident is None and one.type != "recovered"]
    is_there = not any(
        line["type"] == "cue.deleted" and line["cue"] == cue.id for line in lines(world)
    )
    still_open = dict(world.state(cue).alerts) if is_there else {}
    # What is open is known to its cue, one of a kind; all else is over.
    assert {one.id for one in incidents if one.resolved_at is None} == set(still_open.values())
    opened = Counter(line["alert"] for line in lines(world) if line["type"] == "alert.raised")
    closed = Counter(line["alert"] for line in lines(world) if line["type"] == "alert.resolved")
    for one in incidents:
        assert opened[one.id] == 1
        assert closed[one.id] == (one.resolved_at is not None)
    told = [one for one in world.sent if one.cue_id == cue.id]
    if not told:
        # Nothing was wrong, or it was acknowledged before it could be told.
        assert all(one.acknowledged_at or one.resolved_at for one in incidents)
    elif not still_open:
        # Whoever was told that something was wrong was told that it is over.
        assert "recovered" in [one.type for one in told]


def lines(world: World) -> list[dict[str, str]]:
    from cuectl.store.journal.segments import read_lines

    return list(read_lines(world.runtime.home))


def test_a_state_that_is_deleted_forgets_its_incidents(tmp_path: Path) -> None:
    world = world_in(tmp_path)
    cue = world.cue()
    world.end(cue, "failed")
    world.delete(cue)
    world.advance(10 * DAY_S)
    assert world.told(cue) == ["consecutive_failures", "recovered"]
    assert world.sent[-1].message == "'job00001' was deleted, which closes its incident"
    assert [one.next_at for one in world.alerts()] == [None, None]
