"""Read a YAML file into nodes with places, within limits (reliability.md S16).

Reading event by event refuses a file that is deep, or stands for more than it shows, before it
costs anything. Only `true`, `false`, `null` and numbers as in JSON are values; all else is text.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NoReturn

from cuectl.values.errors import InvalidFile
from cuectl.values.records import dataclass, field
from cuectl.values.safe_text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH = 32
MAX_BYTES = 1_048_576
MAX_ALIASED = 100_000
_LONGEST_SHOWN = 60
_TOO_DEEP = f"lists and mappings lie more than {MAX_DEPTH} deep"
_TOO_LARGE = "the file is larger than 1 MB"
_LONGEST_NUMBER = 300
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_CUT = re.compile(r"[ \t]+(#[^\s#].*)")
# YAML 1.1 parsers count these, and no others, as ends of lines.
_LINE_END = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_BAD_CHARACTER = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_NOT_IN_TEXT = re.compile("[\x00\ud800-\udfff]")
# What YAML 1.1 (PyYAML, Go's yaml.v2, Ruby) takes for something else than text.
_OLD_WORD = re.compile(
    r"yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF|True|TRUE|False|FALSE|Null|NULL|~"
    r"|[-+]?0[0-7_]+|[-+]?0[xX][0-9a-fA-F_]+|[-+]?0b[01_]+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
    r"|0o[0-7]+|[-+]?[0-9][0-9_]*_[0-9_]*(?:\.[0-9_]*)?"
    r"|[-+]?\.[0-9]+|\+[0-9]+(?:\.[0-9]*)?|-?[0-9]+\."
)
_OLD_TIME = re.compile(
    r"[-+]?[1-9][0-9]*(?::[0-5]?[0-9])+|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ][0-9:. Z+-]+)?"
)

Scalar = str | int | float | bool | None


class YamlKind(StrEnum):
    """What a value is; the texts stand in error messages."""

    TEXT = "text"
    NUMBER = "a number"
    BOOLEAN = "true or false"
    NULL = "nothing"
    LIST = "a list"
    MAPPING = "a mapping"


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlNode:
    """One value of a file; line and column, from 1, count characters as editors do.

    Attributes:
        text: a scalar as it is written, without quotes; `plain` when it had none and is no block.
        cut: what starts with '#' and a letter behind a plain text, and is a comment to YAML.
        size: how many values this stands for, aliases followed.
        height: how many lists and mappings lie inside each other from here on.
    """

    kind: YamlKind
    path: str
    line: int
    column: int
    text: str = ""
    plain: bool = False
    cut: str = ""
    scalar: Scalar = None
    items: tuple[YamlNode, ...] = ()
    entries: dict[str, YamlEntry] = field(default_factory=dict)
    size: int = 1
    height: int = 0

    @property
    def value(self) -> Any:
        """Return the plain value, as JSON has it: text, numbers, lists, dicts."""
        if self.kind is YamlKind.LIST:
            return [item.value for item in self.items]
        if self.kind is YamlKind.MAPPING:
            return {key: entry.value.value for key, entry in self.entries.items()}
        return self.scalar

    @property
    def is_empty(self) -> bool:
        """Whether nothing stands there, not even the word `null`."""
        return self.kind is YamlKind.NULL and not self.text

    @property
    def is_scalar(self) -> bool:
        """Whether this is one word, number or text."""
        return self.kind in (YamlKind.TEXT, YamlKind.NUMBER, YamlKind.BOOLEAN)

    def fail(self, message: str, *, hint: str | None = None) -> NoReturn:
        """Raise `InvalidFile` at this place."""
        raise InvalidFile(message, path=self.path, line=self.line, column=self.column, hint=hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlEntry:
    """One member of a mapping: its key, for the place, and its value."""

    key: YamlNode
    value: YamlNode


def shown(text: str) -> str:
    """Return a text of the file as a message may show it: short, one line, no controls."""
    return one_line(text, _LONGEST_SHOWN)


def describe(node: YamlNode) -> str:
    """Return what stands there, for `must be ..., not ...`."""
    if node.kind is YamlKind.TEXT:
        return f"'{shown(node.text)}'"
    return shown(node.text) if node.is_scalar else node.kind.value


def surprise(node: YamlNode, *, is_data: bool) -> str | None:
    """Return how a plain word is read otherwise than written, here or by YAML 1.1 readers.

    Dates, times and how a number is written matter in data alone: what handlers get as it is.
    """
    if node.kind is YamlKind.NUMBER and is_data and repr(node.scalar) != node.text:
        return f"'{shown(node.text)}' is read as the number {node.scalar!r}"
    if node.cut and node.kind in (YamlKind.TEXT, YamlKind.NULL):
        return f"'{shown(node.cut)}' is a comment here, and no part of the text"
    is_text = node.plain and node.kind is YamlKind.TEXT
    if is_text and (_OLD_WORD.fullmatch(node.text) or (is_data and _OLD_TIME.fullmatch(node.text))):
        return f"'{node.text}' is text here; other YAML readers take it for a value"
    return None


def read_yaml(text: str | bytes, path: str) -> YamlNode:
    """Return the one document in `text`, of the kind NULL when empty. Raises InvalidFile."""
    source = _checked_text(text, path)
    builder = _Builder(path, _LINE_END.split(source))
    for event in _events(source, path):
        builder.take(event)
    return builder.root or YamlNode(kind=YamlKind.NULL, path=path, line=1, column=1)


def _checked_text(text: str | bytes, path: str) -> str:
    if isinstance(text, bytes):
        text = _decoded(text, path)
    text = text.removeprefix("\ufeff")
    if bad := _BAD_CHARACTER.search(text):
        message = f"character U+{ord(bad[0]):04X} is not allowed in a YAML file"
        _refuse(message, path, text, bad.start())
    if len(text) > MAX_BYTES // 4 and len(text.encode()) > MAX_BYTES:
        _refuse(_TOO_LARGE, path, text, 0)
    _refuse_tag_directives(text, path)
    return text


def _decoded(data: bytes, path: str) -> str:
    if len(data) > MAX_BYTES + 3:
        raise InvalidFile(_TOO_LARGE, path=path, line=1, column=1)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode().removeprefix("\ufeff")
        message = f"byte 0x{data[error.start]:02x} is not UTF-8"
        _refuse(message, path, before, len(before))


def _refuse_tag_directives(text: str, path: str) -> None:
    # The C parser compares each directive with all before it, so many of them take minutes.
    at = 0
    while text.startswith(("%", "#", "\n", "\r", " "), at):
        if text.startswith("%TAG", at):
            _refuse("directive '%TAG' is not allowed", path, text, at)
        at = text.find("\n", at) + 1
        if at == 0:
            return


def _refuse(message: str, path: str, text: str, offset: int) -> NoReturn:
    lines = re.split("\r\n|\r|\n", text[:offset])
    raise InvalidFile(message, path=path, line=len(lines), column=len(lines[-1]) + 1)


def _events(source: str, path: str) -> Iterator[Any]:
    import yaml

    parser = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(source)
    try:
        while (event := parser.get_event()) is not None:
            yield event
    except yaml.YAMLError as error:
        raise _explained(error, source, path) from None
    finally:
        parser.dispose()


@dataclass(slots=True, kw_only=True)
class _Frame:
    """A list or mapping that has started and not ended; `start` is the event that started it."""

    kind: YamlKind
    start: Any
    items: list[YamlNode] = field(default_factory=list)
    entries: dict[str, YamlEntry] = field(default_factory=dict)
    key: YamlNode | None = None
    merged: tuple[YamlNode, ...] | None = None
    size: int = 1
    height: int = 0


class _Builder:
    """Turns events into nodes; `root` is there when the document has ended."""

    def __init__(self, path: str, lines: list[str]) -> None:
        self.path = path
        self.lines = lines
        self.root: YamlNode | None = None
        self.frames: list[_Frame] = []
        self.anchors: dict[str, YamlNode] = {}
        self.aliased = 0
        self.documents = 0

    def take(self, event: Any) -> None:
        """Take the next event."""
        match type(event).__name__:
            case "ScalarEvent":
                self._scalar(event)
            case "MappingStartEvent":
                self._begin(event, YamlKind.MAPPING)
            case "SequenceStartEvent":
                self._begin(event, YamlKind.LIST)
            case "MappingEndEvent" | "SequenceEndEvent":
                self._end()
            case "AliasEvent":
                self._alias(event)
            case "DocumentStartEvent":
                self.documents += 1
                if self.documents > 1:
                    self._fail(event, "a file holds one document, and here a second one begins")

    def _scalar(self, event: Any) -> None:
        self._refuse_tag(event)
        text = event.value
        plain = event.implicit[0] and not event.style
        kind, scalar = YamlKind.TEXT, text
        if plain and not self._at_key():
            try:
                kind, scalar = _resolve(text)
            except ValueError as problem:
                self._fail(event, str(problem))
        elif plain and not text:
            self._fail(event, "a key is missing before ':'")
        if bad := _NOT_IN_TEXT.search(text):
            self._fail(event, f"character U+{ord(bad[0]):04X} is not allowed in a text")
        end = event.end_mark
        behind = self.lines[end.line][end.column :] if plain and end.line < len(self.lines) else ""
        cut = _CUT.match(behind)
        self._add_new(event, kind, text=text, plain=plain, scalar=scalar, cut=cut[1] if cut else "")

    def _begin(self, event: Any, kind: YamlKind) -> None:
        self._refuse_tag(event)
        if self._at_key():
            hint = "put a text that begins so in quotes"
            self._fail(event, f"a key must be text, not {kind.value}", hint=hint)
        if len(self.frames) >= MAX_DEPTH:
            self._fail(event, _TOO_DEEP)
        self.frames.append(_Frame(kind=kind, start=event))

    def _end(self) -> None:
        frame = self.frames.pop()
        # A member that the mapping gives itself wins, else that of the first one merged.
        for source in frame.merged or ():
            for text, entry in source.entries.items():
                frame.entries.setdefault(text, entry)
        content: dict[str, Any] = {"items": tuple(frame.items), "entries": frame.entries}
        content |= {"size": frame.size, "height": frame.height + 1}
        self._add_new(frame.start, frame.kind, **content)

    def _add_new(self, event: Any, kind: YamlKind, **content: Any) -> None:
        line, column = _start_of(event)
        node = YamlNode(kind=kind, path=self.path, line=line, column=column, **content)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        self._add(node)

    def _alias(self, event: Any) -> None:
        name = event.anchor
        if self._at_key():
            self._fail(event, "a key must be text, not an alias")
        node = self.anchors.get(name)
        if node is None:
            if any(frame.start.anchor == name for frame in self.frames):
                self._fail(event, f"alias '*{shown(name)}' stands inside what it means")
            message = f"alias '*{shown(name)}' has no anchor '&{shown(name)}' before it"
            self._fail(event, message, hint="put a text that begins with '*' in quotes")
        self.aliased += node.size
        if self.aliased > MAX_ALIASED:
            self._fail(event, f"the aliases so far stand for more than {MAX_ALIASED} values")
        if len(self.frames) + node.height > MAX_DEPTH:
            self._fail(event, _TOO_DEEP)
        self._add(node)

    def _add(self, node: YamlNode) -> None:
        if not self.frames:
            self.root = node
            return
        frame = self.frames[-1]
        if self._at_key():
            self._add_key(frame, node)
            return
        frame.size += node.size
        frame.height = max(frame.height, node.height)
        if frame.kind is YamlKind.LIST:
            frame.items.append(node)
        elif frame.key is not None:
            self._add_member(frame, frame.key, node)
            frame.key = None

    def _add_key(self, frame: _Frame, key: YamlNode) -> None:
        first = frame.entries.get(key.text)
        if first is not None or (_is_merge(key) and frame.merged is not None):
            line = f", first in line {first.key.line}" if first else ""
            key.fail(f"key '{shown(key.text)}' is given twice{line}")
        frame.key = key

    def _add_member(self, frame: _Frame, key: YamlNode, node: YamlNode) -> None:
        if not _is_merge(key):
            frame.entries[key.text] = YamlEntry(key=key, value=node)
            return
        frame.merged = node.items if node.kind is YamlKind.LIST else (node,)
        for source in frame.merged:
            if source.kind is not YamlKind.MAPPING:
                source.fail("'<<' takes a mapping or a list of mappings")

    def _at_key(self) -> bool:
        frame = self.frames[-1] if self.frames else None
        return frame is not None and frame.kind is YamlKind.MAPPING and frame.key is None

    def _refuse_tag(self, event: Any) -> None:
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!", 1)
            message = f"tag '{shown(tag)}' is not allowed"
            self._fail(event, message, hint="write the value without it")

    def _fail(self, event: Any, message: str, *, hint: str | None = None) -> NoReturn:
        line, column = _start_of(event)
        raise InvalidFile(message, path=self.path, line=line, column=column, hint=hint)


def _start_of(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _is_merge(key: YamlNode) -> bool:
    return key.plain and key.text == "<<"


def _resolve(text: str) -> tuple[YamlKind, Scalar]:
    """Return what a plain word is, and its value. Raises ValueError: a number not for JSON."""
    if text in {"", "null"}:
        return YamlKind.NULL, None
    if text in {"true", "false"}:
        return YamlKind.BOOLEAN, text == "true"
    match = _NUMBER.fullmatch(text) if text[0] in "-0123456789" else None
    if match is None:
        return YamlKind.TEXT, text
    if len(text) > _LONGEST_NUMBER:
        raise ValueError(f"number has more than {_LONGEST_NUMBER} digits")
    if match[1] is None and match[2] is None:
        return YamlKind.NUMBER, int(text)
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"number '{text}' is out of range")
    return YamlKind.NUMBER, number


_TAB = "a tab stands where YAML wants blanks"
_KEY = "expected a key, or the end of the block above"
_INDENTATION = "check the indentation and the quotes"
# How a parser's sentence starts (libyaml's or PyYAML's own), what it means, and a hint.
_MEANINGS = (
    ("mapping values are not allowed", "':' is not expected here", "quote the text around it"),
    ("did not find expected (key|'-')|expected <block end>", _KEY, _INDENTATION),
    ("(did not find expected|expected the) node content", "a value is missing here", None),
    (r"(did not find )?expected ',' or '\]'", "',' or ']' is missing here", None),
    (r"(did not find )?expected ',' or '\}'", "',' or '}' is missing here", None),
    ("could not find expected ':'", "':' is missing after a key", None),
    ("(block )?sequence entries are not allowed", "'-' is not expected here", _INDENTATION),
    ("found incompatible YAML document", "the YAML version must be 1.1 or 1.2", None),
    # From 0.2.6 on, libyaml looks ahead so far that it meets its own limit before we meet ours.
    ("exceeded maximum nesting depth", _TOO_DEEP, None),
)


def _explained(error: Any, source: str, path: str) -> InvalidFile:
    """Return what a `yaml.YAMLError` means for a reader of the file."""
    problem = getattr(error, "problem", None) or "it cannot be read"
    mark = getattr(error, "problem_mark", None)
    lines = _LINE_END.split(source)
    at_mark = lines[mark.line][mark.column :][:1] if mark and mark.line < len(lines) else ""
    context = getattr(error, "context", None) or ""
    message, hint = _meaning(problem, at_mark)
    if context.endswith(("scanning an alias", "scanning an anchor", "scanning a tag")):
        # The commonest case is an expression such as '*/5', which starts like an alias.
        mark = error.context_mark
        message, hint = _meaning("cannot start any token", lines[mark.line][mark.column])
    if "quoted scalar" in context and "end of stream" in problem:
        message, mark = "this quote is never closed", error.context_mark
    line, column = _place(lines, mark)
    return InvalidFile(message, path=path, line=line, column=column, hint=hint)


def _meaning(problem: str, character: str) -> tuple[str, str | None]:
    cannot_start = "cannot start any token" in problem
    is_tab = character == "\t" and (cannot_start or "expected" in problem)
    if is_tab or "tab character" in problem:
        return _TAB, None
    if cannot_start:
        return f"a text cannot begin with '{shown(character)}'", "put it in quotes"
    for beginning, message, hint in _MEANINGS:
        if re.match(beginning, problem):
            return message, hint
    return f"not YAML: {problem}", None


def _place(lines: list[str], mark: Any) -> tuple[int, int]:
    """Return line and column from 1; what lies behind the end is at the end."""
    if mark is None:
        return 1, 1
    while len(lines) > 1 and not lines[-1]:
        lines.pop()
    if mark.line >= len(lines):
        return len(lines), len(lines[-1]) + 1
    return mark.line + 1, mark.column + 1
