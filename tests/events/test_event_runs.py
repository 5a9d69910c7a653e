"""What events start, beside the pipelines: second turns, keys, overlap rules, odd input."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.events.test_events import emit, pipeline, results, run
from tests.fixtures.agent_stubs import define, program

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import StoreState

SECOND_TURN = """
  - {name: one, event: go.now, agent: alpha, prompt: "main",
     output_prompt: "Sum up {{CUE_SOURCE_OUTPUT}} for {{CUE_TRIGGER_NAME}}."}
  - {name: two, event: agent.completed, source_session: alpha, agent: beta,
     prompt: "{{CUE_SOURCE_STATUS}}: {{CUE_SOURCE_OUTPUT}}"}
"""


def test_a_second_turn_gets_the_answer_and_gives_its_own(cuectl: Cuectl, state: StoreState) -> None:
    pipeline(cuectl, SECOND_TURN)
    emit(cuectl, "go.now")
    run(cuectl)
    told = "Sum up main for one.\n\n---\n\nOutput of the previous turn:\n\nmain"
    assert results(state) == {"one": [told], "two": [f"completed: {told}"]}
    assert state.one("one")["followup"] == "succeeded"
    output = cuectl.run("executions", "output", state.one("one")["id"]).stdout
    assert output == f"main{told}"


def test_a_second_turn_that_fails_costs_nothing(cuectl: Cuectl, state: StoreState) -> None:
    pipeline(
        cuectl, SECOND_TURN, 'text=$(cat); case $text in Sum*) exit 3;; *) echo "$text";; esac'
    )
    emit(cuectl, "go.now")
    run(cuectl)
    assert results(state) == {"one": ["main"], "two": ["completed: main"]}
    assert state.one("one")["followup"].startswith("failed: ")
    assert state.one("one")["status"] == "succeeded"


def test_a_failed_turn_has_no_second_one(cuectl: Cuectl, state: StoreState) -> None:
    pipeline(cuectl, SECOND_TURN, 'echo "$CUE_AGENT" >>$HOME/log; exit 2')
    emit(cuectl, "go.now")
    run(cuectl)
    assert (cuectl.user / "log").read_text().split() == ["alpha", "beta"]
    assert "followup" not in state.one("one")


def test_a_key_is_known_for_thirty_days(cuectl: Cuectl, state: StoreState) -> None:
    pipeline(cuectl, "  - {name: one, event: go.now, agent: alpha, prompt: x}\n")
    first = cuectl.json("emit", "go.now", "--key", "k")
    again = cuectl.json("emit", "go.now", "--key", "k", "--payload", '{"other": 1}')
    assert again["duplicate_of"] == first["event"]["id"]
    assert again["executions"] == []
    cuectl.run("emit", "go.now", "--key", "k").gives(
        f"{first['event']['id']}  go.now  was recorded before under the key 'k'\n"
    )
    other = cuectl.json("emit", "go.now", "--key", "k", "--source", "/elsewhere")
    assert other["duplicate_of"] is None
    run(cuectl, "2026-12-21T01:59:59Z")
    assert cuectl.json("emit", "go.now", "--key", "k")["duplicate_of"] == first["event"]["id"]
    run(cuectl, "2026-12-21T02:00:01Z")
    assert cuectl.json("emit", "go.now", "--key", "k")["duplicate_of"] is None
    assert len([line for line in state.lines() if line["type"] == "event.forgotten"]) == 2


COMMANDS = """
  - {name: one, event: go.now, command: [sh, -c, "echo $N >>$HOME/log"], env: {N: "{{payload.n}}"},
     overlap: %s}
