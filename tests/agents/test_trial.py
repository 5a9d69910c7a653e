"""Turns outside of a pass: run, ended, read and judged."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cuectl.agents.trial import TurnRunner
from cuectl.agents.turn import Turn, files_at
from cuectl.definitions.rules.definitions import AgentDefinition
from cuectl.executions import supervise
from cuectl.executions.rules.record import ExecutionStatus
from cuectl.values.safe_text import Masker
from tests.fixtures.observing import is_gone, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Iterator[TurnRunner]:
    monkeypatch.setattr(supervise, "GRACE_S", 0.3)
    here = os.getcwd()
    with TurnRunner(now=lambda: int(time.time() * 1000)) as found:
        yield found
    assert os.getcwd() == here


@pytest.fixture
def turn(tmp_path: Path) -> Callable[..., Turn]:
    numbers = iter(range(100))

    def make(script: str, prompt: str = "hello", **more: Any) -> Turn:
        number = next(numbers)
        limits = {name: more.pop(name) for name in list(more) if name in _OF_A_TURN}
        agent = AgentDefinition(
            name="bot", **{"driver": "command", "shell": script, "cwd": str(tmp_path), **more}
        )
        return Turn(
            id=f"turn_{os.getpid()}_{tmp_path.name}_{number}",
            agent=agent,
            prompt=prompt,
            files=files_at(str(tmp_path / f"{number}." / "turn.")),
            env={"PATH": os.environ["PATH"]},
            **{"timeout_s": 60.0, **limits},
        )

    return make


_OF_A_TURN = ("timeout_s", "idle_timeout_s", "session", "new_session", "own_env")


def test_a_turn_gives_its_final_text(turns: TurnRunner, turn: Callable[..., Turn]) -> None:
    end = turns.run(turn('printf "%s: " "$CUE_AGENT"; cat; echo; echo noise >&2'))
    assert (end.status, end.reason, end.text) == (ExecutionStatus.SUCCEEDED, None, "bot: hello")
    assert end.succeeded
    assert Path(end.files.err).read_text() == "noise\n"
    assert Path(end.files.out).stat().st_mode & 0o777 == 0o600
    assert end.duration_s is not None


@pytest.mark.parametrize(
    ("script", "more", "status", "reason"),
    [
        ("exit 3", {}, "failed", "exit status 3"),
        ("kill -9 $$", {}, "failed", "signal 9"),
        ('echo \'{"error": "no money"}\'', {}, "failed", "the agent failed: no money"),
        ("sleep 60", {"timeout_s": 0.3}, "timed_out", "time limit of 0.3 s exceeded"),
        (
            "echo begun; sleep 60",
            {"idle_timeout_s": 0.3},
            "timed_out",
            "nothing was printed for 0.3 s",
        ),
        ("true", {"empty_is_error": True}, "failed", "the agent failed: the answer is empty"),
        ("echo fine; exit 7", {"ok_exit": (0, 7)}, "succeeded", None),
        ("echo fine", {"ok_exit": (1,)}, "failed", "the agent failed: exit status 0"),
        ("echo a; echo Oops: b", {"error_pattern": "^Oops"}, "failed", "the agent failed: Oops: b"),
        ("echo words", {"output": "json"}, "failed", None),
    ],
)
def test_a_turn_is_judged_by_all_that_is_known_of_it(
    turns: TurnRunner,
    turn: Callable[..., Turn],
    script: str,
    more: dict[str, Any],
    status: str,
    reason: str | None,
) -> None:
    end = turns.run(turn(script, **more))
    assert end.status == status
    if reason is not None or status == "succeeded":
        assert end.reason == reason


def test_a_program_that_is_not_there_is_a_failure_with_its_name(
    turns: TurnRunner, turn: Callable[..., Turn]
) -> None:
    end = turns.run(turn("", shell=None, argv=("/no/such/agent",)))
    assert end.status == "failed"
    assert "/no/such/agent" in (end.reason or "")


def test_what_a_signal_has_cut_off_is_a_signal_though_an_error_was_printed(
    turns: TurnRunner, turn: Callable[..., Turn]
) -> None:
    end = turns.run(turn('echo \'{"error": "no money"}\'; kill -15 $$'))
    assert (end.reason, end.error) == ("signal 15", "no money")


def test_a_prompt_of_any_size_comes_by_the_standard_input(
    turns: TurnRunner, turn: Callable[..., Turn]
) -> None:
    end = turns.run(turn("wc -c", prompt="é\0$(x)" * 400_000))
    assert end.text.strip() == str(400_000 * 7)


def test_bytes_of_any_kind_and_number_may_be_printed(
    turns: TurnRunner, turn: Callable[..., Turn]
) -> None:
    end = turns.run(turn("head -c 12000000 /dev/zero | tr '\\0' '\\377'; printf ' end\\n'"))
    assert end.succeeded
    assert end.text.endswith("\ufffd end")
    assert Path(end.files.out).stat().st_size < 11_000_000


def test_a_time_limit_ends_the_whole_tree(
    turns: TurnRunner, turn: Callable[..., Turn], tmp_path: Path
) -> None:
    script = "(trap '' TERM; echo $$ >a; setsid sleep 61 & echo $! >b; wait) & wait"
    end = turns.run(turn(script, timeout_s=1.0))
    assert end.status == "timed_out"
    pids = [int((tmp_path / name).read_text()) for name in ("a", "b")]
    until(lambda: all(is_gone(pid) for pid in pids))


def _claude(tmp_path: Path, **more: Any) -> Path:
    result = {"type": "result", "subtype": "success", "is_error": False, "result": "fine", **more}
    path = tmp_path / "claude"
    path.write_text(f"#!/bin/sh\necho \"$@\" >args\ncat >/dev/null\necho '{json.dumps(result)}'\n")
    path.chmod(0o755)
    return path


def test_a_conversation_has_an_id_to_go_on_with(
    turns: TurnRunner, turn: Callable[..., Turn], tmp_path: Path
) -> None:
    path = _claude(tmp_path, session_id="s-1", total_cost_usd=0.5, usage={"input_tokens": 3})
    more = {"shell": None, "driver": "claude", "argv": (str(path),)}
    first = turns.run(turn("", **more))
    assert (first.session, first.cost_usd, first.usage) == ("s-1", 0.5, {"input_tokens": 3})
    assert Path(first.files.answer).read_text() == "fine"
    turns.run(turn("", session=first.session, **more))
    assert (tmp_path / "args").read_text().endswith(" --resume s-1\n")


def test_the_id_of_a_conversation_is_chosen_where_the_program_lets_one(
    turns: TurnRunner, turn: Callable[..., Turn], tmp_path: Path
) -> None:
    more = {"shell": None, "driver": "claude", "argv": (str(_claude(tmp_path)),)}
    assert turns.run(turn("", new_session="abc", **more)).session == "abc"
    assert (tmp_path / "args").read_text().endswith(" --session-id abc\n")
    assert turns.run(turn("cat", new_session="abc")).session is None
    assert turns.run(turn('echo "$CUE_SESSION_ID"', session="abc")).text == "abc"
    own = {"shell": None, "driver": "claude", "argv": ("my-claude", "-p")}
    end = turns.run(turn("", session="abc", **own))
    assert end.reason == "agent 'bot' can't continue a conversation"
    words = turn("echo", session="abc", resume_args=("-r", "{session_id}"))
    assert turns.run(words).text == "-r abc"


def test_secrets_are_hidden_in_what_is_kept(turn: Callable[..., Turn], tmp_path: Path) -> None:
    with TurnRunner(now=lambda: 0, masker=Masker({"KEY": "hush-hush"})) as found:
        end = found.run(turn("echo it is hush-hush; echo hush-hush >&2"))
    assert "hush" not in end.text
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("turn.*"))
    assert b"hush" not in kept
