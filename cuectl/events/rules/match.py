"""Subscriptions: the cue that each one is, and whether an event starts it: pure.

A subscription is a cue whose trigger is `{"type": "event", "event", "filter"?, ...}`, with
what the definition file says of the event beside it. Source: the second page;
reference/maestro-cue.md 3, 5 and 7.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import islice
from typing import Generic, Protocol, TypeVar

from cuectl.definitions.rules.definitions import CueDefinition, SubscriptionDefinition
from cuectl.events.rules.event import CHAIN_DEPTH_MOST, COMPLETED
from cuectl.events.rules.filters import Filter, bound_of, compile_filter, plain_text_of
from cuectl.values.records import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cuectl.definitions.rules.definitions import AgentDefinition
    from cuectl.events.rules.event import Event
    from cuectl.events.rules.filters import Holds
    from cuectl.values.records import Record

    Find = Callable[[str], AgentDefinition | None]

# What every single completion says of itself, and a join of several does not.
PER_SOURCE = ("status", "exitCode", "durationMs", "triggeredBy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A subscription, made ready to be asked about many events."""

    name: str
    event: str
    filter: Filter | None = None  # of a fan-in, what the joined payload must meet
    each: Filter | None = None  # what every single source of a fan-in must meet
    chosen: Filter | None = None  # which of the two every single event must meet
    sources: tuple[str, ...] = ()  # the names of the agents that it listens to, each once
    source_subs: frozenset[str] | None = None  # the subscriptions whose runs count; None for all
    narrows: bool = False  # its filter says itself whose runs count
    find: Find | None = None  # returns the agent of a name or an id

    @property
    def is_fan_in(self) -> bool:
        """Whether it waits for several sources."""
        return len(self.sources) > 1

    def refusal(self, event: Event) -> str:
        """Return why an event is not taken: `type`, `other`, `source`, ...; empty for a match."""
        if event.type != self.event:
            return "type"
        only = event.only
        if only is not None:
            if only != self.name:
                return "other"
            if event.data.get("manual") is True:
                # A start by hand asks no filter.
                return ""
        if self.sources and (reason := self._completion(event)):
            return reason
        chosen = self.chosen
        if chosen is not None and not chosen.matches(event.fields):
            return "filter"
        return "depth" if self.sources and event.depth >= CHAIN_DEPTH_MOST else ""

    def source_of(self, event: Event) -> str | None:
        """Return which of the sources an event comes from; None when from none of them."""
        said = sources_in(event, self.find)
        return next((one for one in self.sources if one in said), None)

    def _completion(self, event: Event) -> str:
        if self.source_of(event) is None:
            return "source"
        by = event.data.get("triggeredBy")
        if self.source_subs is not None:
            if by not in self.source_subs:
                return "source_sub"
        elif by == self.name and not self.narrows:
            # Without a word about it, a subscription never answers to its own run.
            return "itself"
        return ""


def sources_in(event: Event, find: Find | None) -> tuple[str, ...]:
    """Return the agent whose end an event is, under each name that it has there."""
    said = (event.data.get("sourceSession"), event.data.get("sourceSessionId"))
    return tuple(agent_named(one, one, find) for one in said if isinstance(one, str))


def agent_named(agent: str, identity: object, find: Find | None) -> str:
    """Return the name of an agent: the one with that id, else the one of that name or id."""
    known = (find(str(identity or "")) or find(agent)) if find is not None else None
    return agent if known is None else known.name


def sources_of(trigger: Record, find: Find | None) -> tuple[str, ...]:
    """Return the names of the agents that a trigger listens to, each once."""
    if trigger["event"] != COMPLETED:
        return ()
    listed, ids = _listed(trigger.get("source_session")), _listed(trigger.get("source_session_ids"))
    # An id wins over the name beside it, which may be of before a renaming.
    pairs = zip(listed, [*ids, *listed[len(ids) :]], strict=False)
    return tuple(dict.fromkeys(agent_named(*pair, find) for pair in pairs))


