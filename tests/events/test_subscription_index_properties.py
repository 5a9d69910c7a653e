"""Who takes an event is who would take it, asked one by one."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cuectl.cues.rules.record import Cue
from cuectl.events.lines import Listener
from cuectl.events.rules.event import Event
from cuectl.events.rules.match import NOT_CONCERNED, SubscriptionIndex, subscription_of

NAMES = ("a", "b", "c", "labels", "path")
VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [
        *("a", "b", "0", "null", "", 0, 1, 2.5, True, False, None, ["a"], {"x": "a"}),
        *("a,b", "/r/a", "/r/a/b", [0, 2], ["b", "a"]),
    ]
)
EXPRESSIONS: st.SearchStrategy[Any] = st.sampled_from(
    [
        "a",
        "b",
        "0",
        "",
        "!a",
        "!",
        ">0",
        ">=1",
        "<2",
        "<=x",
        ">",
        "*",
        "a*",
        "!*a*",
        0,
        True,
        "null",
        "=a",
        "!=0",
        "!>0",
        "{a,b}",
        "!(a|b)",
        "a/*",
        "a,b",
    ]
)
FILTERS = st.dictionaries(st.sampled_from((*NAMES, "c.x", "c.0")), EXPRESSIONS, max_size=4)
PAYLOADS = st.dictionaries(st.sampled_from(NAMES), VALUES)


def listener(number: int, trigger: dict[str, Any], *, listens: bool) -> Listener:
    """Return a subscription that can be asked."""
    name = f"s{number}"
    cue = Cue(id=f"c{number}", name=name, trigger=trigger, target={}, created_at=0, updated_at=0)
    subscription = subscription_of(name, trigger)
    return Listener(cue=cue, subscription=subscription, listens=listens)


@given(
    filters=st.lists(st.tuples(FILTERS, st.booleans()), max_size=8),
    payload=PAYLOADS,
    only=st.sampled_from([None, "s0", "s1"]),
)
def test_an_index_changes_no_answer(
    filters: list[tuple[dict[str, Any], bool]], payload: dict[str, Any], only: str | None
) -> None:
    members = [
        listener(n, {"type": "event", "event": "go.now", "filter": one}, listens=listens)
        for n, (one, listens) in enumerate(filters)
    ]
    event = Event(id="e", type="go.now", source="/x", at=0, data=payload, only=only)
    assert_same(members, event)


@given(
    sources=st.lists(
        st.tuples(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3), FILTERS), max_size=6
    ),
    name=st.sampled_from([*NAMES, "d", None]),
    identity=st.sampled_from([*NAMES, None]),
    by=st.sampled_from(["s0", "s1", None]),
    depth=st.sampled_from([0, 9, 10]),
)
def test_ends_of_agents_find_who_waits_for_them(
    sources: list[tuple[list[str], dict[str, Any]]],
    name: str | None,
    identity: str | None,
    by: str | None,
    depth: int,
) -> None:
    members = [
        listener(
            n,
            {"type": "event", "event": "agent.completed", "source_session": one, "filter": chosen},
            listens=True,
        )
        for n, (one, chosen) in enumerate(sources)
    ]
    data = {"sourceSession": name, "sourceSessionId": identity, "triggeredBy": by, "a": "a"}
    event = Event(id="e", type="agent.completed", source="/x", at=0, data=data, depth=depth)
    assert_same(members, event)


def assert_same(members: list[Listener], event: Event) -> None:
    """Compare an audience with asking every member in turn."""
    audience = SubscriptionIndex(members)
    reasons = [(one, one.refusal(event)) for one in members]
    taken = audience.taking(event)
    assert [id(one) for one in taken] == [id(one) for one, reason in reasons if not reason]
    others = [id(one) for one, why in reasons if why and why not in NOT_CONCERNED]
    refused, count = audience.refusing(event, taken, 3)
    assert [id(one) for one in refused] == others[:3]
    assert count == len(others)
