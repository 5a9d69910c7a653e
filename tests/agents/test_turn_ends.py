"""When a turn is over: the last events as the programs print them, and what they do afterwards."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from cuectl.agents.drivers.driver import DRIVERS, driver_of
from cuectl.agents.rules import judge_turn
from cuectl.agents.trial import TurnRunner
from cuectl.agents.turn import Turn, cause_to_end, files_at
from cuectl.definitions.rules.definitions import AgentDefinition
from cuectl.executions import supervise
from cuectl.executions.rules.record import Cause
from cuectl.values.records import replace
from tests.agents.test_agents import ask, run
from tests.fixtures.agent_stubs import define, program
from tests.fixtures.observing import processes_with, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import StoreState


def _lines(*events: dict[str, Any]) -> str:
    return "".join(f"{json.dumps(event)}\n" for event in events)


CLAUDE_INIT = {
    "type": "system",
    "subtype": "init",
    "cwd": "/w",
    "session_id": "4a6d0b5e-1c2d-4e3f-8a9b-0c1d2e3f4a5b",
    "tools": ["Bash", "Edit"],
    "mcp_servers": [],
    "model": "m",
    "permissionMode": "acceptEdits",
    "apiKeySource": "none",
}
CLAUDE_RETRY = {
    "type": "system",
    "subtype": "api_retry",
    "attempt": 3,
    "max_retries": 10,
    "retry_delay_ms": 2100,
    "error_status": 529,
    "error": "overloaded",
}
CLAUDE_RESULT = {
    "type": "result",
    "subtype": "success",
    "is_error": False,
    "duration_ms": 5100,
    "duration_api_ms": 4800,
    "num_turns": 2,
    "result": "the work is done",
    "session_id": CLAUDE_INIT["session_id"],
    "total_cost_usd": 0.4,
    "usage": {"input_tokens": 4, "cache_read_input_tokens": 11_000, "output_tokens": 90},
    "permission_denials": [],
}
NOT_LOGGED_IN = CLAUDE_RESULT | {"is_error": True, "result": "Not logged in · Please run /login"}
CODEX_BEGUN = [{"type": "thread.started", "thread_id": "0199a213-81c0"}, {"type": "turn.started"}]
CODEX_SAID = {
    "type": "item.completed",
    "item": {"id": "item_3", "type": "agent_message", "text": "the work is done"},
}
CODEX_DONE = {
    "type": "turn.completed",
    "usage": {"input_tokens": 24763, "cached_input_tokens": 24448, "output_tokens": 122},
}
CODEX_LOST = {"type": "error", "message": "Reconnecting... 2/5"}
CODEX_FAILED = {"type": "turn.failed", "error": {"message": "stream disconnected"}}
CODEX_ROLLOUT = {
    "type": "event_msg",
    "payload": {"type": "task_complete", "last_agent_message": "the work is done"},
}
GEMINI_SAID = {"type": "message", "role": "assistant", "content": "the work is done", "delta": True}
GEMINI_DONE = {
    "type": "result",
    "status": "success",
    "stats": {"total_tokens": 10, "input_tokens": 7, "output_tokens": 3, "tool_calls": 0},
}
GEMINI_WHOLE = {"session_id": "g", "response": "the work is done", "stats": {"models": {}}}
OPENCODE_SAID = {
    "type": "text",
    "timestamp": 1758919898000,
    "sessionID": "ses_678",
    "part": {"id": "prt_1", "type": "text", "text": "the work is done"},
}
_OPENCODE_TOKENS = {"input": 11087, "output": 145, "reasoning": 0, "cache": {"write": 0, "read": 0}}


def _opencode_step(reason: str | None) -> dict[str, Any]:
    part = {"id": "prt_2", "type": "step-finish", "tokens": _OPENCODE_TOKENS, "cost": 0.0070147}
    part |= {"reason": reason} if reason else {}
    return {"type": "step_finish", "timestamp": 1, "sessionID": "ses_678", "part": part}


OPENCODE_ERROR = {
    "type": "error",
    "timestamp": 1,
    "sessionID": "ses_678",
    "error": {"name": "APIError", "data": {"message": "quota", "statusCode": 429}},
}


AIDER_ERROR = "litellm.RateLimitError: the API provider has rate limited you"
AIDER_DONE = "Tokens: 2.3k sent, 123 received. Cost: $0.01 message, $0.01 session."


@pytest.mark.parametrize(
    ("driver", "out", "err", "code", "final", "exit_code", "error"),
    [
        ("claude", _lines(CLAUDE_INIT, CLAUDE_RESULT), "", 0, True, 0, None),
        ("claude", _lines(CLAUDE_INIT, CLAUDE_RESULT), "mcp failed", 1, True, 0, None),
        ("claude", _lines(CLAUDE_INIT, NOT_LOGGED_IN), "", 0, True, 0, NOT_LOGGED_IN["result"]),
        ("claude", json.dumps(CLAUDE_RESULT, indent=2), "", 0, True, 0, None),
        ("claude", _lines(CLAUDE_INIT), "killed", 1, False, 1, None),
        ("codex", _lines(*CODEX_BEGUN, CODEX_SAID), "", 1, False, 1, None),
        ("codex", _lines(*CODEX_BEGUN, CODEX_LOST, CODEX_SAID, CODEX_DONE), "", 1, True, 0, None),
        ("codex", _lines(*CODEX_BEGUN, CODEX_SAID, CODEX_DONE, CODEX_LOST), "", 1, True, 0, None),
        ("codex", _lines(*CODEX_BEGUN, CODEX_SAID, CODEX_FAILED), "", 0, True, 0, "stream discon…"),
        ("codex", _lines(CODEX_ROLLOUT), "", 1, True, 0, None),
        ("gemini", _lines(GEMINI_SAID, GEMINI_DONE), "", 1, True, 0, None),
        ("gemini", json.dumps(GEMINI_WHOLE, indent=2), "", 0, True, 0, None),
        ("gemini", _lines(GEMINI_SAID), "", 53, False, 53, None),
        (
            *("gemini", "", 'x\n{"session_id": "g", "error": {"message": "log in", "code": 41}}'),
            *(0, True, 0, "log in"),
        ),
        ("opencode", _lines(OPENCODE_SAID, _opencode_step("stop")), "", 1, True, 0, None),
        ("opencode", _lines(OPENCODE_SAID, _opencode_step("tool-calls")), "", 0, False, 0, None),
        ("opencode", _lines(OPENCODE_SAID, _opencode_step(None)), "", 1, False, 1, None),
        ("opencode", _lines(_opencode_step("length")), "", 0, True, 0, "the answer is empty"),
        ("opencode", _lines(OPENCODE_SAID, OPENCODE_ERROR), "", 0, False, 0, "quota"),
        (
            *("opencode", _lines(OPENCODE_ERROR, OPENCODE_SAID, _opencode_step("stop")), "", 0),
            *(True, 0, None),
        ),
        ("aider", "the work is done\n", "", 0, False, 0, None),
        ("aider", f"{AIDER_ERROR}\n", "", 0, False, 0, AIDER_ERROR),
        ("aider", f"{AIDER_DONE}\n{AIDER_ERROR}\n", "", 0, False, 0, AIDER_ERROR),
        (
            *("aider", f"{AIDER_ERROR}\nRetrying in 0.2 seconds...\nDone.\n{AIDER_DONE}\n", "", 0),
            *(False, 0, None),
        ),
        ("command", '{"text": "the work is done"}\n', "", 0, False, 0, None),
    ],
)
def test_the_format_says_what_a_turn_comes_to_and_that_nothing_more_comes(
    driver: str, out: str, err: str, code: int, final: bool, exit_code: int, error: str | None
) -> None:
    answer = driver_of(driver).read(out.encode(), err.encode())
    judged = judge_turn(answer, code, empty_is_error=driver_of(driver).empty_is_error)
    assert answer.final is final
    assert judged.exit_code == exit_code
    if error is not None and error.endswith("…"):
        assert (judged.error or "").startswith(error[:-1])
    else:
        assert judged.error == error


def test_the_totals_of_a_thread_are_not_added_up() -> None:
    later = {"type": "turn.completed", "usage": {"input_tokens": 30_000, "output_tokens": 200}}
    out = _lines(*CODEX_BEGUN, CODEX_SAID, CODEX_DONE, {"type": "turn.started"}, later)
    assert driver_of("codex").read(out.encode(), b"").usage == later["usage"]
    assert [name for name in DRIVERS if driver_of(name).counts_thread] == ["codex"]


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Iterator[TurnRunner]:
    monkeypatch.setattr(supervise, "GRACE_S", 0.3)
    monkeypatch.setattr(supervise, "_LOOK_AT_OUTPUT_S", 0.05)
    with TurnRunner(now=lambda: int(time.time() * 1000)) as found:
        yield found


@pytest.fixture
def turn(tmp_path: Path) -> Callable[..., Turn]:
    def make(driver: str, script: str, **more: Any) -> Turn:
        path = tmp_path / "program"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        agent = AgentDefinition(
            name="bot", **{"driver": driver, "argv": (str(path),), "cwd": str(tmp_path), **more}
        )
        return Turn(
            id=f"turn_{os.getpid()}_{tmp_path.name}",
            agent=agent,
            prompt="hello",
            files=files_at(str(tmp_path / "turn.")),
            timeout_s=30.0,
            idle_timeout_s=agent.idle_timeout_s,
            env={"PATH": os.environ["PATH"]},
        )

    return make


def _prints(*events: dict[str, Any]) -> str:
    return "".join(f"echo '{json.dumps(event)}'\n" for event in events)


@pytest.mark.parametrize(
    "afterwards",
    ["sleep 60", "while :; do echo '{}'; echo x >&2; sleep 0.1; done", "trap '' TERM; sleep 60"],
)
@pytest.mark.parametrize(
    ("driver", "events"),
    [
        ("claude", [CLAUDE_INIT, CLAUDE_RESULT]),
        ("codex", [*CODEX_BEGUN, CODEX_SAID, CODEX_DONE]),
        ("gemini", [GEMINI_SAID, GEMINI_DONE]),
        ("opencode", [OPENCODE_SAID, _opencode_step("stop")]),
    ],
)
def test_a_program_that_stays_after_its_result_has_answered(
    turns: TurnRunner, turn: Callable[..., Turn], driver: str, events: Any, afterwards: str
) -> None:
    """Its answer is its answer, though it never ends; it does not hold its slot for that long."""
    script = f"{_prints(*events)}{afterwards}"
    # One is enough to see that silence after the result does not count.
    limits = {"result_grace_s": 0.2, "idle_timeout_s": None}
    if driver == "claude":
        limits = {"result_grace_s": 2.2, "idle_timeout_s": 2.0}
    end = turns.run(turn(driver, script, **limits))
    assert (end.status, end.text) == ("succeeded", "the work is done")
    assert end.reason == "it was ended, because it stayed after its final result"


def test_a_program_that_stays_after_an_error_has_failed_with_it(
    turns: TurnRunner, turn: Callable[..., Turn]
) -> None:
    end = turns.run(turn("claude", f"{_prints(NOT_LOGGED_IN)}sleep 60", result_grace_s=0.0))
    assert (end.status, end.reason) == ("failed", f"the agent failed: {NOT_LOGGED_IN['result']}")


def test_who_ends_within_the_grace_is_left_alone(
    turns: TurnRunner, turn: Callable[..., Turn], tmp_path: Path
) -> None:
    script = f"{_prints(CLAUDE_RESULT)}sleep 0.5; echo >{tmp_path}/tidied"
    end = turns.run(turn("claude", script, result_grace_s=20.0))
    assert (end.status, end.reason) == ("succeeded", None)
    assert (tmp_path / "tidied").exists()


def test_a_result_that_comes_just_before_the_time_limit_counts(
    turns: TurnRunner, turn: Callable[..., Turn]
) -> None:
    asked = replace(turn("codex", f"{_prints(CODEX_SAID, CODEX_DONE)}sleep 60"), timeout_s=2.0)
    end = turns.run(asked)
    assert (end.succeeded, end.text) == (True, "the work is done")


@pytest.mark.parametrize(
    ("driver", "script", "said"),
    [
        (
            "codex",
            _prints(*CODEX_BEGUN, {"type": "error", "message": "fatal: no revision"}),
            "fatal: no revision",
        ),
        ("codex", _prints(CODEX_SAID, CODEX_LOST), "Reconnecting... 2/5"),
        ("claude", _prints(CLAUDE_INIT, CLAUDE_RETRY), "overloaded"),
        (
            "gemini",
            _prints({"type": "error", "severity": "warning", "message": "trying again"}),
            "trying again",
        ),
        ("opencode", _prints(OPENCODE_ERROR), "quota"),
        ("aider", "echo 'litellm.RateLimitError: slow down'", "litellm.RateLimitError: slow down"),
        ("command", "echo one >&2; echo two >&2", "two"),
    ],
)
def test_who_falls_silent_is_ended_with_its_own_last_error_as_the_reason(
    turns: TurnRunner, turn: Callable[..., Turn], driver: str, script: str, said: str
) -> None:
    end = turns.run(turn(driver, f"{script}\nsleep 60", idle_timeout_s=1.0))
    reason = f"nothing was printed for 1 s; its last error: {said}"
    assert (end.status, end.reason, end.error) == ("timed_out", reason, reason)


@pytest.mark.parametrize("stream", ["1", "2"])
def test_who_prints_now_and_then_to_either_stream_is_not_silent(
    turns: TurnRunner, turn: Callable[..., Turn], stream: str
) -> None:
    script = f"for n in 1 2 3 4 5 6 7 8 9; do echo $n >&{stream}; sleep 0.25; done; echo done"
    end = turns.run(turn("command", script, idle_timeout_s=2.0))
    assert end.succeeded
    assert end.text.endswith("done")


def test_a_turn_that_a_dead_pass_left_is_judged_by_when_it_last_printed(tmp_path: Path) -> None:
    where = files_at(str(tmp_path / "turn."))
    agent = AgentDefinition(name="bot", driver="claude", cwd="/", idle_timeout_s=60.0)
    assert cause_to_end(where, agent, 1_000.0) is None
    (tmp_path / "turn.out").write_text(_lines(CLAUDE_INIT))
    (tmp_path / "turn.err").write_text("noise")
    os.utime(tmp_path / "turn.out", (1_000.0, 1_000.0))
    os.utime(tmp_path / "turn.err", (1_050.0, 1_050.0))
    assert cause_to_end(where, agent, 1_109.0) is None
    assert cause_to_end(where, agent, 1_110.0) is Cause.IDLE
    (tmp_path / "turn.out").write_text(_lines(CLAUDE_INIT, CLAUDE_RESULT))
    os.utime(tmp_path / "turn.out", (1_000.0, 1_000.0))
    assert cause_to_end(where, agent, 1_054.0) is None
    assert cause_to_end(where, agent, 1_055.0) is Cause.ANSWERED


def test_an_orphan_that_stays_after_its_result_is_settled_by_the_next_pass(
    cuectl: Cuectl, state: StoreState
) -> None:
    """Its pass was killed, so nobody ended it after the grace; it must not keep its slot."""
    script = f"#!/bin/sh\n{_prints(CLAUDE_INIT, CLAUDE_RESULT)}echo >$HOME/up; sleep 60\n"
    path = program(cuectl, "claude", script)
    define(cuectl, f"agents: {{bot: {{driver: claude, cmd: ['{path}'], result_grace: 0s}}}}\n")
    ask(cuectl, "ask")
    passing = cuectl.at("2026-11-21T02:00:00Z").start("run-due")
    until(lambda: (cuectl.user / "up").exists())
    passing.kill()
    passing.communicate()
    run(cuectl, "2026-11-21T02:01:00Z")
    run(cuectl, "2026-11-21T02:02:00Z")
    record = state.one()
    assert (record["status"], record["result"]) == ("succeeded", "the work is done")
    until(lambda: not processes_with(str(cuectl.work)))


TALK = """\
from cuectl.workflow import workflow