def subscription_of(name: str, trigger: Record, find: Find | None = None) -> Subscription:
    """Return the subscription of a trigger. Raises ValueError: its filter is not one."""
    conditions = trigger.get("filter") or {}
    event = trigger["event"]
    completion = event == COMPLETED
    sources = sources_of(trigger, find)
    own = PER_SOURCE if len(sources) > 1 else ()
    each = {key: value for key, value in conditions.items() if key in own}
    joined = {key: value for key, value in conditions.items() if key not in own}
    named = trigger.get("source_sub")
    of_all = compile_filter(joined) if joined else None
    of_each = compile_filter(each) if each else None
    return Subscription(
        name=name,
        event=event,
        filter=of_all,
        each=of_each,
        chosen=of_each if own else of_all,
        sources=sources,
        source_subs=frozenset(_listed(named)) if completion and named is not None else None,
        narrows="triggeredBy" in conditions,
        find=find,
    )


def _listed(named: str | list[str] | None) -> list[str]:
    return [named] if isinstance(named, str) else named or []


NOT_CONCERNED = ("source", "other")


class Asked(Protocol):
    """What can be asked about an event."""

    @property
    def subscription(self) -> Subscription | None:
        """The subscription; None when it is not one that can be asked."""

    @property
    def listens(self) -> bool:
        """Whether it is neither paused nor switched off."""

    def refusal(self, event: Event) -> str:
        """Return why it does not take an event; empty when it does."""


One = TypeVar("One", bound=Asked)
_Place = tuple[int, "Holds"]


class SubscriptionIndex(Generic[One]):
    """The subscriptions to one type of event, in their order.

    Most ask one field to be a text or beyond a number, or name the agents they wait for. They are
    found by that, so their count does not matter; the answers are those of asking each in turn.
    """

    def __init__(self, members: Sequence[One], find: Find | None = None) -> None:
        self.members = tuple(members)
        self._find = find
        # Each place is in one of these, with what its filter asks of the payload.
        self._asked: list[int] = []
        self._always: list[_Place] = []
        self._by_source: dict[str, list[int]] = {}
        self._by_text: dict[str, dict[str, list[_Place]]] = {}
        self._of_key: dict[str, list[_Place]] = {}
        self._by_bound: dict[tuple[str, str], list[tuple[float, _Place]]] = {}
        for place, one in enumerate(self.members):
            self._enter(place, one)
        for bounds in self._by_bound.values():
            bounds.sort(key=lambda bound: bound[0])
        self._limits = {key: [one[0] for one in bounds] for key, bounds in self._by_bound.items()}

    def _enter(self, place: int, one: One) -> None:
        subscription = one.subscription
        if subscription is None or not one.listens:
            self._asked.append(place)
            return
        if subscription.sources:
            for source in subscription.sources:
                self._by_source.setdefault(source, []).append(place)
            return
        if subscription.filter is None:
            self._always.append((place, lambda _: True))
            return
        entry = (place, subscription.filter.matches)
        for condition in subscription.filter.conditions:
            if (text := plain_text_of(condition)) is not None:
                texts = self._by_text.setdefault(condition.key, {})
                texts.setdefault(text, []).append(entry)
                self._of_key.setdefault(condition.key, []).append(entry)
                return
        for condition in subscription.filter.conditions:
            if (bound := bound_of(condition)) is not None:
                key = (condition.key, bound[0])
                self._by_bound.setdefault(key, []).append((bound[1], entry))
                return
        self._always.append(entry)

    def taking(self, event: Event) -> list[One]:
        """Return those that take an event, in their order."""
        members, data = self.members, event.data
        if event.only is not None:
            return [one for one in members if not one.refusal(event)]
        taken = [place for place, holds in self._always if holds(data)]
        for entries in self._sharing_text(event):
            taken += [place for place, holds in entries if holds(data)]
        for bounds in self._within_bounds(event):
            taken += [place for _, (place, holds) in bounds if holds(data)]
        others = (*self._asked, *self._sharing_source(event))
        taken += [place for place in others if not members[place].refusal(event)]
        taken.sort()
        return [members[place] for place in taken]

    def _sharing_text(self, event: Event) -> Iterator[list[_Place]]:
        data = event.data
        for key, texts in self._by_text.items():
            value = data.get(key)
            if value.__class__ is str:
                yield texts.get(value, [])
            elif key in data:
                # A value that is no text is compared by how it is printed.
                yield self._of_key[key]

    def _within_bounds(self, event: Event) -> Iterator[list[tuple[float, _Place]]]:
        for (key, operator), bounds in self._by_bound.items():
            value = event.data.get(key)
            if type(value) is not int:
                yield bounds
                continue
            limits = self._limits[key, operator]
            if operator in (">=", ">"):
                yield bounds[: bisect_right(limits, value)]
            else:
                yield bounds[bisect_left(limits, value) :]

    def _sharing_source(self, event: Event) -> set[int]:
        if not self._by_source:
            return set()
        found = (self._by_source.get(name, ()) for name in sources_in(event, self._find))
        return {place for places in found for place in places}

    def refusing(self, event: Event, taken: Sequence[One], most: int) -> tuple[list[One], int]:
        """Return the first that listen and do not take an event, and how many they are."""
        if not self._by_source and event.only is None:
            known = {id(one) for one in taken}
            others = (one for one in self.members if id(one) not in known)
            return list(islice(others, most)), len(self.members) - len(taken)
        places = (*self._asked, *self._sharing_source(event))
        asked = self.members if event.only else [self.members[place] for place in sorted(places)]
        refused = [one for one in asked if (why := one.refusal(event)) and why not in NOT_CONCERNED]
        return refused[:most], len(refused)


