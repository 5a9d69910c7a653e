from __future__ import annotations

import json
from typing import Any

import pytest

from cuectl.agents.command import LONGEST_ARGUMENT, turn_command
from cuectl.agents.drivers.driver import DRIVERS, driver_of
from cuectl.agents.rules import Answer, PromptRequest
from cuectl.agents.section import DRIVERS as NAMES
from cuectl.definitions.rules.definitions import AgentDefinition
from cuectl.values.errors import CuectlError


def _lines(*events: dict[str, Any]) -> bytes:
    return "".join(f"{json.dumps(event)}\n" for event in events).encode()


def _read(driver: str, out: bytes, err: bytes = b"") -> Answer:
    return driver_of(driver).read(out, err)


def test_every_driver_that_a_file_may_name_has_an_adapter() -> None:
    assert DRIVERS == NAMES
    assert all(driver_of(name).read(b"", b"") == Answer() for name in DRIVERS)


_CLAUDE = "-p --output-format stream-json --verbose --permission-mode acceptEdits"
_AIDER = (
    "--yes-always --no-pretty --no-stream --no-check-update --no-show-release-notes "
    "--analytics-disable"
)


def _ask(prompt: str = "go", **more: Any) -> PromptRequest:
    return PromptRequest(prompt=prompt, prompt_file="/p", cwd="/w", **more)


def _agent(driver: str, **more: Any) -> AgentDefinition:
    return AgentDefinition(name="a", driver=driver, cwd="/w", **more)


@pytest.mark.parametrize(
    ("agent", "argv", "reads_prompt"),
    [
        (_agent("claude", model="opus"), f"claude {_CLAUDE} --model opus", True),
        (
            _agent("codex", args=("-c", "x=1")),
            "codex exec --json --skip-git-repo-check -s workspace-write -c x=1 -",
            True,
        ),
        (_agent("gemini"), "gemini -o stream-json --approval-mode auto_edit", True),
        (_agent("opencode"), "opencode run --format json --auto", True),
        (_agent("aider"), f"aider {_AIDER} --message-file /p", False),
        (_agent("claude", argv=("/opt/claude",), prompt="arg"), "/opt/claude ...", False),
        (_agent("command", argv=("./x",)), "./x", True),
        (_agent("command", argv=("./x",), prompt="arg"), "./x go", False),
        (_agent("command", argv=("./x",), prompt="file"), "./x /p", False),
        (_agent("command", argv=("./x", "--say={prompt}")), "./x --say=go", False),
        (_agent("command", argv=("./x", "{prompt_file}", "{cwd}")), "./x /p /w", False),
    ],
)
def test_a_turn_has_the_command_line_of_its_driver(
    agent: AgentDefinition, argv: str, reads_prompt: bool
) -> None:
    ask = _ask(model=agent.model)
    command = turn_command(agent, ask)
    if argv.endswith("..."):
        assert command.argv[0] == "/opt/claude"
        assert command.argv[-1] == "go"
    else:
        assert " ".join(command.argv) == argv
    assert command.reads_prompt is reads_prompt


def test_the_home_directory_may_stand_before_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    command = turn_command(_agent("command", argv=("~/bin/x", "~")), _ask())
    assert command.argv == ("/home/me/bin/x", "~")


def test_a_prompt_is_never_part_of_a_line_for_the_shell() -> None:
    agent = _agent("command", shell="cat; echo {prompt}", prompt="arg")
    command = turn_command(agent, _ask("$(rm -rf /)"))
    assert command.argv == (*("/bin/sh", "-c", 'cat; echo {prompt} "$@"', "a"), "$(rm -rf /)")


def test_what_a_prompt_names_is_not_replaced_in_it() -> None:
    command = turn_command(_agent("command", argv=("x", "{prompt}")), _ask("{cwd} {model}"))
    assert command.argv == ("x", "{cwd} {model}")


@pytest.mark.parametrize("driver", ["claude", "codex", "gemini", "opencode", "aider"])
def test_a_prompt_that_begins_with_a_dash_is_no_option(driver: str) -> None:
    """Guards: `gemini -p --yolo` and `aider --message --yes` took the prompt as an option."""
    argv = turn_command(_agent(driver, prompt="arg"), _ask("--yolo")).argv
    assert argv[-1] in ("--prompt=--yolo", "--message=--yolo") or argv[-2:] == ("--", "--yolo")


@pytest.mark.parametrize("prompt", ["x\0", "é" * LONGEST_ARGUMENT])
def test_what_can_be_no_argument_is_refused(prompt: str) -> None:
    with pytest.raises(CuectlError):
        turn_command(_agent("command", argv=("x",), prompt="arg"), _ask(prompt))


