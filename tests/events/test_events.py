"""Events: emitted, matched, fanned out, chained, joined."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.fixtures.agent_stubs import define, program

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import StoreState

AGENTS = ("alpha", "beta", "gamma", "delta")


def pipeline(cuectl: Cuectl, subscriptions: str, script: str = "", agent: str = "") -> None:
    """Define four agents that answer what they are told, and subscriptions."""
    path = program(cuectl, "agent", f"#!/bin/sh\n{script or 'cat'}\n")
    lines = "".join(f"  {name}: {{driver: command, cmd: ['{path}']{agent}}}\n" for name in AGENTS)
    define(cuectl, f"agents:\n{lines}subscriptions:\n{subscriptions}")
    assert cuectl.at("2026-11-21T02:00:00Z").run("run-due").status == 0


def emit(cuectl: Cuectl, kind: str, payload: dict[str, Any] | None = None) -> dict[str, Any]:
    """Record an event."""
    found: dict[str, Any] = cuectl.json("emit", kind, "--payload", json.dumps(payload or {}))
    return found


def run(cuectl: Cuectl, now: str = "2026-11-21T02:00:30Z") -> None:
    """Run a pass; failures of agents are its lines."""
    assert cuectl.at(now).run("run-due").status == 0


def results(state: StoreState) -> dict[str, list[str]]:
    """Return what each subscription's executions answered, in the order of their ids."""
    found: dict[str, list[str]] = {}
    for line in state.of_type("execution.settled"):
        record = line["record"]
        found.setdefault(record["cue_name"], []).append(record.get("result") or record["reason"])
    return found


def test_an_event_starts_what_listens_and_passes_the_filter(
    cuectl: Cuectl, state: StoreState
) -> None:
    pipeline(
        cuectl,
        """
  - {name: good, event: deploy.done, agent: alpha, filter: {stage: "!test"},
     prompt: "{{payload.stage}}"}
  - {name: bad, event: deploy.done, agent: beta, filter: {stage: test}, prompt: x}
  - {name: off, event: deploy.done, agent: beta, enabled: false, prompt: x}
""",
    )
    found = emit(cuectl, "deploy.done", {"stage": "live"})
    assert found["matched"] == ["good"]
    assert found["rejected"] == {
        "bad": {"reason": "filter", "failed": ["stage"]},
        "off": {"reason": "paused"},
    }
    run(cuectl)
    assert results(state) == {"good": ["live"]}
    [event] = [one for one in cuectl.json("events", "list") if one["type"] == "deploy.done"]
    assert event["specversion"] == "1.0"
    assert event["data"] == {"stage": "live"}


def test_fan_out_tells_each_agent_and_failures_are_their_own(
    cuectl: Cuectl, state: StoreState
) -> None:
    pipeline(
        cuectl,
        """
  - name: all
    event: deploy.done
    fan_out: [alpha, beta, gamma]
    prompt: "{{payload.fanOutIndex}} {{AGENT_NAME}}"
    fan_out_prompts: ["first", "second"]
""",
        'test "$CUE_AGENT" != beta && cat',
    )
    emit(cuectl, "deploy.done")
    run(cuectl)
    assert results(state)["all"] == ["first", "exit status 1", "2 gamma"] or sorted(
        results(state)["all"]
    ) == ["2 gamma", "exit status 1", "first"]
    roots = {one["root_id"] for one in state.executions()}
    assert len(roots) == 1


def test_a_run_ends_and_the_next_one_begins_in_the_same_pass(
    cuectl: Cuectl, state: StoreState
) -> None:
    pipeline(
        cuectl,
        """
  - {name: one, event: go.now, agent: alpha, prompt: "A"}
  - {name: two, event: agent.completed, source_session: alpha, agent: beta,
     filter: {status: completed, exitCode: 0, triggeredBy: "o*"}, prompt: "{{CUE_SOURCE_OUTPUT}}B"}
  - {name: three, event: agent.completed, source_session: beta, source_sub: two, agent: gamma,
     prompt: "{{CUE_SOURCE_OUTPUT}}C {{CUE_SOURCE_STATUS}} {{CUE_SOURCE_TRIGGERED_BY}}"}
""",
    )
    emit(cuectl, "go.now")
    run(cuectl)
    assert results(state) == {"one": ["A"], "two": ["AB"], "three": ["ABC completed two"]}
    first, second, third = (state.one(name) for name in ("one", "two", "three"))
    assert second["parent_id"] == first["id"]
    assert {one["root_id"] for one in (first, second, third)} == {first["id"]}
    assert third["depth"] == 2


