"""Read the keys of one mapping: typed, each checked, with the place in every finding.

A reader that finds something else than it wants says so and answers as if the key were
not there, so that one run finds everything that is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.model.errors import UsageError
from cuectl.store.yaml_nodes import Kind, Node, describe, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from cuectl.model.errors import CuectlError
    from cuectl.store.definition_problems import Findings


_MOST_KEYS = 30


class Fields:
    """The keys of one mapping.

    Args:
        node: a mapping; anything else is reported, and reads as an empty one.
        what: the subject of messages, such as `cue 'backup'`.
        known: the keys that there are.
        ignored: keys of other systems that are accepted; named by `validate`.
        hints: keys that people try, and what to write instead.
    """

    def __init__(
        self,
        node: Node,
        what: str,
        findings: Findings,
        *,
        known: Iterable[str],
        ignored: Iterable[str] = (),
        hints: Mapping[str, str] | None = None,
    ) -> None:
        self.node = node
        self.what = what
        self.findings = findings
        self._known = tuple(known)
        self._ignored = tuple(ignored)
        if node.kind is not Kind.MAPPING:
            findings.error(node, f"{what} must be a mapping, not {describe(node)}")
        for key, entry in node.entries.items():
            if key in self._ignored:
                findings.note(entry.key, f"'{key}' in {what} belongs to another system: ignored")
            elif key not in self._known:
                hint = self._suggestion(key, hints or {})
                findings.error(entry.key, f"unknown key '{shown(key)}' in {what}", hint=hint)

    @property
    def is_mapping(self) -> bool:
        """Whether there are keys at all; if not, that has been reported."""
        return self.node.kind is Kind.MAPPING

    def get(self, key: str) -> Node | None:
        """Return the value of `key`; None when it is not there or says `null`."""
        entry = self.node.entries.get(key)
        if entry is None:
            return None
        if entry.value.is_empty:
            self.findings.error(
                entry.key, f"'{key}' in {self.what} has no value", hint="give one, or drop the key"
            )
            return None
        return None if entry.value.kind is Kind.NULL else entry.value

    def key(self, key: str) -> Node:
        """Return the place of a key, or of the whole mapping where it is not there."""
        entry = self.node.entries.get(key)
        return entry.key if entry else self.node

    def given(self, keys: Iterable[str]) -> list[str]:
        """Return those of `keys` that are there, in the order of the file."""
        wanted = tuple(keys)
        return [key for key in self.node.entries if key in wanted]

    def text(self, key: str, *, blank: bool = False) -> str | None:
        """Return a text; with `blank`, an empty one too."""
        node = self._of_kind(key, "text", Kind.TEXT)
        if node is None:
            return None
        if not blank and not node.text.strip():
            self.fail(key, "is empty")
            return None
        return node.text

    def flag(self, key: str, *, default: bool) -> bool:
        """Return a truth value."""
        node = self._of_kind(key, "true or false", Kind.BOOLEAN)
        return default if node is None else bool(node.scalar)

    def choice(self, key: str, words: Iterable[str]) -> str | None:
        """Return one of `words`."""
        allowed = tuple(words)
        node = self.get(key)
        if node is None:
            return None
        if node.is_scalar and node.text in allowed:
            return node.text
        message = f"'{key}' in {self.what} must be {_either(allowed)}, not {describe(node)}"
        self.findings.error(node, message, hint=self._did_you_mean(node.text, allowed))
        return None

    def number(self, key: str, *, least: float, most: float, above: bool = False) -> float | None:
        """Return a number from `least` to `most`; with `above`, above `least`."""
        node = self._of_kind(key, "a number", Kind.NUMBER)
        if node is None:
            return None
        number = float(node.scalar or 0)
        if number > most or number < least or (above and number == least):
            low = f"above {least:.10g}" if above else f"{least:.10g}"
            limits = f"{low} and at most {most:.10g}" if above else f"from {low} to {most:.10g}"
            self.fail(key, f"must be {limits}, not {node.text}")
            return None
        return number

    def whole(self, key: str, *, least: int, most: int) -> int | None:
        """Return a whole number from `least` to `most`."""
        number = self.number(key, least=least, most=most)
        if number is None or number == int(number):
            return None if number is None else int(number)
        self.fail(key, "must be a whole number")
        return None

    def seconds(
        self, key: str, *, bare_unit: str | None = None, zero: bool = False
    ) -> float | None:
        """Return a duration: `90s`, `30m`; or a bare number of the unit, where there is one."""
        node = self.get(key)
        return None if node is None else self.seconds_of(key, node, bare_unit, zero=zero)

    def seconds_of(
        self, key: str, node: Node, bare_unit: str | None = None, *, zero: bool = False
    ) -> float | None:
        """Return the duration at `node`, which belongs to `key`."""
        if node.kind not in (Kind.TEXT, Kind.NUMBER):
            wanted = "a duration such as 90s or 30m"
            self.wrong(key, node, wanted)
            return None
        seconds = self._parsed(key, node, bare_unit)
        if seconds is None:
            return None
        if seconds == 0 and not zero:
            self.findings.error(node, f"'{key}' in {self.what} must be more than nothing")
            return None
        return seconds

    def _parsed(self, key: str, node: Node, bare_unit: str | None) -> float | None:
        from cuectl.model.durations import parse_duration

        try:
            return parse_duration(node.text, bare_unit=bare_unit)
        except UsageError as error:
            self.findings.refused(node, error, f"'{key}' in {self.what}: ")
            return None

    def texts(
        self,
        key: str,
        *,
        one: bool = True,
        empty: bool = False,
        blank: bool = False,
        scalars: bool = False,
    ) -> tuple[str, ...] | None:
        """Return a list of texts; with `one`, a single text stands for a list of one.

        With `empty`, the list may be so; with `blank`, its texts may; with `scalars`, numbers
        and truth values are taken as they are written.
        """
        node = self.get(key)
        if node is None:
            return None
        if one and node.kind is Kind.TEXT:
            text = self.text(key)
            return None if text is None else (text,)
        if node.kind is not Kind.LIST:
            self.wrong(key, node, "a text or a list of texts" if one else "a list of texts")
            return None
        if not node.items and not empty:
            self.fail(key, "is an empty list")
        return self._words(key, node, blank=blank, scalars=scalars)

    def words(self, key: str) -> tuple[str, ...] | None:
        """Return the words of a command: a list of scalars, each as it is written."""
        node = self._of_kind(key, "a list of words", Kind.LIST)
        if node is None:
            return None
        if not node.items or not node.items[0].text:
            self.fail(key, "names no program")
            return None
        return self._words(key, node, blank=True, scalars=True)

    def _words(self, key: str, node: Node, *, blank: bool, scalars: bool) -> tuple[str, ...]:
        found = []
        for item in node.items:
            if item.kind is not Kind.TEXT and not (scalars and item.is_scalar):
                self.wrong(key, item, "text", part="an item of ")
            elif not blank and not item.text.strip():
                self.findings.error(item, f"an item of '{key}' in {self.what} is empty")
            else:
                found.append(item.text)
        return tuple(found)

    def record(self, key: str) -> dict[str, Any]:
        """Return a mapping as plain values; an empty one when it is not there."""
        node = self._of_kind(key, "a mapping", Kind.MAPPING)
        return {} if node is None else dict(node.value)

    def checked(self, key: str, check: Callable[[str], object]) -> str | None:
        """Return a text that a rule of the model accepts."""
        text = self.text(key)
        if text is None:
            return None
        try:
            check(text)
        except UsageError as error:
            self.refuse(key, error)
            return None
        return text

    def fail(self, key: str, problem: str, *, hint: str | None = None) -> None:
        """Add an error about the value of `key`."""
        entry = self.node.entries.get(key)
        place = entry.value if entry else self.node
        self.findings.error(place, f"'{key}' in {self.what} {problem}", hint=hint)

    def refuse(self, key: str, error: CuectlError) -> None:
        """Add what a rule of the model says about the value of `key`."""
        place = self.node.entries[key].value
        self.findings.refused(place, error, f"'{key}' in {self.what}: ")

    def wrong(self, key: str, node: Node, wanted: str, *, part: str = "") -> None:
        """Add that `node` is not what is wanted there."""
        message = f"{part}'{key}' in {self.what} must be {wanted}, not {describe(node)}"
        hint = "put it in quotes" if "text" in wanted and node.is_scalar else None
        self.findings.error(node, message, hint=hint)

    def _of_kind(self, key: str, wanted: str, *kinds: Kind) -> Node | None:
        node = self.get(key)
        if node is not None and node.kind not in kinds:
            self.wrong(key, node, wanted)
            return None
        return node

    def _did_you_mean(self, word: str, known: Iterable[str]) -> str | None:
        near = self.findings.nearest(word, known)
        return f"did you mean '{near}'?" if near else None

    def _suggestion(self, key: str, hints: Mapping[str, str]) -> str:
        word = self.findings.nearest(key, (*hints, *self._known))
        if word is not None and word in hints:
            return hints[word]
        near = f"did you mean '{word}'?" if word else None
        keys = f"keys: {' '.join(sorted(self._known))}"
        if near and len(self._known) > _MOST_KEYS:
            return near
        return f"{near} {keys}" if near else keys


def _either(words: tuple[str, ...]) -> str:
    if len(words) == 1:
        return words[0]
    return f"{', '.join(words[:-1])} or {words[-1]}"