EVENT = "event"
_ABOUT_TARGET = (
    *("prompt", "prompt_file", "output_prompt", "output_prompt_file", "payload"),
    *("fan_out_ids", "fan_out_prompts", "fan_out_prompt_files", "label"),
)
DEFAULT_MESSAGE = "{{CUE_SOURCE_OUTPUT}}"


def cue_of_subscription(subscription: SubscriptionDefinition, directory: str) -> CueDefinition:
    """Return the cue that a subscription is; its relative paths start in `directory`."""
    values = subscription.values
    about_event = {key: value for key, value in values.items() if key not in _ABOUT_TARGET}
    trigger: Record = {"type": EVENT, "event": subscription.event, **about_event}
    trigger["directory"] = directory
    if not subscription.enabled:
        trigger["enabled"] = False
    return CueDefinition(
        name=subscription.name,
        description=subscription.description or values.get("label"),
        trigger=trigger,
        target=_target(subscription, directory),
        policy=subscription.policy,
        payload=values.get("payload", {}),
    )


def targets_of(target: Record) -> list[Record]:
    """Return what each execution of a subscription runs: one thing, or one for each agent."""
    return list(target["fan_out"]) if "fan_out" in target else [target]


def _target(subscription: SubscriptionDefinition, directory: str) -> Record:
    target, values = subscription.target, subscription.values
    match target["type"]:
        case "agent":
            return _turns(target, values, directory)
        case "send":
            prompt = target.get("message") or DEFAULT_MESSAGE
            return {"type": "agent", "agent": target["target"], "prompt": prompt}
        case "notify":
            message = target.get("message") or values.get("label") or subscription.name
            return target | {"message": message}
        case _:
            return target


def _turns(target: Record, values: Record, directory: str) -> Record:
    ids = dict(enumerate(target.get("ids", ())))
    turns = [
        _turn(agent, index, values, directory)
        | ({"agent_id": ids[index]} if ids.get(index) else {})
        for index, agent in enumerate(target["agents"])
    ]
    if len(turns) == 1 and "fan_out_prompts" not in values and "owner" not in target:
        return turns[0]
    record: Record = {"type": "agent", "fan_out": turns}
    return record | ({"owner": target["owner"]} if "owner" in target else {})


def _turn(agent: str, index: int, values: Record, directory: str) -> Record:
    turn: Record = {"type": "agent", "agent": agent}
    files, texts = values.get("fan_out_prompt_files", ()), values.get("fan_out_prompts", ())
    if index < len(files) and files[index]:
        turn |= _file("prompt", files[index], directory)
    elif index < len(texts) and texts[index].strip():
        turn["prompt"] = texts[index]
    elif (values.get("prompt") or "").strip():
        # A prompt that is in the file itself wins over one that is elsewhere.
        turn["prompt"] = values["prompt"]
    elif values.get("prompt_file"):
        turn |= _file("prompt", values["prompt_file"], directory)
    if values.get("output_prompt"):
        turn["output_prompt"] = values["output_prompt"]
    elif values.get("output_prompt_file"):
        turn |= _file("output_prompt", values["output_prompt_file"], directory)
    return turn


def _file(key: str, path: str, directory: str) -> Record:
    return {f"{key}_file": f"{directory}/{path}", "prompt_root": directory}
