"""Read the keys of one mapping: typed, checked, and what is wrong collected with its place.

A wrong value is reported and reads as absent, so that one run finds everything that is wrong.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from cuectl.definitions.yaml_nodes import YamlKind, YamlNode, describe, shown
from cuectl.values.errors import InvalidFile, UsageError
from cuectl.values.ids import nearest
from cuectl.values.records import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from cuectl.values.errors import CuectlError

T = TypeVar("T")
MOST_ERRORS = 500
# Looking for what is near takes a millisecond, and a file may hold 100,000 slips.
_MOST_SUGGESTIONS = 50
_MOST_KEYS = 30


class TooManyErrors(Exception):
    """There are more errors than anyone reads; the rest of the file is not looked at."""


class ProblemLevel(StrEnum):
    """How bad it is: a file with an error is not taken over."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionProblem:
    """One finding; line and column from 1."""

    path: str
    line: int
    column: int
    level: ProblemLevel
    message: str
    hint: str | None = None

    @property
    def text(self) -> str:
        """The line that editors jump to: `file:line:col: error: message`."""
        return f"{self.path}:{self.line}:{self.column}: {self.level}: {self.message}"

    def as_error(self) -> InvalidFile:
        """Return the exception for this finding."""
        return InvalidFile(
            self.message, path=self.path, line=self.line, column=self.column, hint=self.hint
        )


@dataclass(slots=True)
class Findings:
    """The findings so far; checks add to it and continue."""

    problems: list[DefinitionProblem] = field(default_factory=list)
    _errors: int = 0
    _suggestions: int = _MOST_SUGGESTIONS

    def nearest(self, word: str, known: Iterable[str]) -> str | None:
        """Return the one of `known` that `word` may be a slip of; only so often for a file."""
        if self._suggestions == 0:
            return None
        self._suggestions -= 1
        return nearest(word, known)

    def did_you_mean(self, word: str, known: Iterable[str], other: str | None = None) -> str | None:
        """Return a hint at the nearest of `known`, the other hint where nothing is near."""
        near = self.nearest(word, known)
        return f"did you mean '{near}'?" if near else other

    def error(self, node: YamlNode, message: str, *, hint: str | None = None) -> None:
        """Add what makes the file invalid."""
        self._errors += 1
        if self._errors > MOST_ERRORS:
            raise TooManyErrors
        self._add(node, ProblemLevel.ERROR, message, hint)

    def warn(self, node: YamlNode, message: str, *, hint: str | None = None) -> None:
        """Add what is hardly meant so."""
        self._add(node, ProblemLevel.WARNING, message, hint)

    def note(self, node: YamlNode, message: str, *, hint: str | None = None) -> None:
        """Add what is fine, and may surprise."""
        self._add(node, ProblemLevel.NOTE, message, hint)

    def refused(self, node: YamlNode, error: CuectlError, before: str = "") -> None:
        """Add what a rule of the model says about the value at `node`."""
        self.error(node, f"{before}{error.message}", hint=error.hint)

    def invalid(self, error: InvalidFile) -> None:
        """Add an error that was raised with its place."""
        message = error.message.removeprefix(f"{error.path}:{error.line}:{error.column}: ")
        self._add(error, ProblemLevel.ERROR, message, error.hint)

    def _add(
        self, place: YamlNode | InvalidFile, level: ProblemLevel, message: str, hint: str | None
    ) -> None:
        path, line, column = place.path, place.line, place.column
        problem = DefinitionProblem(
            path=path, line=line, column=column, level=level, message=message, hint=hint
        )
        self.problems.append(problem)

    @property
    def has_errors(self) -> bool:
        """Whether the file is invalid."""
        return any(problem.level is ProblemLevel.ERROR for problem in self.problems)

    def in_order(self) -> list[DefinitionProblem]:
        """Return the findings in the order of the file, each once."""
        unique = dict.fromkeys(self.problems)
        return sorted(unique, key=lambda problem: (problem.line, problem.column))


