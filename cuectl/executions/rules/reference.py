"""What people call a run: `NAME` for the newest of a cue, `NAME~1`, `NAME@09:00`."""

from __future__ import annotations

from cuectl.values.records import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    T = TypeVar("T")

_OF_TIME = frozenset("0123456789:-T")
_DATE = len("2026-11-27T")


@dataclass(frozen=True, slots=True)
class Reference:
    """One of the things that belong to a name: so many before the newest, or that of a time."""

    name: str
    back: int = 0
    at: str = ""  # the start of a local date or time of day

    def pick(self, newest_first: Iterable[T], local: Callable[[T], str]) -> T | None:
        """Return the one that is meant, None without any; `local` is its time, in ISO 8601."""
        wanted = f"0{self.at}" if self.at[1:2] == ":" else self.at
        skip = 0 if "-" in wanted else _DATE
        for place, one in enumerate(newest_first):
            if local(one)[skip:].startswith(wanted) if wanted else place == self.back:
                return one
        return None


def parse_reference(text: str) -> Reference:
    """Return what a text refers to; one without `~` or `@` is a name."""
    name, mark, rest = text.rpartition("~")
    if mark and name and rest.isascii() and rest.isdigit() and len(rest) < 10:
        return Reference(name, back=int(rest))
    name, mark, rest = text.rpartition("@")
    if mark and name and rest and _OF_TIME.issuperset(rest):
        return Reference(name, at=rest)
    return Reference(text)
