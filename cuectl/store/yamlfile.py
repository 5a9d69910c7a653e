"""Read a YAML file into nodes with places, within limits (reliability.md S16).

The parser's events are read one by one, so that a file that is deep, or that stands for
more than it shows, is refused before it costs anything.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NoReturn

from cuectl.model.errors import InvalidFile
from cuectl.model.values import dataclass, field
from cuectl.store.yaml_messages import explain
from cuectl.store.yaml_nodes import Entry, Kind, Node, shown
from cuectl.store.yaml_scalars import ScalarProblem, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 1_048_576
MAX_DEPTH = 32
MAX_ALIASED = 100_000

_BAD_CHARACTER = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_NOT_IN_TEXT = re.compile("[\x00\ud800-\udfff]")


def read_yaml(text: str | bytes, path: str) -> Node:
    """Return the one document in `text`; an empty file is a node of the kind NULL.

    Args:
        text: the whole file; bytes must be UTF-8, with or without a byte order mark.
        path: the file as the user named it, for messages.

    Raises:
        InvalidFile: not YAML, or outside the limits; the message begins `file:line:col`.
    """
    source = _checked_text(text, path)
    builder = _Builder(path=path)
    for event in _events(source, path):
        builder.take(event)
    if builder.root is None:
        return Node(kind=Kind.NULL, path=path, line=1, column=1)
    return builder.root


def _checked_text(text: str | bytes, path: str) -> str:
    if isinstance(text, bytes):
        text = _decoded(text, path)
    text = text.removeprefix("\ufeff")
    if bad := _BAD_CHARACTER.search(text):
        message = f"character U+{ord(bad[0]):04X} is not allowed in a YAML file"
        _refuse(message, path, text, bad.start())
    if len(text) > MAX_BYTES // 4 and len(text.encode()) > MAX_BYTES:
        _refuse("the file is larger than 1 MB", path, text, 0)
    _refuse_tag_directives(text, path)
    return text


def _decoded(data: bytes, path: str) -> str:
    if len(data) > MAX_BYTES + 3:
        raise InvalidFile("the file is larger than 1 MB", path=path, line=1, column=1)
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
        raise explain(error, source, path) from None
    finally:
        parser.dispose()


@dataclass(slots=True, kw_only=True)
class _Frame:
    """A list or mapping that has begun and not ended."""

    kind: Kind
    line: int
    column: int
    anchor: str | None
    items: list[Node] = field(default_factory=list)
    entries: dict[str, Entry] = field(default_factory=dict)
    key: Node | None = None
    merged: Node | None = None
    size: int = 1
    height: int = 0


@dataclass(slots=True, kw_only=True)
class _Builder:
    """Turns events into nodes; `root` is there when the document has ended."""

    path: str
    root: Node | None = None
    frames: list[_Frame] = field(default_factory=list)
    anchors: dict[str, Node] = field(default_factory=dict)
    aliased: int = 0
    documents: int = 0

    def take(self, event: Any) -> None:
        """Take the next event."""
        match type(event).__name__:
            case "ScalarEvent":
                self._scalar(event)
            case "MappingStartEvent":
                self._begin(event, Kind.MAPPING)
            case "SequenceStartEvent":
                self._begin(event, Kind.LIST)
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
        kind, scalar = Kind.TEXT, text
        if plain and not self._at_key():
            try:
                kind, scalar = resolve(text)
            except ScalarProblem as problem:
                self._fail(event, str(problem))
        elif plain and not text:
            self._fail(event, "a key is missing before ':'")
        if bad := _NOT_IN_TEXT.search(text):
            self._fail(event, f"character U+{ord(bad[0]):04X} is not allowed in a text")
        mark = event.start_mark
        node = Node(
            kind=kind,
            path=self.path,
            line=mark.line + 1,
            column=mark.column + 1,
            text=text,
            plain=plain,
            scalar=scalar,
        )
        self._remember(event.anchor, node)
        self._add(node)

    def _begin(self, event: Any, kind: Kind) -> None:
        self._refuse_tag(event)
        if self._at_key():
            self._fail(event, f"a key must be text, not {kind.value}")
        if len(self.frames) >= MAX_DEPTH:
            self._fail(event, f"lists and mappings lie more than {MAX_DEPTH} deep")
        mark = event.start_mark
        self.frames.append(
            _Frame(kind=kind, line=mark.line + 1, column=mark.column + 1, anchor=event.anchor)
        )

    def _end(self) -> None:
        frame = self.frames.pop()
        if frame.merged is not None:
            _merge(frame, frame.merged)
        node = Node(
            kind=frame.kind,
            path=self.path,
            line=frame.line,
            column=frame.column,
            items=tuple(frame.items),
            entries=frame.entries,
            size=frame.size,
            height=frame.height + 1,
        )
        self._remember(frame.anchor, node)
        self._add(node)

    def _alias(self, event: Any) -> None:
        name = event.anchor
        if self._at_key():
            self._fail(event, "a key must be text, not an alias")
        node = self.anchors.get(name)
        if node is None:
            if any(frame.anchor == name for frame in self.frames):
                self._fail(event, f"alias '*{shown(name)}' stands inside what it means")
            self._fail(event, f"alias '*{shown(name)}' has no anchor '&{shown(name)}' before it")
        self.aliased += node.size
        if self.aliased > MAX_ALIASED:
            self._fail(event, f"the aliases so far stand for more than {MAX_ALIASED} values")
        if len(self.frames) + node.height > MAX_DEPTH:
            self._fail(event, f"lists and mappings lie more than {MAX_DEPTH} deep")
        self._add(node)

    def _add(self, node: Node) -> None:
        if not self.frames:
            self.root = node
            return
        frame = self.frames[-1]
        if frame.kind is Kind.MAPPING and frame.key is None:
            self._add_key(frame, node)
            return
        frame.size += node.size
        frame.height = max(frame.height, node.height)
        if frame.kind is Kind.LIST:
            frame.items.append(node)
        elif frame.key is not None:
            self._add_member(frame, frame.key, node)
            frame.key = None

    def _add_key(self, frame: _Frame, key: Node) -> None:
        first = frame.entries.get(key.text)
        is_second_merge = _is_merge(key) and frame.merged is not None
        if first is not None or is_second_merge:
            line = f", first in line {first.key.line}" if first else ""
            key.fail(f"key '{shown(key.text)}' is given twice{line}")
        frame.key = key

    def _add_member(self, frame: _Frame, key: Node, node: Node) -> None:
        if not _is_merge(key):
            frame.entries[key.text] = Entry(key=key, value=node)
            return
        sources = node.items if node.kind is Kind.LIST else (node,)
        for source in sources:
            if source.kind is not Kind.MAPPING:
                source.fail("'<<' takes a mapping or a list of mappings")
        frame.merged = node

    def _at_key(self) -> bool:
        return (
            bool(self.frames)
            and self.frames[-1].kind is Kind.MAPPING
            and (self.frames[-1].key is None)
        )

    def _remember(self, anchor: str | None, node: Node) -> None:
        if anchor is not None:
            self.anchors[anchor] = node

    def _refuse_tag(self, event: Any) -> None:
        if event.tag is not None:
            message = f"tag '{shown(_short_tag(event.tag))}' is not allowed"
            self._fail(event, message, hint="write the value without it")

    def _fail(self, event: Any, message: str, *, hint: str | None = None) -> NoReturn:
        mark = event.start_mark
        raise InvalidFile(
            message, path=self.path, line=mark.line + 1, column=mark.column + 1, hint=hint
        )


def _is_merge(key: Node) -> bool:
    return key.plain and key.text == "<<"


def _merge(frame: _Frame, merged: Node) -> None:
    """Add the members of `merged` that the mapping does not give itself; the first one wins."""
    for source in merged.items if merged.kind is Kind.LIST else (merged,):
        for text, entry in source.entries.items():
            frame.entries.setdefault(text, entry)


def _short_tag(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!", 1)