"""


@pytest.mark.parametrize(("rule", "ran"), [("queue", "123"), ("skip", "1"), ("allow", "123")])
def test_commands_obey_the_overlap_rule_of_their_subscription(
    cuectl: Cuectl, state: StoreState, rule: str, ran: str
) -> None:
    pipeline(cuectl, COMMANDS % rule)
    for number in (1, 2, 3):
        emit(cuectl, "go.now", {"n": number})
    run(cuectl)
    found = "".join((cuectl.user / "log").read_text().split())
    assert "".join(sorted(found)) == ran
    if rule == "queue":
        assert found == ran
    if rule == "skip":
        assert sorted(state.ends()) == ["skipped(overlap)", "skipped(overlap)", "succeeded"]


def test_a_full_line_of_commands_drops_the_new_event(cuectl: Cuectl, state: StoreState) -> None:
    define(
        cuectl,
        "settings: {queue_size: 1}\nsubscriptions: [{name: one, event: go.now, command: [true]}]\n",
    )
    run(cuectl, "2026-11-21T02:00:00Z")
    for _ in range(3):
        emit(cuectl, "go.now")
    assert sorted(state.ends()) == ["missed(queue_full)", "pending", "queued(overlap)"]
    assert state.alerts() == ["queue_full"]
    run(cuectl)
    assert sorted(state.ends()) == ["missed(queue_full)", "succeeded", "succeeded"]


def test_a_payload_of_any_size_comes_through(cuectl: Cuectl, state: StoreState) -> None:
    pipeline(
        cuectl,
        '  - {name: one, event: go.now, agent: alpha, prompt: "{{payload.text}}"}\n',
        "wc -c",
    )
    (cuectl.work / "large.json").write_text(json.dumps({"text": "ü" * 100_000}))
    found = cuectl.json("emit", "go.now", "--payload", "@large.json")
    run(cuectl)
    assert results(state) == {"one": ["200000"]}
    shown = cuectl.json("events", "get", found["event"]["id"])
    assert len(shown["data"]["text"]) == 100_000
    cuectl.json("events", "replay", found["event"]["id"])
    run(cuectl, "2026-11-21T02:00:50Z")
    assert results(state) == {"one": ["200000", "200000"]}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["two words"], "'two words' is not the type of an event"),
        (["a..b"], "'a..b' is not the type of an event"),
        (["a.b", "--payload", "[1]"], "payload must be a JSON object, not a list"),
        (["a.b", "--payload", "@missing"], "'missing' can't be read: no such file or directory"),
        (["a.b", "--key", ""], "option '--key': the value is empty"),
    ],
)
def test_what_is_no_event_is_refused_and_nothing_changes(
    cuectl: Cuectl, words: list[str], message: str
) -> None:
    answer = cuectl.run("emit", *words)
    assert answer.status == 2
    assert answer.stderr.startswith(f"cuectl: error: {message}\n")
    assert not cuectl.home.exists()


def test_a_subscription_is_changed_in_its_file_only(cuectl: Cuectl) -> None:
    pipeline(cuectl, "  - {name: one, event: go.now, agent: alpha, prompt: x}\n")
    refused = cuectl.run("update", "one", "--cron", "0 2 * * *")
    assert refused.status == 2
    assert "is a subscription" in refused.stderr
    assert cuectl.run("fire", "one").status == 6
    cuectl.run("delete", "one", "--yes")
    assert emit(cuectl, "go.now")["matched"] == []


def test_a_broken_file_leaves_what_was_defined_in_force_and_status_says_so(
    cuectl: Cuectl, state: StoreState
) -> None:
    pipeline(cuectl, "  - {name: one, event: go.now, agent: alpha, prompt: x}\n")
    define(cuectl, "subscriptions:\n  - {name: one, event: go.now, task: t, filtr: {}}\n")
    answer = cuectl.run("run-due")
    assert answer.status == 0
    assert "cue.yaml:2:" in answer.stderr
    assert "'filtr'" in answer.stderr + cuectl.run("status").stdout
    assert emit(cuectl, "go.now")["matched"] == ["one"]
    status = cuectl.run("status")
    assert status.status == 4
    assert "cue.yaml:2:" in status.stdout
    run(cuectl)
    assert results(state) == {"one": ["x"]}


def test_a_notification_tells_and_asks_for_nothing(cuectl: Cuectl, state: StoreState) -> None:
    program(cuectl, "agent", "#!/bin/sh\ncat\n")
    define(
        cuectl,
        f"agents: {{alpha: {{driver: command, cmd: [{cuectl.work}/agent]}}}}\n"
        "subscriptions: [{name: tell, event: go.now, action: notify, notify: {message: Ready}}]\n",
    )
    run(cuectl, "2026-11-21T02:00:00Z")
    answer = cuectl.run("emit", "go.now")
    assert "notification: Ready" in answer.stderr
    emit(cuectl, "go.now")
    assert state.alerts() == ["notification", "notification"]
    assert cuectl.json("alerts", "list") == []


def test_agents_on_a_schedule_start_chains_too(cuectl: Cuectl, state: StoreState) -> None:
    pipeline(
        cuectl,
        """
  - {name: after, event: agent.completed, source_session: alpha, agent: beta,
     filter: {triggeredBy: "night*"}, prompt: "{{CUE_SOURCE_OUTPUT}}!"}
