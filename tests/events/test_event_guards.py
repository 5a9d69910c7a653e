"""Guards around events that only a rare one comes to."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from cuectl.events.fan_in import _limit_ms
from cuectl.events.rules.match import _turns
from cuectl.events.sources.github import poll
from cuectl.events.sources.registry import PollRequest, SourceError
from tests.events.test_sources import define, tick
from tests.fixtures.past import a_cue

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.builder import Cuectl


def test_a_gh_that_cannot_be_started_is_an_error_of_the_source(tmp_path: Path) -> None:
    (tmp_path / "gh").write_bytes(b"\x7fELF no program")
    (tmp_path / "gh").chmod(0o755)
    ask = PollRequest(
        trigger={"event": "github.issue", "repo": "a/b"},
        root=str(tmp_path),
        memory=None,
        now=0,
        machine_ns=0,
        deadline_s=time.monotonic() + 20,
        environment={"PATH": str(tmp_path)},
        home=str(tmp_path),
        accepts=bool,
    )

    with pytest.raises(SourceError, match=r"can't start gh: .* does not begin with '#!'"):
        poll(ask)


def test_a_payload_that_names_another_type_is_not_of_it(cuectl: Cuectl) -> None:
    define(cuectl, "name: one, event: a.b, prompt: x")
    cuectl.run("emit", "a.b", "--payload", '{"type":"c.d"}')
    cuectl.run("emit", "c.d")
    tick(cuectl, "2026-11-21T02:00:00Z")

    listed = cuectl.json("events", "list", "--type", "c.d")
    assert [one["type"] for one in listed] == ["c.d"]
    assert {one["type"] for one in cuectl.json("events", "list")} >= {"a.b", "c.d"}


@pytest.mark.parametrize(
    ("minutes", "setting", "limit"),
    [(None, None, 1_800_000), (None, 60.0, 60_000), (0.5, 60.0, 30_000)],
)
def test_a_round_waits_as_long_as_its_subscription_or_the_settings_say(
    minutes: float | None, setting: float | None, limit: int
) -> None:
    trigger = {"type": "event", "event": "agent.completed"}
    trigger |= {} if minutes is None else {"fan_in_timeout_minutes": cast("Any", minutes)}
    in_force = SimpleNamespace(settings=SimpleNamespace(agent_timeout_s=setting))
    effects = SimpleNamespace(in_force=None if setting is None else in_force)

    assert _limit_ms(a_cue(trigger=trigger), cast("Any", effects)) == limit


@pytest.mark.parametrize(
    ("target", "values", "is_fan_out"),
    [
        ({"agents": ["a"]}, {"prompt": "x"}, False),
        ({"agents": ["a"], "owner": "b"}, {"prompt": "x"}, True),
        ({"agents": ["a"]}, {"fan_out_prompts": ["x"]}, True),
        ({"agents": ["a", "b"]}, {"prompt": "x"}, True),
    ],
)
def test_one_agent_is_no_fan_out_unless_it_looks_like_one(
    target: dict[str, Any], values: dict[str, Any], *, is_fan_out: bool
) -> None:
    found = _turns(target, values, "/")

    assert ("fan_out" in found) == is_fan_out
    assert found.get("owner") == target.get("owner")