def test_a_conversation_goes_on_where_the_program_can_do_that() -> None:
    argv = turn_command(_agent("codex"), _ask(session="t1")).argv
    assert argv[-3:] == ("resume", "t1", "-")
    assert turn_command(_agent("claude"), _ask(session="s")).argv[-2:] == ("--resume", "s")


_RESULT = {"type": "result", "subtype": "success", "is_error": False, "result": "fine"}


@pytest.mark.parametrize(
    ("driver", "out", "text", "error"),
    [
        ("claude", _lines({"type": "system", "session_id": "s"}, _RESULT), "fine", None),
        ("claude", json.dumps(_RESULT, indent=2).encode(), "fine", None),
        ("claude", _lines(_RESULT | {"is_error": True, "result": "limit"}), "limit", "limit"),
        ("claude", _lines(_RESULT | {"subtype": "error_max_turns", "result": ""}), "", "..."),
        ("claude", _lines(_RESULT | {"result": "API Error: 500"}), "API Error: 500", "..."),
        (
            "claude",
            _lines(
                {"type": "assistant", "message": {"content": [{"type": "text", "text": "A"}]}},
                _RESULT | {"result": ""},
            ),
            "A",
            None,
        ),
        ("claude", b"plain words\n", "plain words", None),
        (
            "codex",
            _lines(
                {"type": "thread.started", "thread_id": "t"},
                {"type": "error", "message": "Reconnecting... 2/5"},
                {"type": "item.completed", "item": {"type": "agent_message", "text": "one"}},
                {"type": "item.completed", "item": {"type": "agent_message", "text": "two"}},
                {"type": "turn.completed", "usage": {"input_tokens": 3}},
            ),
            "two",
            None,
        ),
        ("codex", _lines({"type": "turn.failed", "error": {"message": "no"}}), "", "no"),
        ("codex", _lines({"type": "error", "message": "gone"}), "", "gone"),
        ("gemini", json.dumps({"session_id": "g", "response": "hi"}).encode(), "hi", None),
        (
            "gemini",
            _lines(
                {"type": "init", "session_id": "g"},
                {"type": "message", "role": "user", "content": "q"},
                {"type": "message", "role": "assistant", "content": "a", "delta": True},
                {"type": "message", "role": "assistant", "content": "b", "delta": True},
                {"type": "error", "severity": "warning", "message": "w"},
                {"type": "result", "status": "success", "stats": {"total_tokens": 1}},
            ),
            "ab",
            None,
        ),
        (
            "gemini",
            _lines({"type": "result", "status": "error", "error": {"message": "bad"}}),
            "",
            "bad",
        ),
        (
            "opencode",
            _lines(
                {"type": "text", "sessionID": "o", "part": {"text": "thinking"}},
                {"type": "tool_use", "part": {}},
                {"type": "text", "part": {"text": "done"}},
                {"type": "step_finish", "part": {"cost": 0.5, "tokens": {"input": 1}}},
            ),
            "done",
            None,
        ),
        (
            "opencode",
            _lines({"type": "error", "error": {"name": "E", "data": {"message": "m"}}}),
            "",
            "m",
        ),
        ("aider", b"hello\nlitellm.AuthenticationError: no key\n", "...", "..."),
        ("aider", b"hello\nTokens: 1 sent. Cost: $0.02 message, $0.02 session.", "...", None),
        ("command", b"\xff ok\n\n", "\ufffd ok", None),
        ("command", b'log\n{"text": "t", "error": null}\n', "t", None),
        ("command", b'{"error": "no"}', "", "no"),
        ("command", b'{"text": "t", "other": 1}', '{"text": "t", "other": 1}', None),
    ],
)
def test_an_answer_is_read_as_its_format_says(
    driver: str, out: bytes, text: str, error: str | None
) -> None:
    answer = _read(driver, out)
    assert text in ("...", answer.text)
    assert (answer.error is not None) if error == "..." else (answer.error == error)


def test_what_stands_beside_the_answer_is_kept() -> None:
    result = _RESULT | {"session_id": "s1", "total_cost_usd": 0.25, "usage": {"input_tokens": 7}}
    answer = _read("claude", _lines(result | {"permission_denials": [{"tool_name": "Bash"}]}))
    assert answer.metadata() == {
        "session": "s1",
        "cost_usd": 0.25,
        "usage": {"input_tokens": 7},
        "denied": ["Bash"],
    }


def test_a_fatal_error_of_gemini_stands_on_its_standard_error() -> None:
    said = {"session_id": "g", "error": {"type": "Auth", "message": "log in", "code": 41}}
    answer = _read("gemini", b"", b"warning\n" + json.dumps(said, indent=2).encode())
    assert (answer.error, answer.session) == ("log in", "g")


def test_objects_without_line_breaks_between_them_are_read() -> None:
    out = json.dumps({"type": "system", "session_id": "s"}) + json.dumps(_RESULT)
    assert _read("claude", out.encode()).text == "fine"
