from __future__ import annotations

from typing import Any

import pytest

from cuectl.events.rules.event import Event
from cuectl.events.rules.match import subscription_of


def _completed(**data: Any) -> Event:
    depth = data.pop("depth", 0)
    known = {"sourceSession": "alpha", "status": "completed", "exitCode": 0} | data
    return Event(id="evt_1", type="agent.completed", source="x", at=0, data=known, depth=depth)


def _trigger(**more: Any) -> dict[str, Any]:
    return {"event": "agent.completed", "source_session": "alpha"} | more


@pytest.mark.parametrize(
    ("trigger", "event", "reason"),
    [
        (_trigger(), _completed(), ""),
        (_trigger(event="file.changed"), _completed(), "type"),
        (_trigger(), _completed(sourceSession="beta"), "source"),
        (_trigger(), _completed(sourceSession="x", sourceSessionId="alpha"), ""),
        (_trigger(source_sub="s"), _completed(), "source_sub"),
        (_trigger(source_sub="s"), _completed(triggeredBy="s"), ""),
        (_trigger(source_sub="me"), _completed(triggeredBy="me"), ""),
        (_trigger(), _completed(triggeredBy="me"), "itself"),
        (_trigger(filter={"triggeredBy": "m*"}), _completed(triggeredBy="me"), ""),
        (_trigger(filter={"triggeredBy": "deploy-*"}), _completed(triggeredBy="deploy-a"), ""),
        (_trigger(filter={"triggeredBy": "deploy-*"}), _completed(triggeredBy="x"), "filter"),
        (_trigger(filter={"status": "completed"}), _completed(status="failed"), "filter"),
        (_trigger(), _completed(status="failed"), ""),
        (_trigger(), _completed(depth=9), ""),
        (_trigger(), _completed(depth=10), "depth"),
        (_trigger(source_session=["alpha"]), _completed(), ""),
    ],
)
def test_a_completion_starts_what_listens_to_it(
    trigger: dict[str, Any], event: Event, reason: str
) -> None:
    assert subscription_of("me", trigger).refusal(event) == reason


def test_conditions_on_each_source_are_asked_of_each_report() -> None:
    conditions = {"status": "completed", "partial": True}
    fan_in = subscription_of("me", _trigger(source_session=["alpha", "beta"], filter=conditions))
    assert fan_in.is_fan_in
    assert fan_in.refusal(_completed()) == ""
    assert fan_in.refusal(_completed(status="failed")) == "filter"
    assert fan_in.filter is not None
    assert fan_in.filter.matches({"partial": True})


def test_a_start_by_hand_asks_no_filter_and_reaches_one_subscription() -> None:
    chosen = subscription_of("me", {"event": "cli.trigger", "filter": {"a": 1}})
    event = Event(id="e", type="cli.trigger", source="x", at=0, data={"manual": True}, only="me")
    assert chosen.refusal(event) == ""
    other = subscription_of("you", {"event": "cli.trigger"})
    assert other.refusal(event) == "other"


def test_what_a_filter_refuses_is_explained() -> None:
    chosen = subscription_of("me", {"event": "x.y", "filter": {"a": 1}})
    event = Event(id="e", type="x.y", source="x", at=0, data={"a": 2})
    assert chosen.refusal(event) == "filter"
    assert chosen.chosen is not None
    assert chosen.chosen.why(event.data) == [{"key": "a", "expression": 1, "value": 2, "ok": False}]