cues:
  nightly: {cron: "5 2 * * *", agent: alpha, prompt: "Good night"}
""",
    )
    run(cuectl, "2026-11-21T02:05:00Z")
    assert results(state) == {"nightly": ["Good night"], "after": ["Good night!"]}


def test_a_verdict_of_a_person_is_awaited_before_others_are_told(
    cuectl: Cuectl, state: StoreState
) -> None:
    pipeline(
        cuectl,
        """
  - {name: one, event: go.now, agent: alpha, prompt: A, verification: manual}
  - {name: two, event: agent.completed, source_session: alpha, agent: beta,
     prompt: "{{CUE_SOURCE_STATUS}}"}
""",
    )
    emit(cuectl, "go.now")
    run(cuectl)
    assert "two" not in results(state)
    assert cuectl.run("verify", state.one("one")["id"], "--reject").status == 0
    # Every process begins at the instant that it is given: this one after the verdict.
    run(cuectl, "2026-11-21T02:00:50Z")
    assert results(state)["two"] == ["failed"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("prompt: '{{CUE_FIEL_PATH}}'", "'{{CUE_FIEL_PATH}}' in 'prompt'"),
        ("command: [echo, '{{CUE_FIEL_PATH}}']", "'{{CUE_FIEL_PATH}}' in 'command'"),
        ("action: notify, notify: {message: '{{CUE_X}}'}", "'{{CUE_X}}' in 'notify'"),
        ("prompt: x, evnt: y", "'evnt'"),
        ("prompt: x, filter: {a: [1]}", "'a' in 'filter'"),
        ("prompt: x, filter: 3", "'filter'"),
        ("prompt: x, fan_out: 7", "'fan_out'"),
    ],
)
def test_a_bad_subscription_is_told_with_its_place(cuectl: Cuectl, line: str, message: str) -> None:
    text = (
        f"agents: {{a: {{cmd: [cat]}}}}\nsubscriptions:\n  - {{name: n, event: go.now, {line}}}\n"
    )
    (cuectl.work / "cue.yaml").write_text(text)
    answer = cuectl.run("validate", "cue.yaml")
    assert answer.status == 7
    assert "cue.yaml:3:" in answer.stdout
    assert message in answer.stdout
    assert cuectl.run("apply", "cue.yaml").status == 7
    assert not cuectl.home.exists()


def test_what_waits_is_skipped_when_its_subscription_goes(
    cuectl: Cuectl, state: StoreState
) -> None:
    pipeline(cuectl, "  - {name: one, event: go.now, agent: alpha, prompt: x}\n")
    for _ in range(3):
        emit(cuectl, "go.now")
    cuectl.run("delete", "one", "--yes")
    assert state.ends() == ["skipped(deleted)"] * 3
    run(cuectl)
    assert state.ends() == ["skipped(deleted)"] * 3