class Fields:
    """The keys of one mapping; a `node` of another kind is reported, and reads as an empty one.

    Args:
        what: the subject of messages, such as `cue 'backup'`.
        ignored: keys of other systems that are accepted; named by `validate`.
        hints: keys that people try, and what to write instead.
    """

    def __init__(
        self,
        node: YamlNode,
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
        if node.kind is not YamlKind.MAPPING:
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
        return self.node.kind is YamlKind.MAPPING

    def get(self, key: str) -> YamlNode | None:
        """Return the value of `key`; None when it is not there or says `null`."""
        entry = self.node.entries.get(key)
        if entry is None:
            return None
        if entry.value.is_empty:
            message = f"'{key}' in {self.what} has no value"
            self.findings.error(entry.key, message, hint="give one, or drop the key")
            return None
        return None if entry.value.kind is YamlKind.NULL else entry.value

    def key(self, key: str) -> YamlNode:
        """Return the place of a key, or of the whole mapping where it is not there."""
        entry = self.node.entries.get(key)
        return entry.key if entry else self.node

    def given(self, keys: Iterable[str]) -> list[str]:
        """Return those of `keys` that are there, in the order of the file."""
        wanted = tuple(keys)
        return [key for key in self.node.entries if key in wanted]

    def one_of(self, keys: Iterable[str]) -> str | None:
        """Return the one of `keys` that is there; more than one is an error."""
        given = self.given(keys)
        if len(given) > 1:
            words = " and ".join(f"'{key}'" for key in given)
            self.findings.error(self.key(given[1]), f"{self.what} has {words}; give one")
        return given[0] if given else None

    def text(self, key: str, *, blank: bool = False) -> str | None:
        """Return a text; with `blank`, an empty one too."""
        node = self._of_kind(key, "text", YamlKind.TEXT)
        if node is not None and not blank and not node.text.strip():
            self.fail(key, "is empty")
            return None
        return None if node is None else node.text

    def flag(self, key: str, *, default: bool) -> bool:
        """Return a truth value."""
        found = self.maybe(key)
        return default if found is None else found

    def maybe(self, key: str) -> bool | None:
        """Return a truth value, None where the file leaves it open."""
        node = self._of_kind(key, "true or false", YamlKind.BOOLEAN)
        return None if node is None else bool(node.scalar)

    def choice(self, key: str, words: Iterable[str]) -> str | None:
        """Return one of `words`."""
        allowed = tuple(words)
        node = self.get(key)
        if node is None or (node.is_scalar and node.text in allowed):
            return None if node is None else node.text
        *others, last = allowed
        either = f"{', '.join(others)} or {last}" if others else last
        hint = self.findings.did_you_mean(node.text, allowed)
        message = f"'{key}' in {self.what} must be {either}, not {describe(node)}"
        self.findings.error(node, message, hint=hint)
        return None

    def number(self, key: str, *, least: float, most: float, above: bool = False) -> float | None:
        """Return a number from `least` to `most`; with `above`, above `least`."""
        node = self._of_kind(key, "a number", YamlKind.NUMBER)
        if node is None:
            return None
        number = float(node.scalar or 0)
        if number > most or number < least or (above and number == least):
            limits = f"from {least:.10g} to {most:.10g}"
            if above:
                limits = f"above {least:.10g} and at most {most:.10g}"
            self.fail(key, f"must be {limits}, not {node.text}")
            return None
        return number

    def whole(self, key: str, *, least: int, most: int) -> int | None:
        """Return a whole number from `least` to `most`."""
        number = self.number(key, least=least, most=most)
        if number is not None and number != int(number):
            self.fail(key, "must be a whole number")
            return None
        return None if number is None else int(number)

    def seconds(
        self, key: str, *, bare_unit: str | None = None, zero: bool = False
    ) -> float | None:
        """Return a duration: `90s`, `30m`; or a bare number of the unit, where there is one."""
        node = self.get(key)
        return None if node is None else self.seconds_of(key, node, bare_unit, zero=zero)

    def seconds_of(
        self, key: str, node: YamlNode, bare_unit: str | None = None, *, zero: bool = False
    ) -> float | None:
        """Return the duration at `node`, which belongs to `key`."""
        from cuectl.values.times import parse_duration

        if node.kind not in (YamlKind.TEXT, YamlKind.NUMBER):
            self.wrong(key, node, "a duration such as 90s or 30m")
            return None
        try:
            seconds = parse_duration(node.text, bare_unit=bare_unit)
        except UsageError as error:
            self.findings.refused(node, error, f"'{key}' in {self.what}: ")
            return None
        if seconds == 0 and not zero:
            self.findings.error(node, f"'{key}' in {self.what} must be more than nothing")
            return None
        return seconds

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

        `empty` allows that of the list, `blank` that of its texts, `scalars` other scalars in it.
        """
        node = self.get(key)
        if node is None:
            return None
        if one and node.kind is YamlKind.TEXT:
            text = self.text(key)
            return None if text is None else (text,)
        if node.kind is not YamlKind.LIST:
            self.wrong(key, node, "a text or a list of texts" if one else "a list of texts")
            return None
        if not node.items and not empty:
            self.fail(key, "is an empty list")
        return self._words(key, node, blank=blank, scalars=scalars)

    def each(self, key: str, read: Callable[[str], T]) -> tuple[T, ...] | None:
        """Return what a rule of the model makes of a scalar, or of each in a list."""
        node = self.get(key)
        found = []
        for item in (node.items if node.kind is YamlKind.LIST else (node,)) if node else ():
            try:
                found.append(read(item.text if item.is_scalar else describe(item)))
            except UsageError as error:
                self.findings.refused(item, error, f"'{key}' in {self.what}: ")
        return tuple(found) or None

    def words(self, key: str) -> tuple[str, ...] | None:
        """Return the words of a command: a list of scalars, each as it is written."""
        node = self._of_kind(key, "a list of words", YamlKind.LIST)
        if node is None:
            return None
        if not node.items or not node.items[0].text:
            self.fail(key, "names no program")
            return None
        return self._words(key, node, blank=True, scalars=True)

    def _words(self, key: str, node: YamlNode, *, blank: bool, scalars: bool) -> tuple[str, ...]:
        found = []
        for item in node.items:
            if item.kind is not YamlKind.TEXT and not (scalars and item.is_scalar):
                self.wrong(key, item, "text", part="an item of ")
            elif not blank and not item.text.strip():
                self.findings.error(item, f"an item of '{key}' in {self.what} is empty")
            else:
                found.append(item.text)
        return tuple(found)

    def record(self, key: str) -> dict[str, Any]:
        """Return a mapping as plain values; an empty one when it is not there."""
        node = self._of_kind(key, "a mapping", YamlKind.MAPPING)
        return {} if node is None else dict(node.value)

    def checked(self, key: str, check: Callable[[str], object]) -> str | None:
        """Return a text that a rule of the model accepts, as the rule gives it back."""
        text = self.text(key)
        if text is None:
            return None
        try:
            found = check(text)
        except UsageError as error:
            self.refuse(key, error)
            return None
        return found if isinstance(found, str) else text

    def fail(self, key: str, problem: str, *, hint: str | None = None) -> None:
        """Add an error about the value of `key`."""
        entry = self.node.entries.get(key)
        place = entry.value if entry else self.node
        self.findings.error(place, f"'{key}' in {self.what} {problem}", hint=hint)

    def refuse(self, key: str, error: CuectlError) -> None:
        """Add what a rule of the model says about the value of `key`."""
        place = self.node.entries[key].value
        self.findings.refused(place, error, f"'{key}' in {self.what}: ")

    def wrong(self, key: str, node: YamlNode, wanted: str, *, part: str = "") -> None:
        """Add that `node` is not what is wanted there."""
        message = f"{part}'{key}' in {self.what} must be {wanted}, not {describe(node)}"
        hint = "put it in quotes" if "text" in wanted and node.is_scalar else None
        self.findings.error(node, message, hint=hint)

    def _of_kind(self, key: str, wanted: str, *kinds: YamlKind) -> YamlNode | None:
        node = self.get(key)
        if node is not None and node.kind not in kinds:
            self.wrong(key, node, wanted)
            return None
        return node

    def _suggestion(self, key: str, hints: Mapping[str, str]) -> str:
        word = self.findings.nearest(key, (*hints, *self._known))
        if word is not None and word in hints:
            return hints[word]
        near = f"did you mean '{word}'?" if word else None
        keys = f"keys: {' '.join(sorted(self._known))}"
        if near and len(self._known) > _MOST_KEYS:
            return near
        return f"{near} {keys}" if near else keys
