"""Fan-in: rounds, time limits, what reports carry, and what stands on the disk between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.events.test_events import emit, pipeline, results, run

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import StoreState

JOIN = """
  - {name: join, event: agent.completed, source_session: [alpha, beta], agent: delta,
     fan_in_timeout_minutes: 5, fan_in_timeout_on_fail: %s,
     prompt: "{{CUE_SOURCE_SESSION}}={{CUE_SOURCE_OUTPUT}}"}
"""


def says(name: str, text: str = "", **more: Any) -> dict[str, Any]:
    """Return the payload of the end of a run."""
    return {"sourceSession": name, "sourceOutput": text, "status": "completed", **more}


@pytest.mark.parametrize("word", ["break", "continue"])
def test_a_report_after_the_limit_begins_a_round_even_if_no_pass_has_looked(
    cuectl: Cuectl, state: StoreState, word: str
) -> None:
    pipeline(cuectl, JOIN % word)
    emit(cuectl, "agent.completed", says("alpha", "A"))
    cuectl.at("2026-11-21T02:05:00Z")
    emit(cuectl, "agent.completed", says("beta", "B"))
    if word == "break":
        assert state.ends() == ["missed(fan_in_timeout)"]
    cuectl.at("2026-11-21T02:06:00Z")
    emit(cuectl, "agent.completed", says("alpha", "A2"))
    run(cuectl, "2026-11-21T02:06:30Z")
    joined = results(state)["join"]
    assert "beta, alpha=B\n---\nA2" in joined
    assert ("alpha=A" in joined) is (word == "continue")
    assert len(joined) == 2


def test_a_repeated_report_does_not_extend_the_time(cuectl: Cuectl, state: StoreState) -> None:
    pipeline(cuectl, JOIN % "break")
    emit(cuectl, "agent.completed", says("alpha", "old"))
    cuectl.at("2026-11-21T02:04:00Z")
    emit(cuectl, "agent.completed", says("alpha", "new"))
    run(cuectl, "2026-11-21T02:05:01Z")
    assert state.ends() == ["missed(fan_in_timeout)"]
    assert state.alerts() == ["fan_in_timeout"]
    message = state.of_type("alert.raised")[0]["detail"]["message"]
    assert message == "'join' waited for beta in vain: the fan-in timed out"


def test_rounds_outlive_passes_and_changes_of_the_definitions(
    cuectl: Cuectl, state: StoreState
) -> None:
    pipeline(cuectl, JOIN % "break")
    emit(cuectl, "agent.completed", says("alpha", "A"))
    run(cuectl)
    pipeline(
        cuectl, JOIN % "continue" + "  - {name: more, event: go.now, agent: beta, prompt: x}\n"
    )
    emit(cuectl, "agent.completed", says("beta", "B"))
    run(cuectl)
    assert results(state) == {"join": ["alpha, beta=A\n---\nB"]}


def test_conditions_on_a_source_are_asked_of_each_and_others_of_the_whole(
    cuectl: Cuectl, state: StoreState
) -> None:
    pipeline(
        cuectl,
        """
  - {name: good, event: agent.completed, source_session: [alpha, beta], agent: delta,
     filter: {status: completed}, prompt: "{{payload.sources.beta.status}}"}
  - {name: long, event: agent.completed, source_session: [alpha, beta], agent: gamma,
     filter: {sourceOutput: "*B"}, prompt: "x"}
""",
    )
    emit(cuectl, "agent.completed", says("alpha", "A"))
    found = emit(cuectl, "agent.completed", says("beta", "C", status="failed"))
    assert found["matched"] == ["long"]
    assert found["rejected"] == {"good": {"reason": "filter", "failed": ["status"]}}
    assert found["executions"] == []
    emit(cuectl, "agent.completed", says("beta", "B"))
    run(cuectl)
    assert results(state) == {"good": ["completed"]}
    refused = [one for one in cuectl.json("events", "list") if one.get("cueonly") == "long"]
    assert refused[0]["rejected"]["long"]["failed"] == ["sourceOutput"]


def test_a_source_that_fails_is_a_report_like_any_other(cuectl: Cuectl, state: StoreState) -> None:
    pipeline(
        cuectl,
        """
  - {name: go, event: go.now, fan_out: [alpha, beta], prompt: "x"}
  - {name: join, event: agent.completed, source_session: [alpha, beta], agent: delta,
     prompt: "{{payload.sources.alpha.status}} {{payload.sources.beta.status}}"}
