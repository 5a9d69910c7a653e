"""Whether an event starts a subscription, and if not, why not: pure.

A subscription is a cue whose trigger is `{"type": "event", "event", "filter"?, ...}`, with
what the definition file says of the event beside it. Source: the second page;
reference/maestro-cue.md 3, 5 and 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cuectl.model.event_types import CHAIN_DEPTH_MOST, COMPLETED
from cuectl.model.filters import Filter, compile_filter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.model.event import Event

Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The answer.

    Attributes:
        reason: empty for a match; `type`, `other`, `source`, `source_sub`, `filter`,
            `itself` or `depth`.
        conditions: what each condition of the filter found, where it came so far.
    """

    reason: str = ""
    conditions: tuple[Record, ...] = ()

    @property
    def matched(self) -> bool:
        """Whether the event starts the subscription."""
        return not self.reason


_MATCHED = Match()


def match(name: str, trigger: Record, event: Event) -> Match:
    """Return whether an event starts the subscription `name`."""
    if trigger["event"] != event.type:
        return Match(reason="type")
    if event.only is not None and event.only != name:
        return Match(reason="other")
    if event.data.get("manual") is True and event.only == name:
        # A start by hand asks no filter.
        return _MATCHED
    if event.type == COMPLETED:
        reason = _completion(name, trigger, event)
        if reason or is_fan_in(trigger):
            return Match(reason=reason)
    chosen = filter_of(trigger)
    if chosen is not None and not chosen.matches(event.data):
        return Match(reason="filter", conditions=tuple(chosen.why(event.data)))
    return _MATCHED


def filter_of(trigger: Record) -> Filter | None:
    """Return the filter of a subscription, None when it has none."""
    conditions = trigger.get("filter")
    return _compiled(tuple(conditions.items()), _types(conditions)) if conditions else None


def sources_of(trigger: Record) -> tuple[str, ...]:
    """Return the agents that an `agent.completed` subscription listens to, each once."""
    named = trigger.get("source_session", ())
    return tuple(dict.fromkeys([named] if isinstance(named, str) else named))


def is_fan_in(trigger: Record) -> bool:
    """Tell whether a subscription waits for several sources."""
    return trigger["event"] == COMPLETED and len(sources_of(trigger)) > 1


def source_named(trigger: Record, event: Event) -> str | None:
    """Return which of its sources an event comes from; None when from none of them."""
    who = (event.data.get("sourceSession"), event.data.get("sourceSessionId"))
    return next((source for source in sources_of(trigger) if source in who), None)


def _completion(name: str, trigger: Record, event: Event) -> str:
    source = source_named(trigger, event)
    if source is None:
        return "source"
    wanted = trigger.get("source_sub")
    by = event.data.get("triggeredBy")
    if wanted is not None:
        if by not in ([wanted] if isinstance(wanted, str) else wanted):
            return "source_sub"
    elif by == name and not _narrows(trigger):
        # Without a word about it, a subscription never answers to its own run.
        return "itself"
    return "depth" if event.depth > CHAIN_DEPTH_MOST else ""


def _narrows(trigger: Record) -> bool:
    """Tell whether the filter itself says whose runs count."""
    return "triggeredBy" in (trigger.get("filter") or {})


# 1, 1.0 and True are equal as keys, and are different expressions.
def _types(conditions: Record) -> tuple[type, ...]:
    return tuple(type(value) for value in conditions.values())


@lru_cache(maxsize=1024)
def _compiled(items: tuple[tuple[str, object], ...], _: tuple[type, ...]) -> Filter:
    return compile_filter(dict(items))
