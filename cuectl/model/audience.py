"""All subscriptions to one type of event, asked about thousands of events: pure.

Most subscriptions ask one field to be a text or beyond a number, or name the agents whose ends
they wait for. They are found by that, so that an event costs what it has in common with them
and not how many there are; the answers are those of asking each in turn.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from cuectl.model.filters import bound_of, plain_text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cuectl.model.event import Event
    from cuectl.model.filters import Holds
    from cuectl.model.subscription_match import Subscription

NOT_CONCERNED = ("source", "other")


class Asked(Protocol):
    """Whoever can be asked about an event."""

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


class Audience(Generic[One]):
    """The subscriptions to one type of event, in their order."""

    def __init__(self, members: Sequence[One]) -> None:
        self.members = tuple(members)
        # Each place stands in one of these, with what its filter asks of the payload.
        self._asked: list[int] = []
        self._always: list[_Place] = []
        self._by_source: dict[str, list[int]] = {}
        self._by_text: dict[str, dict[str, list[_Place]]] = {}
        self._of_key: dict[str, list[_Place]] = {}
        self._by_bound: dict[tuple[str, str], list[tuple[float, _Place]]] = {}
        for place, one in enumerate(self.members):
            self._enter(place, one)
        for bounds in self._by_bound.values():
            bounds.sort(key=_limit)
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
            self._always.append((place, _everything))
            return
        entry = (place, subscription.filter.matches)
        for condition in subscription.filter.conditions:
            text = plain_text_of(condition)
            if text is not None:
                texts = self._by_text.setdefault(condition.key, {})
                texts.setdefault(text, []).append(entry)
                self._of_key.setdefault(condition.key, []).append(entry)
                return
        for condition in subscription.filter.conditions:
            bound = bound_of(condition)
            if bound is not None:
                key = (condition.key, bound[0])
                self._by_bound.setdefault(key, []).append((bound[1], entry))
                return
        self._always.append(entry)

    def taking(self, event: Event) -> list[One]:
        """Return who takes an event, in their order."""
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
                # What is no text is compared by how it is printed.
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
        named = (event.data.get("sourceSession"), event.data.get("sourceSessionId"))
        found = (self._by_source.get(name, ()) for name in named if isinstance(name, str))
        return {place for places in found for place in places}

    def refusing(self, event: Event, taken: Sequence[One], most: int) -> tuple[list[One], int]:
        """Return the first of those who listen and do not take an event, and how many they are.

        Args:
            event: which one.
            taken: who takes it.
            most: how many to name.
        """
        if not self._by_source and event.only is None:
            count = len(self.members) - len(taken)
            return self._first_others(taken, min(most, count)), count
        asked = (
            range(len(self.members))
            if event.only
            else sorted((*self._asked, *self._sharing_source(event)))
        )
        refused = [
            one
            for one in (self.members[place] for place in asked)
            if (reason := one.refusal(event)) and reason not in NOT_CONCERNED
        ]
        return refused[:most], len(refused)

    def _first_others(self, taken: Sequence[One], most: int) -> list[One]:
        known = {id(one) for one in taken}
        found: list[One] = []
        for one in self.members:
            if len(found) >= most:
                break
            if id(one) not in known:
                found.append(one)
        return found


def _limit(bound: tuple[float, _Place]) -> float:
    return bound[0]


def _everything(_: object) -> bool:
    return True
