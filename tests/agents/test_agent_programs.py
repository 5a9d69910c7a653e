"""Stand-ins for each known program: what it is given, and what is made of what it prints."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.fixtures.agent_stubs import define, program

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import StoreState


# Notes what it was given; then prints the files `out` and `err`, and exits as `exit` says.
STUB = """#!/bin/sh
cd "$HOME"
for word; do printf '%s\\n' "$word"; done >given-words
cat >given-input
env >given-environment
for word; do [ -f "$word" ] && cp "$word" given-file; done
cat out; cat err >&2
exit "$(cat exit)"
"""


def asked(
    cuectl: Cuectl,
    driver: str,
    out: list[dict[str, Any]] | bytes,
    *,
    err: bytes = b"",
    code: int = 0,
    more: str = "",
    prompt: str = "-look: {{CUE_TRIGGER_NAME}}",
) -> dict[str, Any]:
    """Ask an agent whose program answers so; return the record of the execution."""
    path = program(cuectl, driver, STUB)
    define(cuectl, f"agents: {{bot: {{driver: {driver}, cmd: ['{path}']{more}}}}}\n")
    if not isinstance(out, bytes):
        out = "".join(f"{json.dumps(each)}\n" for each in out).encode()
    for name, data in (("out", out), ("err", err), ("exit", str(code).encode())):
        (cuectl.user / name).write_bytes(data)
    cuectl.at("2026-11-21T01:00:00Z")
    words = ("create", "--name", "ask", "--at", "2026-11-21T02:00:00Z", "--agent", "bot")
    answer = cuectl.run(*words, "--prompt", prompt)
    assert answer.status == 0, answer
    cuectl.at("2026-11-21T02:00:00Z").run("run-due")
    [row] = cuectl.json("executions", "list")
    found: dict[str, Any] = cuectl.json("executions", "get", row["id"])
    return found


CLAUDE: list[dict[str, Any]] = [
    {"type": "system", "subtype": "init", "session_id": "c-1"},
    {"type": "assistant", "message": {"content": [{"type": "text", "text": "thinking"}]}},
    {
        "type": "result",
        "subtype": "success",
        "is_error": False,
        "result": "All is fine.",
        "session_id": "c-1",
        "total_cost_usd": 0.25,
        "usage": {"input_tokens": 7, "output_tokens": 3},
    },
]
CODEX: list[dict[str, Any]] = [
    {"type": "thread.started", "thread_id": "t-1"},
    {"type": "turn.started"},
    {"type": "error", "message": "Reconnecting... 2/5"},
    {"type": "item.completed", "item": {"type": "agent_message", "text": "All is fine."}},
    {"type": "turn.completed", "usage": {"input_tokens": 7, "output_tokens": 3}},
]
GEMINI: list[dict[str, Any]] = [
    {"type": "init", "session_id": "g-1", "model": "m"},
    {"type": "message", "role": "user", "content": "q"},
    {"type": "message", "role": "assistant", "content": "All is ", "delta": True},
    {"type": "message", "role": "assistant", "content": "fine.", "delta": True},
    {"type": "result", "status": "success", "stats": {"total_tokens": 10}},
]
OPENCODE: list[dict[str, Any]] = [
    {"type": "step_start", "sessionID": "o-1", "part": {}},
    {"type": "text", "sessionID": "o-1", "part": {"text": "let me see"}},
    {"type": "tool_use", "sessionID": "o-1", "part": {}},
    {"type": "text", "sessionID": "o-1", "part": {"text": "All is fine."}},
    {"type": "step_finish", "sessionID": "o-1", "part": {"cost": 0.25, "tokens": {"input": 7}}},
]
AIDER = b"All is fine.\nTokens: 7 sent. Cost: $0.25 message, $0.25 session.\n"


@pytest.mark.parametrize(
    ("driver", "out", "session", "cost"),
    [
        ("claude", CLAUDE, "c-1", 0.25),
        ("codex", CODEX, "t-1", None),
        ("gemini", GEMINI, "g-1", None),
        ("opencode", OPENCODE, "o-1", 0.25),
        ("aider", AIDER, None, 0.25),
        ("command", b'log\n{"text": "All is fine.", "session_id": "x-1"}\n', "x-1", None),
    ],
)
def test_the_answer_of_each_program_is_kept_with_its_conversation(
    cuectl: Cuectl,
    state: StoreState,
    driver: str,
    out: Any,
    session: str | None,
    cost: float | None,
) -> None:
    record = asked(cuectl, driver, out)
    assert record["status"] == "succeeded", record
    assert record["result"].startswith("All is fine.")
    metadata = record["metadata"] or {}
    assert (metadata.get("session"), metadata.get("cost_usd")) == (session, cost)
    told = cuectl.run("executions", "output", record["id"], "--answer").stdout
    assert told.startswith("All is fine.")
    given = cuectl.user / ("given-file" if driver == "aider" else "given-input")
    assert given.read_text() == "-look: ask"


def test_each_program_is_called_as_its_maker_says(cuectl: Cuectl) -> None:
    asked(cuectl, "claude", CLAUDE, more=", model: opus, args: [--max-turns, 5]")
    words = (cuectl.user / "given-words").read_text().split()
    assert words == [
        *("-p", "--output-format", "stream-json", "--verbose", "--permission-mode", "acceptEdits"),
        *("--model", "opus", "--max-turns", "5"),
    ]
    environment = (cuectl.user / "given-environment").read_text()
    assert "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS=1\n" in environment
    assert "CUE_AGENT=bot\n" in environment


@pytest.mark.parametrize("driver", ["claude", "codex", "opencode", "gemini", "aider"])
def test_a_prompt_that_begins_with_a_dash_may_be_an_argument(cuectl: Cuectl, driver: str) -> None:
    asked(cuectl, driver, b"fine\n", more=", prompt: arg")
    words = (cuectl.user / "given-words").read_text().splitlines()
    joined = {"gemini": "--prompt=-look: ask", "aider": "--message=-look: ask"}
    last = [joined[driver]] if driver in joined else ["--", "-look: ask"]
    assert words[-len(last) :] == last
    assert (cuectl.user / "given-input").read_text() == ""


RESULT = CLAUDE[-1]


@pytest.mark.parametrize(
    ("driver", "out", "err", "code", "why"),
    [
        (
            "claude",
            [RESULT | {"is_error": True, "result": "API Error: 500 {}"}],
            b"",
            0,
            "the agent failed: API Error: 500 {}",
        ),
        (
            "claude",
            [RESULT | {"result": "API Error: Rate limit reached"}],
            b"",
            0,
            "the agent failed: API Error: Rate limit reached",
        ),
        (
            "claude",
            [RESULT | {"subtype": "error_max_turns", "result": None}],
            b"",
            0,
            "the agent failed: error_max_turns",
        ),
        ("claude", [RESULT | {"result": ""}], b"", 0, "the agent failed: the answer is empty"),
        (
            "claude",
            [RESULT | {"result": "", "permission_denials": [{"tool_name": "Bash"}]}],
            b"",
            0,
            "the agent failed: the answer is empty; it was denied: Bash",
        ),
        ("claude", b"", b"No conversation found with session ID\n", 1, "exit status 1"),
        ("claude", b"", b"", 0, "the agent failed: the answer is empty"),
        (
            "codex",
            [{"type": "turn.failed", "error": {"message": "stream lost"}}],
            b"",
            0,
            "the agent failed: stream lost",
        ),
        ("codex", [*CODEX[:3]], b"", 0, "the agent failed: Reconnecting... 2/5"),
        ("codex", CODEX[:2], b"", 1, "exit status 1"),
        (
            "gemini",
            b"",
            b'noise\n{"session_id": "g", "error": {"message": "log in", "code": 41}}\n',
            41,
            "the agent failed: log in",
        ),
        (
            "gemini",
            [*GEMINI[:3], {"type": "result", "status": "error", "error": {"message": "quota"}}],
            b"",
            0,
            "the agent failed: quota",
        ),
        (
            "opencode",
            [{"type": "error", "error": {"name": "APIError", "data": {"message": "no key"}}}],
            b"",
            0,
            "the agent failed: no key",
        ),
        ("opencode", b"", b"", 0, "the agent failed: the answer is empty"),
        (
            "aider",
            b"hm\nlitellm.AuthenticationError: no key\n",
            b"",
            0,
            "the agent failed: litellm.AuthenticationError: no key",
        ),
        ("command", b'{"error": "no key"}\n', b"", 0, "the agent failed: no key"),
        ("command", b"half an answer\n", b"", 9, "exit status 9"),
    ],
)
def test_what_only_looks_like_a_success_is_a_failure_with_its_reason(
    cuectl: Cuectl, state: StoreState, driver: str, out: Any, err: bytes, code: int, why: str
) -> None:
    record = asked(cuectl, driver, out, err=err, code=code)
    assert (record["status"], record["reason"]) == ("failed", why)
    assert record["exit_code"] == code
    # Where nothing was said, nothing is made up: the reason tells the exit status.
    assert record["error"] or why == f"exit status {code}"
    assert state.of_type("execution.settled")[-1]["record"]["outcome_state"] == "reported_failure"


@pytest.mark.parametrize(("driver", "out"), [("claude", CLAUDE), ("codex", CODEX)])
def test_a_good_answer_is_one_whatever_the_program_exits_with(
    cuectl: Cuectl, state: StoreState, driver: str, out: Any
) -> None:
    record = asked(cuectl, driver, out, code=1)
    assert (record["status"], record["exit_code"]) == ("succeeded", 1)


def test_a_structured_error_counts_against_an_outcome_that_says_success(
    cuectl: Cuectl, state: StoreState
) -> None:
    path = program(
        cuectl,
        "bot",
        '#!/bin/sh\ncuectl report --success --summary done\necho \'{"error": "no"}\'\n',
    )
    define(cuectl, f"agents: {{bot: {{cmd: ['{path}']}}}}\n")
    cuectl.at("2026-11-21T01:00:00Z")
    cuectl.run("create", "--name", "ask", "--in", "1h", "--agent", "bot", "--prompt", "x")
    # An hour from when the command looked at its clock, which was a little after one.
    cuectl.at("2026-11-21T02:00:20Z").run("run-due")
    record = state.one()
    why = "the agent failed: no, though the outcome says success"
    assert (record["status"], record["reason"], record["summary"]) == ("failed", why, "done")


@pytest.mark.parametrize(
    "out",
    [
        b"\x00\xff\xfe\x1b]0;title\x07\r\n" * 1_000,
        b'{"type": "result"',
        b"[" * 100_000,
        b'{"type":' * 10_000,
        (
            b'{"type": "result", "result": "\\ud800", "usage": {"\\ud800": NaN, "a": 1e999}, '
            b'"total_cost_usd": Infinity, "session_id": "--evil"}\n'
        ),
        b'{"type": 5}\n{"type": "assistant", "message": "x"}\n{"result": 3, "type": "result"}\n',
        b'[{"type": "result", "subtype": "success", "result": "fine"}]',
    ],
)
@pytest.mark.parametrize("driver", ["claude", "codex", "gemini", "opencode", "aider", "command"])
def test_no_output_upsets_the_pass_or_the_store(
    cuectl: Cuectl, state: StoreState, driver: str, out: bytes
) -> None:
    record = asked(cuectl, driver, out, err=out)
    assert record["status"] in ("succeeded", "failed")
    assert (record["metadata"] or {}).get("session") is None
    assert cuectl.run("executions", "get", record["id"]).status == 0


def test_a_long_answer_among_megabytes_of_events_is_found(
    cuectl: Cuectl, state: StoreState
) -> None:
    noise = (json.dumps({"type": "user", "message": "x" * 1_000}) + "\n").encode() * 12_000
    answer = "é" * 20_000
    out = noise + json.dumps(RESULT | {"result": answer}).encode() + b"\n"
    record = asked(cuectl, "claude", out)
    assert record["status"] == "succeeded"
    assert record["result"] == "…" + "é" * 1_999
    [kept] = cuectl.home.glob("runs/*/*.answer")
    assert kept.read_text() == answer
    assert kept.stat().st_mode & 0o777 == 0o600
    [printed] = cuectl.home.glob("runs/*/*.out")
    assert printed.stat().st_size < 11 << 20
