"""A name and an id are the same agent, and outputs go where they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.events.test_events import emit, results, run
from tests.fixtures.agent_stubs import define

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import StoreState

AGENTS = """
agents:
  alpha: {driver: command, cmd: [cat], id: id-a}
  beta: {driver: command, cmd: [cat], id: id-b}
  gamma: {driver: command, cmd: [cat], id: id-c}
  delta: {driver: command, cmd: [cat]}
subscriptions:
"""
GO = """
  - {name: go, event: go.now, fan_out: [old name, beta], fan_out_ids: [id-a, id-b],
     prompt: "{{AGENT_NAME}} did {{payload.n}}"}
"""


def pipeline(cuectl: Cuectl, subscriptions: str) -> None:
    """Define four agents, three with ids, and subscriptions."""
    define(cuectl, AGENTS + subscriptions)
    run(cuectl, "2026-11-21T02:00:00Z")


def test_ids_and_names_are_mixed_as_one_likes(cuectl: Cuectl, state: StoreState) -> None:
    pipeline(
        cuectl,
        GO
        + """
  - {name: join, event: agent.completed, source_session: [id-a, beta, id-b], agent_id: id-c,
     include_output_from: [id-b], forward_output_from: [id-a],
     prompt: "{{CUE_SOURCE_OUTPUT}}|{{CUE_OUTPUT_BETA}}|{{CUE_OUTPUT_ALPHA}}|"}
  - {name: last, event: agent.completed, source_session: gone, source_session_ids: id-c,
     agent: delta, prompt: "{{CUE_FORWARDED_ALPHA}}|{{CUE_FORWARDED_BETA}}|"}
""",
    )
    emit(cuectl, "go.now", {"n": 1})
    said = cuectl.at("2026-11-21T02:00:30Z").run("run-due").stderr
    assert results(state) == {
        "go": ["alpha did 1", "beta did 1"],
        "join": ["beta did 1|beta did 1||"],
        "last": ["alpha did 1||"],
    }
    # What stands for nothing is empty, and told.
    assert "{{CUE_OUTPUT_ALPHA}} is empty: no source of that name has reported" in said
    assert "{{CUE_FORWARDED_BETA}} is empty" in said
    assert said.count("is empty") == 2


def test_what_was_forwarded_goes_on_through_a_join(cuectl: Cuectl, state: StoreState) -> None:
    pipeline(
        cuectl,
        """
  - {name: go, event: go.now, agent: alpha, prompt: first}
  - {name: split, event: agent.completed, source_session: alpha, source_sub: go,
     fan_out: [beta, gamma], include_output_from: [], forward_output_from: [alpha],
     prompt: "{{AGENT_NAME}}"}
  - {name: join, event: agent.completed, source_session: [beta, gamma], agent: delta,
     include_output_from: [gamma], prompt: "{{CUE_SOURCE_OUTPUT}} {{CUE_FORWARDED_ALPHA}}"}
""",
    )
    emit(cuectl, "go.now")
    run(cuectl)
    assert results(state)["join"] == ["gamma first"]


def test_a_report_by_id_counts_and_who_is_late_is_named_by_id(
    cuectl: Cuectl, state: StoreState
) -> None:
    pipeline(
        cuectl,
        """
  - {name: join, event: agent.completed, source_session: [alpha, beta, nobody], agent: delta,
     fan_in_timeout_minutes: 5, fan_in_timeout_on_fail: continue,
     prompt: "{{CUE_SOURCE_SESSION}} {{CUE_OUTPUT_ALPHA}} {{payload.timedOutSessions}}"}
""",
    )
    emit(cuectl, "agent.completed", {"sourceSession": "id-a", "sourceOutput": "A"})
    run(cuectl, "2026-11-21T02:06:00Z")
    assert results(state) == {"join": ["alpha A id-b,nobody"]}


def test_a_round_survives_that_its_agent_is_renamed(cuectl: Cuectl, state: StoreState) -> None:
    join = """
  - {name: join, event: agent.completed, source_session: [id-a, id-b], agent: delta,
     prompt: "{{CUE_SOURCE_SESSION}}"}
"""
    pipeline(cuectl, join)
    emit(cuectl, "agent.completed", {"sourceSession": "alpha", "sourceSessionId": "id-a"})
    define(cuectl, (AGENTS + join).replace("alpha:", "omega:"))
    run(cuectl)
    emit(cuectl, "agent.completed", {"sourceSession": "beta", "sourceSessionId": "id-b"})
    run(cuectl, "2026-11-21T02:01:00Z")
    assert len(results(state)["join"]) == 1


def test_a_join_is_as_deep_as_its_deepest_source(cuectl: Cuectl, state: StoreState) -> None:
    pipeline(
        cuectl,
        """
  - {name: go, event: go.now, agent: alpha, prompt: x}
  - {name: next, event: agent.completed, source_session: alpha, agent: beta, prompt: x}
  - {name: join, event: agent.completed, source_session: [beta, alpha], agent: delta, prompt: x}
  - {name: vain, event: agent.completed, source_session: [beta, alpha, gamma], agent: delta,
     fan_in_timeout_minutes: 5, prompt: x}
""",
    )
    emit(cuectl, "go.now")
    run(cuectl)
    run(cuectl, "2026-11-21T02:06:00Z")
    depths = {one["cue_name"]: one.get("depth", 0) for one in state.executions()}
    assert depths == {"go": 0, "next": 1, "join": 2, "vain": 2}


def test_rounds_whose_time_is_up_fire_in_their_order(cuectl: Cuectl, state: StoreState) -> None:
    pipeline(
        cuectl,
        """
  - {name: go, event: go.now, fan_out: [alpha, nobody], prompt: "{{payload.n}}"}
  - {name: join, event: agent.completed, source_session: [alpha, nobody], agent: delta,
     fan_in_timeout_minutes: 5, fan_in_timeout_on_fail: continue, prompt: "{{CUE_SOURCE_OUTPUT}}"}
""",
    )
    for n in (1, 2, 3):
        cuectl.at(f"2026-11-21T02:00:{n:02d}Z")
        emit(cuectl, "go.now", {"n": n})
        run(cuectl, f"2026-11-21T02:00:{n:02d}Z")
    run(cuectl, "2026-11-21T02:06:00Z")
    assert results(state)["join"] == ["1", "2", "3"]


def test_the_graph_has_one_place_for_an_agent(cuectl: Cuectl) -> None:
    pipeline(
        cuectl,
        GO + "  - {name: last, event: agent.completed, source_session: id-a, agent: delta,"
        " prompt: x}\n",
    )
    shown = cuectl.run("graph", "--format", "mermaid").stdout
    assert "agent alpha" in shown
    assert "id-a" not in shown
    assert "old name" not in shown