@workflow
async def talk(engine):
    handle = await engine.spawn("cx")
    for text in ("one", "two"):
        engine.send(handle, text)
    return [[m.status, m.body] for m in await engine.drain(handle)]
"""


def test_the_turns_of_a_session_end_and_count_like_all_others(cuectl: Cuectl) -> None:
    first = _prints(*CODEX_BEGUN, CODEX_SAID, CODEX_DONE)
    more = {"type": "turn.completed", "usage": {"input_tokens": 30_000, "output_tokens": 200}}
    second = _prints(*CODEX_BEGUN, CODEX_SAID, more)
    script = f'#!/bin/sh\ncase "$*" in *resume*) {second};; *) {first};; esac\nsleep 60\n'
    path = program(cuectl, "codex", script)
    cuectl.files(
        {
            "talk.py": TALK,
            "cue.yaml": f"agents: {{cx: {{driver: codex, cmd: ['{path}'], result_grace: 0s}}}}\n"
            "workflows: [talk.py]\n",
        }
    )
    assert cuectl.run("apply", "cue.yaml").status == 0
    assert cuectl.json("workflow", "run", "talk")["result"] == [["ok", "the work is done"]] * 2
    [session] = cuectl.json("sessions", "list", "--all")
    assert (session["turns"], session["usage"]) == (2, more["usage"])


def test_a_silent_turn_of_a_session_says_its_last_error(cuectl: Cuectl) -> None:
    path = program(cuectl, "codex", f"#!/bin/sh\n{_prints(*CODEX_BEGUN, CODEX_LOST)}sleep 60\n")
    agent = f"{{driver: codex, cmd: ['{path}'], idle_timeout: 2s}}"
    cuectl.files({"talk.py": TALK, "cue.yaml": f"agents: {{cx: {agent}}}\nworkflows: [talk.py]\n"})
    assert cuectl.run("apply", "cue.yaml").status == 0
    said = "the turn printed nothing for 2 s; its last error: Reconnecting... 2/5"
    assert cuectl.json("workflow", "run", "talk")["result"] == [["error", said]] * 2
