"""Declarations of what requests and answers hold.

One declaration checks a value and describes it as JSON Schema, so that what is published at
`/openapi.json` and what is accepted cannot differ.
"""

from __future__ import annotations

from typing import Any, Protocol

from cuectl.model.instants import from_text, to_text
from cuectl.model.json_limits import any_text, has_nul, kind_of
from cuectl.model.values import dataclass

TYPE_CHECKING = False

Record = dict[str, Any]
LAST_INSTANT_MS = 253_402_300_799_999


class Invalid(Exception):
    """A value is not what was declared.

    Attributes:
        details: (place, what is wrong with it), each.
    """

    def __init__(self, *details: tuple[str, str]) -> None:
        super().__init__(details)
        self.details = details


class Field(Protocol):
    """What a declaration does."""

    def schema(self) -> Record:
        """Return its JSON Schema."""

    def take(self, value: Any, place: str) -> Any:
        """Return the value as the program uses it.

        Raises:
            Invalid: it is not what was declared.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A string without NUL.

    Attributes:
        least, most: its length in characters.
        form: the `format` of the schema.
    """

    least: int = 0
    most: int | None = None
    form: str | None = None

    def schema(self) -> Record:
        """Return its JSON Schema."""
        schema: Record = {"type": "string"}
        if self.least:
            schema["minLength"] = self.least
        if self.most is not None:
            schema["maxLength"] = self.most
        if self.form:
            schema["format"] = self.form
        return schema

    def take(self, value: Any, place: str) -> str:
        """Return the text."""
        if not isinstance(value, str):
            raise Invalid((place, f"must be a string, not {kind_of(value)}"))
        if has_nul(value):
            raise Invalid((place, "contains a NUL character"))
        if len(value) < self.least:
            raise Invalid((place, f"must have at least {self.least} characters"))
        if self.most is not None and len(value) > self.most:
            raise Invalid((place, f"must have at most {self.most} characters"))
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of some words."""

    words: tuple[str, ...]

    def schema(self) -> Record:
        """Return its JSON Schema."""
        return {"type": "string", "enum": list(self.words)}

    def take(self, value: Any, place: str) -> str:
        """Return the word."""
        if value not in self.words or not isinstance(value, str):
            raise Invalid((place, f"must be one of {', '.join(self.words)}"))
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """True or false, and nothing else that could be taken for one of them."""

    def schema(self) -> Record:
        """Return its JSON Schema."""
        return {"type": "boolean"}

    def take(self, value: Any, place: str) -> bool:
        """Return it."""
        if not isinstance(value, bool):
            raise Invalid((place, f"must be true or false, not {kind_of(value)}"))
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number within limits, both included."""

    least: float
    most: float
    whole: bool = True

    def schema(self) -> Record:
        """Return its JSON Schema."""
        kind = "integer" if self.whole else "number"
        return {"type": kind, "minimum": self.least, "maximum": self.most}

    def take(self, value: Any, place: str) -> float:
        """Return it."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Invalid((place, f"must be a number, not {kind_of(value)}"))
        if self.whole and value != int(value):
            raise Invalid((place, "must be a whole number"))
        if not self.least <= value <= self.most:
            raise Invalid((place, f"must be from {self.least:g} to {self.most:g}"))
        return int(value) if self.whole else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A point in time: a text, or the seconds or milliseconds since 1970; taken as a text.

    Source: reference/cueapi.md 1.2.
    """

    def schema(self) -> Record:
        """Return its JSON Schema."""
        described = "RFC 3339, a local time, or seconds or milliseconds since 1970"
        texts = {"type": "string", "minLength": 1, "maxLength": 100}
        numbers = {"type": "integer", "minimum": 0, "maximum": LAST_INSTANT_MS}
        return {"anyOf": [texts, numbers], "description": described}

    def take(self, value: Any, place: str) -> str:
        """Return a text that `moments.parse_moment` understands."""
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) > 8:
            value = int(value) if len(value) < 18 else -1
        if isinstance(value, str):
            return Text(least=1, most=100).take(value, place)
        if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
            raise Invalid((place, f"must be a point in time, not {kind_of(value)}"))
        ms = int(value) if value >= 100_000_000_000 else int(value) * 1000
        if not 0 <= ms <= LAST_INSTANT_MS:
            raise Invalid((place, "is out of range"))
        return to_text(ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instant:
    """An instant with a zone, in RFC 3339, taken as milliseconds."""

    def schema(self) -> Record:
        """Return its JSON Schema."""
        return {"type": "string", "format": "date-time"}

    def take(self, value: Any, place: str) -> int:
        """Return the milliseconds."""
        text = Text(most=64).take(value, place)
        try:
            return from_text(text.replace(" ", "+") if text.count(" ") == 1 else text)
        except (ValueError, IndexError):
            raise Invalid((place, "must be an instant such as 2026-11-23T09:00:00Z")) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyObject:
    """Any JSON object without NUL."""

    def schema(self) -> Record:
        """Return its JSON Schema."""
        return {"type": "object", "additionalProperties": True}

    def take(self, value: Any, place: str) -> Record:
        """Return it."""
        if not isinstance(value, dict):
            raise Invalid((place, f"must be an object, not {kind_of(value)}"))
        if any_text(value, has_nul):
            raise Invalid((place, "contains a NUL character"))
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Anything:
    """Any JSON value."""

    def schema(self) -> Record:
        """Return its JSON Schema: none."""
        return {}

    def take(self, value: Any, _place: str) -> Any:
        """Return it."""
        return value
