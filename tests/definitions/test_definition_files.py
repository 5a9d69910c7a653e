from __future__ import annotations

from dataclasses import replace

import pytest

from cuectl.definitions.rules.definitions import (
    AgentDefinition,
    CueDefinition,
    Definitions,
    Handler,
    Settings,
    SubscriptionDefinition,
)
from cuectl.definitions.rules.files import combine, override, with_own_defaults
from cuectl.values.errors import Conflict


def handlers(*names: str, cwd: str = "/a") -> Definitions:
    return Definitions(handlers={name: Handler(name=name, shell="x", cwd=cwd) for name in names})


def cues(*names: str) -> Definitions:
    trigger = {"type": "cron", "expression": "@daily"}
    target = {"type": "task", "task": "x"}
    return Definitions(
        cues={name: CueDefinition(name=name, trigger=trigger, target=target) for name in names}
    )


def test_files_are_put_together() -> None:
    together = combine([("/a/cue.yaml", handlers("a", "b")), ("/b/cue.yaml", handlers("c"))])

    assert set(together.handlers) == {"a", "b", "c"}


def test_the_same_handler_in_two_files_is_refused_naming_both() -> None:
    with pytest.raises(Conflict) as caught:
        combine([("/a/cue.yaml", handlers("a", "b")), ("/b/cue.yaml", handlers("b"))])

    assert caught.value.message == ("handler 'b' of '/b/cue.yaml' is also defined in '/a/cue.yaml'")


def test_cues_and_subscriptions_share_one_namespace() -> None:
    subscription = SubscriptionDefinition(name="a", event="x.y", target={"type": "notify"})

    with pytest.raises(Conflict) as caught:
        combine([("f", cues("a")), ("g", Definitions(subscriptions={"a": subscription}))])

    assert caught.value.message == "subscription 'a' of 'g' is also the name of a cue in 'f'"


def test_a_setting_comes_from_the_first_file_that_gives_it() -> None:
    first = Definitions(settings=Settings(max_parallel=4, given=("max_parallel",)))
    second = Definitions(
        settings=Settings(max_parallel=9, queue_size=3, given=("max_parallel", "queue_size")),
        secrets=("A",),
    )
    together = combine([("f", first), ("g", second)])

    assert (together.settings.max_parallel, together.settings.queue_size) == (4, 3)
    assert together.settings.timeout_on_fail == "break"
    assert together.secrets == ("A",)


def test_a_workers_own_file_wins_for_that_worker() -> None:
    top = override(handlers("a", "b"), handlers("b", cwd="/worker"))

    assert (top.handlers["a"].cwd, top.handlers["b"].cwd) == ("/a", "/worker")


def test_what_a_file_gives_for_its_own_things_is_written_into_them() -> None:
    settings = Settings(
        timezone="Asia/Tokyo",
        handler_timeout_s=60,
        agent_timeout_s=120,
        max_concurrent=2,
        given=("timezone", "handler_timeout_s", "agent_timeout_s", "max_concurrent"),
    )
    agent = AgentDefinition(name="c", driver="claude", cwd="/a", max_concurrent=5)
    definitions = replace(
        handlers("a"), settings=settings, cues=cues("b").cues, agents={"c": agent}
    )
    found = with_own_defaults(definitions)

    assert found.handlers["a"].timeout_s == 60
    assert found.cues["b"].trigger["timezone"] == "Asia/Tokyo"
    assert found.agents["c"] == replace(agent, timeout_s=120)


def test_what_a_file_does_not_give_is_left_open() -> None:
    definitions = handlers("a")

    assert with_own_defaults(definitions) == definitions
