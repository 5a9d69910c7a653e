"""Whether an event starts a subscription, and if not, why not: pure.

A subscription is a cue whose trigger is `{"type": "event", "event", "filter"?, ...}`, with
what the definition file says of the event beside it. Source: the second page;
reference/maestro-cue.md 3, 5 and 7.
"""

from __future__ import annotations

from typing import Any

from cuectl.model.event_types import CHAIN_DEPTH_MOST, COMPLETED
from cuectl.model.filters import Filter, compile_filter
from cuectl.model.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.model.event import Event

Record = dict[str, Any]

# What every single completion says of itself, and a join of several does not.
PER_SOURCE = ("status", "exitCode", "durationMs", "triggeredBy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The answer.

    Attributes:
        reason: empty for a match; else `type`, `other`, `source`, `source_sub`, `filter`,
            `itself` or `depth`.
        conditions: what each condition of the filter found, where it came so far.
    """

    reason: str = ""
    conditions: tuple[Record, ...] = ()

    @property
    def matched(self) -> bool:
        """Whether the event starts the subscription."""
        return not self.reason


MATCHED = Match()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A subscription, made ready to be asked about many events.

    Attributes:
        filter: None when it has none; of a fan-in, what the joined payload must meet.
        each: what every single source of a fan-in must meet.
        chosen: which of the two every single event must meet.
        sources: the agents that an `agent.completed` subscription listens to, each once.
        source_subs: the subscriptions whose runs count; None for all.
        narrows: its filter says itself whose runs count.
    """

    name: str
    event: str
    filter: Filter | None = None
    each: Filter | None = None
    chosen: Filter | None = None
    sources: tuple[str, ...] = ()
    source_subs: frozenset[str] | None = None
    narrows: bool = False

    @property
    def is_fan_in(self) -> bool:
        """Whether it waits for several sources."""
        return len(self.sources) > 1

    def match(self, event: Event) -> Match:
        """Return whether an event starts the subscription, or counts for its fan-in, and why."""
        reason = self.refusal(event)
        if reason == "filter" and self.chosen is not None:
            return Match(reason=reason, conditions=tuple(self.chosen.why(event.data)))
        return Match(reason=reason) if reason else MATCHED

    def refusal(self, event: Event) -> str:
        """Return why an event does not start the subscription; empty when it does."""
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
        if chosen is not None and not chosen.matches(event.data):
            return "filter"
        return "depth" if self.sources and event.depth >= CHAIN_DEPTH_MOST else ""

    def source_of(self, event: Event) -> str | None:
        """Return which of the sources an event comes from; None when from none of them."""
        name, identity = event.data.get("sourceSession"), event.data.get("sourceSessionId")
        return next((one for one in self.sources if one in (name, identity)), None)

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


def subscription_of(name: str, trigger: Record) -> Subscription:
    """Return the subscription that a trigger describes.

    Raises:
        ValueError: its filter is not one.
    """
    conditions = trigger.get("filter") or {}
    event = trigger["event"]
    completion = event == COMPLETED
    sources = _names(trigger.get("source_session")) if completion else ()
    each: Record = {}
    if len(sources) > 1:
        each = {key: value for key, value in conditions.items() if key in PER_SOURCE}
    joined = {key: value for key, value in conditions.items() if key not in each}
    named = trigger.get("source_sub")
    of_all = compile_filter(joined) if joined else None
    of_each = compile_filter(each) if each else None
    return Subscription(
        name=name,
        event=event,
        filter=of_all,
        each=of_each,
        chosen=of_each if len(sources) > 1 else of_all,
        sources=sources,
        source_subs=frozenset(_names(named)) if completion and named is not None else None,
        narrows="triggeredBy" in conditions,
    )


def _names(named: str | list[str] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys([named] if isinstance(named, str) else named or ()))