def test_a_failed_run_tells_so(cuectl: Cuectl, state: StoreState) -> None:
    pipeline(
        cuectl,
        """
  - {name: one, event: go.now, agent: alpha, prompt: "A"}
  - {name: good, event: agent.completed, source_session: alpha, agent: beta,
     filter: {status: completed}, prompt: x}
  - {name: bad, event: agent.completed, source_session: alpha, agent: gamma,
     filter: {status: failed}, prompt: "{{CUE_SOURCE_EXIT_CODE}}"}
""",
        'test "$CUE_AGENT" != alpha && cat || exit 7',
    )
    emit(cuectl, "go.now")
    run(cuectl)
    assert results(state)["bad"] == ["7"]
    assert "good" not in results(state)


def test_a_loop_ends_after_ten_runs(cuectl: Cuectl, state: StoreState) -> None:
    pipeline(
        cuectl,
        """
  - {name: there, event: agent.completed, source_session: alpha, agent: beta, prompt: x}
  - {name: back, event: agent.completed, source_session: beta, agent: alpha, prompt: x}
""",
    )
    emit(cuectl, "agent.completed", {"sourceSession": "alpha", "status": "completed"})
    run(cuectl)
    assert len(state.executions()) == 10
    assert max(one["depth"] for one in state.executions()) == 9
    assert state.alerts() == ["chain_depth"]
    last = cuectl.json("events", "list", "--limit", "1")[0]
    assert last["rejected"] == {"there": {"reason": "depth"}}


def test_a_subscription_does_not_answer_to_its_own_run(cuectl: Cuectl, state: StoreState) -> None:
    pipeline(
        cuectl,
        "  - {name: me, event: agent.completed, source_session: alpha, agent: alpha, prompt: x}\n",
    )
    emit(cuectl, "agent.completed", {"sourceSession": "alpha", "status": "completed"})
    run(cuectl)
    assert len(state.executions()) == 1


DIAMOND = """
  - {name: start, event: go.now, agent: alpha, prompt: "{{payload.n}}"}
  - {name: spread, event: agent.completed, source_session: alpha, source_sub: start,
     fan_out: [beta, gamma], prompt: "{{CUE_SOURCE_OUTPUT}}{{AGENT_NAME}}"}
  - {name: join, event: agent.completed, source_session: [beta, gamma], agent: delta,
     filter: {status: completed},
     prompt: "{{CUE_OUTPUT_BETA}}+{{CUE_OUTPUT_GAMMA}} {{CUE_SOURCE_STATUS}}."}
"""


def test_the_diamond_joins_once_for_each_root(cuectl: Cuectl, state: StoreState) -> None:
    pipeline(cuectl, DIAMOND)
    for number in range(3):
        emit(cuectl, "go.now", {"n": number})
    run(cuectl)
    assert sorted(results(state)["join"]) == [f"{n}beta+{n}gamma ." for n in range(3)]
    assert not [path for path in state.implied() if path.startswith("fanin/")]


def test_reports_from_elsewhere_join_as_they_come(cuectl: Cuectl, state: StoreState) -> None:
    pipeline(
        cuectl,
        """
  - {name: join, event: agent.completed, source_session: [beta, gamma], agent: delta,
     prompt: "{{CUE_SOURCE_SESSION}}: {{CUE_SOURCE_OUTPUT}}"}
""",
    )
    for name, text in (("beta", "old"), ("beta", "new"), ("gamma", "G")):
        emit(cuectl, "agent.completed", {"sourceSession": name, "sourceOutput": text})
    run(cuectl)
    assert results(state) == {"join": ["beta, gamma: new\n---\nG"]}


