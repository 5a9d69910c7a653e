"""Declarations of lists and objects, and of values that may be of more than one kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.api.fields import Field, Invalid
from cuectl.model.json_limits import kind_of
from cuectl.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOf:
    """A list of one kind of value."""

    item: Field
    least: int = 0
    most: int = 10_000

    def schema(self) -> Record:
        """Return its JSON Schema."""
        return {
            "type": "array",
            "items": self.item.schema(),
            "minItems": self.least,
            "maxItems": self.most,
        }

    def take(self, value: Any, place: str) -> list[Any]:
        """Return the list."""
        if not isinstance(value, list):
            raise Invalid((place, f"must be a list, not {kind_of(value)}"))
        if not self.least <= len(value) <= self.most:
            raise Invalid((place, f"must have {self.least} to {self.most} items"))
        return [self.item.take(one, f"{place}.{n}") for n, one in enumerate(value)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Maybe:
    """Null, or a value."""

    field: Field

    def schema(self) -> Record:
        """Return its JSON Schema."""
        return {"anyOf": [self.field.schema(), {"type": "null"}]}

    def take(self, value: Any, place: str) -> Any:
        """Return it."""
        return None if value is None else self.field.take(value, place)


@dataclass(frozen=True, slots=True, kw_only=True)
class Either:
    """A value of one of two kinds."""

    first: Field
    second: Field

    def schema(self) -> Record:
        """Return its JSON Schema."""
        return {"anyOf": [self.first.schema(), self.second.schema()]}

    def take(self, value: Any, place: str) -> Any:
        """Return what the first kind that fits makes of it."""
        try:
            return self.first.take(value, place)
        except Invalid as problem:
            try:
                return self.second.take(value, place)
            except Invalid:
                raise problem from None


@dataclass(frozen=True, slots=True)
class Object:
    """An object with known members.

    Attributes:
        members: name to declaration.
        required: those that must be there.
        open: whether others may be there too; `take` leaves them out.
        name: what the schema is called in the published description.
    """

    members: Mapping[str, Field]
    required: tuple[str, ...] = ()
    open: bool = False
    name: str = ""

    def schema(self) -> Record:
        """Return its JSON Schema."""
        return {"$ref": f"#/components/schemas/{self.name}"} if self.name else self.body()

    def body(self) -> Record:
        """Return its JSON Schema written out."""
        schema: Record = {
            "type": "object",
            "properties": {name: one.schema() for name, one in self.members.items()},
            "additionalProperties": self.open,
        }
        if self.required:
            schema["required"] = list(self.required)
        return schema

    def take(self, value: Any, place: str) -> Record:
        """Return the known members that are there."""
        if not isinstance(value, dict):
            raise Invalid((place, f"must be an object, not {kind_of(value)}"))
        found: Record = {}
        problems: list[tuple[str, str]] = []
        if not self.open:
            unknown = [name for name in value if name not in self.members]
            problems += [(_below(place, name[:60]), "is not known") for name in unknown]
        missing = [name for name in self.required if name not in value]
        problems += [(_below(place, name), "is required") for name in missing]
        for name, field in self.members.items():
            if name in value:
                try:
                    found[name] = field.take(value[name], _below(place, name))
                except Invalid as bad:
                    problems += bad.details
        if problems:
            raise Invalid(*problems)
        return found


def _below(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name
