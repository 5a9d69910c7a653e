"""What a YAML file is made of once it is read: values that know their place."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NoReturn

from cuectl.model.errors import InvalidFile
from cuectl.model.terminal_text import one_line
from cuectl.model.values import dataclass, field

_LONGEST_SHOWN = 60


class Kind(StrEnum):
    """What a value is; the texts stand in error messages."""

    TEXT = "text"
    NUMBER = "a number"
    BOOLEAN = "true or false"
    NULL = "nothing"
    LIST = "a list"
    MAPPING = "a mapping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One value of a file.

    Attributes:
        path: the file as the user named it.
        line: from 1, as `column` is; both count characters as editors do.
        text: a scalar as it is written, without quotes.
        plain: the scalar had no quotes and is no block.
        scalar: the value of a scalar.
        items: the members of a list.
        entries: the members of a mapping, in the order of the file, by the text of the key.
        size: how many values this stands for, aliases followed.
        height: how many lists and mappings lie inside each other from here on.
    """

    kind: Kind
    path: str
    line: int
    column: int
    text: str = ""
    plain: bool = False
    scalar: str | int | float | bool | None = None
    items: tuple[Node, ...] = ()
    entries: dict[str, Entry] = field(default_factory=dict)
    size: int = 1
    height: int = 0

    @property
    def value(self) -> Any:
        """Return the plain value, as JSON has it: text, numbers, lists, dicts."""
        match self.kind:
            case Kind.LIST:
                return [item.value for item in self.items]
            case Kind.MAPPING:
                return {key: entry.value.value for key, entry in self.entries.items()}
            case _:
                return self.scalar

    @property
    def is_empty(self) -> bool:
        """Whether nothing stands there, not even the word `null`."""
        return self.kind is Kind.NULL and not self.text

    @property
    def is_scalar(self) -> bool:
        """Whether this is one word, number or text."""
        return self.kind in (Kind.TEXT, Kind.NUMBER, Kind.BOOLEAN)

    def fail(self, message: str, *, hint: str | None = None) -> NoReturn:
        """Raise `InvalidFile` at this place."""
        raise InvalidFile(message, path=self.path, line=self.line, column=self.column, hint=hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One member of a mapping: its key, for the place, and its value."""

    key: Node
    value: Node


def shown(text: str) -> str:
    """Return a text of the file as a message may show it: short, one line, no controls."""
    return one_line(text, _LONGEST_SHOWN)


def describe(node: Node) -> str:
    """Return what stands there, for `must be ..., not ...`."""
    match node.kind:
        case Kind.TEXT:
            return f"'{shown(node.text)}'"
        case Kind.NUMBER | Kind.BOOLEAN:
            return shown(node.text)
        case _:
            return node.kind.value


def require(node: Node, what: str, *kinds: Kind) -> Node:
    """Return `node` when it is of one of `kinds`.

    Raises:
        InvalidFile: it is not; the message begins with `what`.
    """
    if node.kind not in kinds:
        wanted = " or ".join(kind.value for kind in kinds)
        node.fail(f"{what} must be {wanted}, not {describe(node)}")
    return node
