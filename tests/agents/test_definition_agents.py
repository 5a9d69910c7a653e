from __future__ import annotations

import pytest

from cuectl.definitions.rules.definitions import AgentDefinition, QueueDefinition
from tests.definitions.definition_texts import errors, load


def agent(text: str) -> AgentDefinition:
    return load(f"agents:\n  a: {text}\n").agents["a"]


def test_an_agent_has_a_driver_and_what_it_is_told() -> None:
    text = "{driver: claude, cwd: ~/src, model: opus, timeout: 30m, idle_timeout: 300, id: 5f1c-a}"

    assert agent(text) == AgentDefinition(
        name="a",
        driver="claude",
        cwd="~/src",
        model="opus",
        timeout_s=1800,
        idle_timeout_s=300,
        id="5f1c-a",
    )


def test_an_agent_may_be_any_command() -> None:
    assert agent("{driver: command, cmd: [./lint], prompt: stdin}").argv == ("./lint",)
    assert agent("{cmd: ./lint | tee log}") == AgentDefinition(
        name="a", driver="command", shell="./lint | tee log", cwd="/srv/shop"
    )


def test_arguments_are_taken_as_they_are_written() -> None:
    assert agent("{driver: claude, args: [--max-turns, 5]}").args == ("--max-turns", "5")


def test_limits_and_variables_of_an_agent() -> None:
    found = agent("{driver: codex, max_concurrent: 2, queue_size: 0, env: {A: 1}}")

    assert (found.max_concurrent, found.queue_size, found.env) == (2, 0, {"A": "1"})


def test_what_a_driver_knows_may_be_said_otherwise() -> None:
    found = agent(
        "{cmd: [x, run], driver: codex, output: json, ok_exit: [0, 3], empty_is_error: false, "
        "error_pattern: '^Error', start_args: [--id, '{session_id}'], "
        "resume_args: -c, prompt: file}"
    )

    assert (found.output, found.ok_exit, found.empty_is_error) == ("json", (0, 3), False)
    assert (found.error_pattern, found.prompt) == ("^Error", "file")
    assert (found.start_args, found.resume_args) == (("--id", "{session_id}"), ("-c",))
    assert agent("{cmd: [x], ok_exit: 7}").ok_exit == (7,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "{cmd: [x], output: xml}",
            (
                "2:25: 'output' in agent 'a' must be text, json, claude, codex, gemini, opencode "
                "or aider, not 'xml'"
            ),
        ),
        (
            "{cmd: [x], ok_exit: [256]}",
            (
                "2:27: 'ok_exit' in agent 'a' must be an exit code from 0 to 255, or a list of "
                "them, not 256"
            ),
        ),
        (
            "{cmd: [x], error_pattern: '('}",
            (
                "2:32: 'error_pattern' in agent 'a' is not a regular expression: missing ), "
                "unterminated subpattern at position 0"
            ),
        ),
        (
            "{driver: gemini, prompt: file}",
            "2:31: 'prompt' in agent 'a' is 'file', which 'gemini' has no option for",
        ),
        ("{}", "2:6: agent 'a' has neither 'driver' nor 'cmd'"),
        ("{driver: command}", "2:6: agent 'a' has the driver 'command' and no 'cmd'"),
        (
            "{driver: cloud}",
            (
                "2:15: 'driver' in agent 'a' must be claude, codex, gemini, opencode, aider or "
                "command, not 'cloud'"
            ),
        ),
        (
            "{driver: claude, prompt: pipe}",
            "2:31: 'prompt' in agent 'a' must be stdin, arg or file, not 'pipe'",
        ),
        (
            "{driver: claude, max_concurrent: 0}",
            "2:39: 'max_concurrent' in agent 'a' must be from 1 to 100, not 0",
        ),
        (
            "{driver: claude, queue_size: 10001}",
            "2:35: 'queue_size' in agent 'a' must be from 0 to 10000, not 10001",
        ),
        ("{driver: claude, model: 4.1}", "2:30: 'model' in agent 'a' must be text, not 4.1"),
        ("{driver: claude, modle: x}", "2:23: unknown key 'modle' in agent 'a'"),
        (
            "{driver: claude, args: 5}",
            "2:29: 'args' in agent 'a' must be a text or a list of texts, not 5",
        ),
    ],
)
def test_what_is_wrong_in_an_agent_is_said_at_its_place(text: str, message: str) -> None:
    assert errors(f"agents:\n  a: {text}\n") == [message]


def test_a_queue_hands_work_to_one_agent() -> None:
    text = "agents: {b: {driver: claude}}\nqueues: {q: {agent: b, max_parallel: 2, timeout: 1h}}\n"

    assert load(text).queues["q"] == QueueDefinition(
        name="q", agent="b", max_parallel=2, timeout_s=3600
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "2:6: queue 'q' has no 'agent'"),
        ("{agent: [b]}", "2:14: 'agent' in queue 'q' must be text, not a list"),
        (
            "{agent: b, max_parallel: 0}",
            "2:31: 'max_parallel' in queue 'q' must be from 1 to 100, not 0",
        ),
        ("{agent: b, retry: 1}", "2:17: unknown key 'retry' in queue 'q'"),
    ],
)
def test_what_is_wrong_in_a_queue_is_said_at_its_place(text: str, message: str) -> None:
    assert errors(f"queues:\n  q: {text}\nagents: {{b: {{driver: claude}}}}\n") == [message]