@pytest.mark.parametrize("word", ["continue", "break"])
def test_time_runs_out_for_a_fan_in(cuectl: Cuectl, state: StoreState, word: str) -> None:
    pipeline(
        cuectl,
        f"""
  - {{name: join, event: agent.completed, source_session: [beta, gamma], agent: delta,
     fan_in_timeout_minutes: 5, fan_in_timeout_on_fail: {word},
     prompt: "{{{{CUE_SOURCE_OUTPUT}}}} {{{{payload.timedOutSessions}}}}"}}
""",
    )
    emit(cuectl, "agent.completed", {"sourceSession": "beta", "sourceOutput": "B"})
    run(cuectl, "2026-11-21T02:04:00Z")
    assert state.executions() == []
    run(cuectl, "2026-11-21T02:05:10Z")
    if word == "continue":
        assert results(state) == {"join": ["B gamma"]}
        assert state.alerts() == []
    else:
        assert state.ends() == ["missed(fan_in_timeout)"]
        assert state.alerts() == ["fan_in_timeout"]
    emit(cuectl, "agent.completed", {"sourceSession": "gamma", "sourceOutput": "late"})
    run(cuectl, "2026-11-21T02:06:00Z")
    assert len(state.executions()) == 1


def test_outputs_are_forwarded_and_chosen(cuectl: Cuectl, state: StoreState) -> None:
    pipeline(
        cuectl,
        """
  - {name: one, event: go.now, agent: alpha, prompt: "A"}
  - {name: two, event: agent.completed, source_session: alpha, agent: beta,
     forward_output_from: [alpha], prompt: "B"}
  - {name: three, event: agent.completed, source_session: beta, agent: gamma,
     prompt: "{{CUE_FORWARDED_ALPHA}}{{CUE_SOURCE_OUTPUT}}"}
  - {name: four, event: agent.completed, source_session: [beta, gamma], agent: delta,
     include_output_from: [gamma], prompt: "{{CUE_SOURCE_OUTPUT}}"}
""",
    )
    emit(cuectl, "go.now")
    run(cuectl)
    assert results(state) == {"one": ["A"], "two": ["B"], "three": ["AB"], "four": ["AB"]}


def test_commands_and_tasks_get_events_too_and_values_are_words(
    cuectl: Cuectl, state: StoreState
) -> None:
    program(cuectl, "agent", "#!/bin/sh\ncat\n")
    define(
        cuectl,
        f"""
agents: {{alpha: {{driver: command, cmd: [{cuectl.work}/agent]}}}}
handlers: {{say: "echo {{{{ payload.path }}}}"}}
subscriptions:
  - {{name: task, event: go.now, task: say}}
  - {{name: shell, event: file.changed, watch: "*", agent: alpha, action: command,
     command: {{mode: shell, shell: "echo <{{{{CUE_FILE_PATH}}}}> {{{{CUE_TRIGGER_NAME}}}}"}}}}
  - {{name: tell, event: file.changed, watch: "*", agent: alpha, action: notify,
     notify: {{message: "{{{{CUE_FILE_NAME}}}} changed"}}}}
""".replace("<", '\\"').replace(">", '\\"'),
    )
    run(cuectl, "2026-11-21T02:00:00Z")
    emit(cuectl, "go.now", {"path": "$(x)", "task": "other"})
    emit(cuectl, "file.changed", {"path": "a;b `c`", "filename": "b"})
    run(cuectl)
    assert results(state) == {
        "task": ["$(x)\n"],
        "shell": ["a;b `c` shell\n"],
        "tell": ["b changed"],
    }
    assert state.alerts() == ["notification"]


def test_a_start_by_hand_asks_nobody(cuectl: Cuectl, state: StoreState) -> None:
    pipeline(
        cuectl,
        """
  - {name: plain, event: cli.trigger, agent: alpha, filter: {x: 1}, prompt: "P"}
  - {name: fills, event: cli.trigger, agent: beta, prompt: "<{{CUE_CLI_PROMPT}}>"}
""",
    )
    cuectl.run("subscriptions", "pause", "plain").gives("paused 'plain'\n")
    assert cuectl.json("trigger", "plain")["executions"][0]["cue_name"] == "plain"
    cuectl.json("trigger", "plain", "--prompt", "Q")
    cuectl.json("trigger", "fills", "--prompt", "Q")
    run(cuectl)
    assert results(state) == {"plain": ["P", "Q"], "fills": ["<Q>"]}
    assert cuectl.run("fire", "plain").status == 6


