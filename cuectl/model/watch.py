"""The glob of `watch`, made ready to walk a tree: which directories to enter, which files count.

Where the pattern allows it, a directory that can't hold a match is not entered. Source:
reference/maestro-cue.md 2.2 and 3.
"""

from __future__ import annotations

from functools import cached_property

from cuectl.model.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

States = frozenset[int]
Test = "Callable[[str], bool]"

_MAGIC = frozenset("*?[{(\\!")


@dataclass(frozen=True, kw_only=True)
class Watch:
    """A glob over the files below a directory.

    A pattern that begins with `!` stands for every file but those that the rest matches.

    Attributes:
        pattern: relative, with `/` between segments.
        hidden: names that begin with a dot are like any others.
    """

    pattern: str
    hidden: bool = False

    @cached_property
    def is_negated(self) -> bool:
        """Whether the pattern says what is left out."""
        return self.pattern.startswith("!") and not self.pattern.startswith("!(")

    @cached_property
    def _segments(self) -> tuple[str, ...]:
        """The segments between slashes; empty when they can't be told apart."""
        text = (self.pattern[1:] if self.is_negated else self.pattern).removeprefix("./")
        parts = tuple(part for part in text.split("/") if part)
        whole = all(_is_balanced(part) for part in parts)
        return parts if whole and not self.is_negated else ()

    @cached_property
    def _tests(self) -> tuple[Callable[[str], bool], ...]:
        return tuple(segment_test(part, hidden=self.hidden) for part in self._segments)

    @cached_property
    def _whole(self) -> Callable[[str], bool]:
        from cuectl.model.glob import glob_test

        pattern = self.pattern[1:] if self.is_negated else self.pattern
        test = glob_test(pattern, hidden=self.hidden)
        return (lambda path: not test(path)) if self.is_negated else test

    def start(self) -> States | None:
        """Return where a walk begins; None when every directory must be entered."""
        return self._closed({0}) if self._segments else None

    def enter(self, states: States | None, name: str) -> States | None:
        """Return where a walk stands below a directory; nothing in it when it is not entered."""
        if not self.hidden and name[:1] == "." and states is None:
            return frozenset()
        if states is None:
            return None
        after: set[int] = set()
        for at in states:
            if at >= len(self._segments):
                continue
            if self._segments[at] == "**":
                if self.hidden or name[:1] != ".":
                    after.add(at)
            elif self._tests[at](name):
                after.add(at + 1)
        return self._closed(after)

    def _closed(self, states: set[int]) -> States:
        for at in sorted(states):
            following = at
            while following < len(self._segments) and self._segments[following] == "**":
                following += 1
                states.add(following)
        return frozenset(states)

    def file_test(self, states: States | None, directory: str) -> Callable[[str], bool] | None:
        """Return what tells which names in a directory count; None when all do.

        Args:
            states: where the walk stands.
            directory: relative, empty for the top.
        """
        if states is None:
            below, whole = f"{directory}/" if directory else "", self._whole
            return lambda name: whole(below + name)
        tests: list[Callable[[str], bool]] = []
        for at in sorted(states):
            rest = self._segments[at:]
            if rest and rest[0] == "**" and len(rest) == 1:
                if self.hidden:
                    return None
                tests.append(_is_plain)
            elif rest and rest[0] != "**" and all(one == "**" for one in rest[1:]):
                # `src/**` is `src` itself, too.
                tests.append(self._tests[at])
        if not tests:
            return _never
        if any(test is _always for test in tests):
            return None
        return tests[0] if len(tests) == 1 else lambda name: any(test(name) for test in tests)


def segment_test(pattern: str, *, hidden: bool) -> Callable[[str], bool]:
    """Return what tells whether one name is matched by one segment of a glob."""
    if not _MAGIC & set(pattern):
        return lambda name: name == pattern
    if pattern in ("*", "**"):
        return _always if hidden else _is_plain
    end = pattern[1:]
    if pattern[0] == "*" and not _MAGIC & set(end):
        if hidden:
            return lambda name: name.endswith(end)
        return lambda name: name.endswith(end) and name[0] != "."
    from cuectl.model.glob import glob_test

    return glob_test(pattern, hidden=hidden)


def _is_balanced(part: str) -> bool:
    return part.count("{") == part.count("}") and part.count("(") == part.count(")")


def _always(_: str) -> bool:
    return True


def _never(_: str) -> bool:
    return False


def _is_plain(name: str) -> bool:
    return name[:1] != "."