""",
        'test "$CUE_AGENT" != beta && cat',
    )
    emit(cuectl, "go.now")
    run(cuectl)
    assert results(state)["join"] == ["completed failed"]


def test_a_name_twice_is_one_source_and_one_name_is_no_fan_in(
    cuectl: Cuectl, state: StoreState
) -> None:
    pipeline(
        cuectl,
        """
  - {name: twice, event: agent.completed, source_session: [alpha, alpha], agent: beta, prompt: x}
  - {name: once, event: agent.completed, source_session: [alpha], agent: gamma,
     prompt: "{{CUE_SOURCE_STATUS}}"}
""",
    )
    found = emit(cuectl, "agent.completed", says("alpha"))
    assert found["matched"] == ["twice", "once"]
    run(cuectl)
    assert results(state) == {"twice": ["x"], "once": ["completed"]}


def test_a_join_can_fan_out_and_its_chain_goes_on(cuectl: Cuectl, state: StoreState) -> None:
    pipeline(
        cuectl,
        """
  - {name: go, event: go.now, fan_out: [alpha, beta], prompt: "{{AGENT_NAME}}"}
  - {name: join, event: agent.completed, source_session: [alpha, beta],
     fan_out: [gamma, delta], prompt: "{{CUE_OUTPUT_ALPHA}}{{CUE_OUTPUT_BETA}}{{AGENT_NAME}}"}
  - {name: last, event: agent.completed, source_session: [gamma, delta], source_sub: [join, join],
     agent: alpha, prompt: "end"}
""",
    )
    emit(cuectl, "go.now")
    run(cuectl)
    found = results(state)
    assert sorted(found["join"]) == ["alphabetadelta", "alphabetagamma"]
    assert found["last"] == ["end"]
    assert len({one["root_id"] for one in state.executions()}) == 1
    assert max(one["depth"] for one in state.executions()) == 2


def test_a_paused_fan_in_gives_its_round_up(cuectl: Cuectl, state: StoreState) -> None:
    pipeline(cuectl, JOIN % "continue")
    emit(cuectl, "agent.completed", says("alpha", "A"))
    cuectl.run("subscriptions", "pause", "join").gives("paused 'join'\n")
    run(cuectl, "2026-11-21T02:06:00Z")
    assert state.executions() == []
    assert not [path for path in state.implied() if path.startswith("fanin/")]


def test_a_source_and_what_it_starts_join_by_chain_in_any_order_of_the_file(
    cuectl: Cuectl, state: StoreState
) -> None:
    pipeline(
        cuectl,
        """
  - {name: join, event: agent.completed, source_session: [alpha, beta], agent: delta,
     prompt: "{{CUE_OUTPUT_ALPHA}}{{CUE_OUTPUT_BETA}}"}
  - {name: next, event: agent.completed, source_session: alpha, agent: beta,
     prompt: "{{CUE_SOURCE_OUTPUT}}"}
""",
    )
    for text in ("1", "2", "3"):
        emit(cuectl, "agent.completed", says("alpha", text))
    run(cuectl)
    assert sorted(results(state)["join"]) == ["11", "22", "33"]


def test_a_chain_that_leads_elsewhere_does_not_keep_sources_apart(
    cuectl: Cuectl, state: StoreState
) -> None:
    pipeline(
        cuectl,
        JOIN % "break"
        + "  - {name: aside, event: agent.completed, source_session: alpha, agent: gamma,\n"
        + "     prompt: x}\n",
    )
    emit(cuectl, "agent.completed", says("alpha", "A"))
    emit(cuectl, "agent.completed", says("beta", "B"))
    run(cuectl)
    assert results(state)["join"] == ["alpha, beta=A\n---\nB"]