def test_an_event_is_replayed_for_whom_one_likes(cuectl: Cuectl, state: StoreState) -> None:
    pipeline(
        cuectl,
        """
  - {name: one, event: go.now, agent: alpha, prompt: "{{payload.x}}"}
  - {name: two, event: go.now, agent: beta, filter: {x: 9}, prompt: "{{payload.x}}"}
""",
    )
    first = emit(cuectl, "go.now", {"x": 1})["event"]["id"]
    again = cuectl.json("events", "replay", first[:20], "--subscription", "two")
    assert again["event"]["cuereplayof"] == first
    cuectl.json("events", "replay", first)
    run(cuectl)
    assert results(state) == {"one": ["1", "1"], "two": ["1"]}
    shown = cuectl.json("events", "get", first)
    assert shown["rejected"] == {"two": {"reason": "filter", "failed": ["x"]}}


def test_a_root_run_waits_for_itself_and_others_pass_it(cuectl: Cuectl, state: StoreState) -> None:
    pipeline(
        cuectl,
        """
  - {name: one, event: go.now, agent: alpha, prompt: "x"}
  - {name: two, event: go.other, agent: alpha, prompt: "x"}
""",
        'echo "$CUE_CUE_NAME+" >>$HOME/log; sleep 0.3; echo "$CUE_CUE_NAME-" >>$HOME/log',
        ", max_concurrent: 3",
    )
    for kind in ("go.now", "go.now", "go.other"):
        emit(cuectl, kind)
    run(cuectl)
    lines = (cuectl.user / "log").read_text().split()
    ones = [line for line in lines if line.startswith("one")]
    assert ones == ["one+", "one-", "one+", "one-"]
    assert lines.index("two+") < lines.index("one-")


def test_what_waited_too_long_is_dropped_and_said(cuectl: Cuectl, state: StoreState) -> None:
    pipeline(
        cuectl, "  - {name: one, event: go.now, agent: alpha, prompt: x}\n", agent=", timeout: 10m"
    )
    for _ in range(3):
        emit(cuectl, "go.now")
    run(cuectl, "2026-11-21T02:11:00Z")
    assert sorted(state.ends()) == ["missed(stale)", "missed(stale)", "succeeded"]


def test_a_subscription_is_tried_on_an_event(cuectl: Cuectl) -> None:
    pipeline(
        cuectl,
        """
  - {name: lint, event: file.changed, watch: "*", agent: alpha, filter: {extension: .ts},
     prompt: "Lint {{CUE_FILE_NAME}}"}
""",
    )
    event = {"type": "file.changed", "payload": {"filename": "a.ts", "extension": ".ts"}}
    cuectl.files({"event.json": json.dumps(event), "bare.json": '{"extension": ".md"}'})
    found = cuectl.json("subscriptions", "test", "lint", "--event", "event.json")
    assert found["match"]
    assert found["prompts"] == [{"agent": "alpha", "known": True, "text": "Lint a.ts"}]
    refused = cuectl.run("subscriptions", "test", "lint", "--event", "bare.json")
    refused.gives('\'lint\' does not take it\n  no  extension: ".ts"  (".md")\n', status=4)


def test_what_a_file_no_longer_says_is_gone(cuectl: Cuectl, state: StoreState) -> None:
    pipeline(cuectl, "  - {name: one, event: go.now, agent: alpha, prompt: x}\n")
    assert [one["name"] for one in cuectl.json("subscriptions", "list")] == ["one"]
    define(cuectl, "agents: {alpha: {driver: command, cmd: [cat]}}\n")
    # What goes away at once is believed once the file has stood still.
    os.utime(cuectl.home / "cue.yaml", (1, 1))
    run(cuectl)
    assert cuectl.json("subscriptions", "list") == []
    assert emit(cuectl, "go.now")["matched"] == []
