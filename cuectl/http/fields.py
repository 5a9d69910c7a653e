"""Declarations of requests and answers: the same one checks a value and is its JSON Schema."""

from __future__ import annotations

from typing import Any

from cuectl.values.json_limits import any_text, has_nul, kind_of
from cuectl.values.records import Record, dataclass
from cuectl.values.times import from_text, to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Details = tuple[tuple[str, str], ...]

_LAST_INSTANT_MS = 253_402_300_799_999


class Invalid(Exception):
    """A value is not what was declared; `details` has (place, what is wrong with it), each."""

    def __init__(self, *details: tuple[str, str]) -> None:
        super().__init__(details)
        self.details = details


@dataclass(frozen=True, slots=True)
class Plain:
    """A kind of value; `take` returns it as the program uses it, or raises Invalid for it."""

    described: Record
    take: Callable[[Any, str], Any]
    parts: tuple[Declaration, ...] = ()

    def schema(self) -> Record:
        """Return the JSON Schema."""
        return self.described


def string(*, least: int = 0, most: int | None = None) -> Plain:
    """Declare a string without NUL; the limits count characters."""
    limits = {"minLength": least or None, "maxLength": most}
    said = {name: limit for name, limit in limits.items() if limit is not None}
    return Plain({"type": "string", **said}, lambda value, place: _text(value, place, least, most))


def _text(value: Any, place: str, least: int, most: int | None) -> str:
    if not isinstance(value, str):
        raise Invalid((place, f"must be a string, not {kind_of(value)}"))
    if has_nul(value):
        raise Invalid((place, "contains a NUL character"))
    if len(value) < least:
        raise Invalid((place, f"must have at least {least} characters"))
    if most is not None and len(value) > most:
        raise Invalid((place, f"must have at most {most} characters"))
    return value


def choice(words: tuple[str, ...]) -> Plain:
    """Declare one of some words."""

    def taken(value: Any, place: str) -> str:
        if value not in words or not isinstance(value, str):
            raise Invalid((place, f"must be one of {', '.join(words)}"))
        return value

    return Plain({"type": "string", "enum": list(words)}, taken)


def number(*, least: float, most: float, whole: bool = True) -> Plain:
    """Declare a number within limits, both included."""

    def taken(value: Any, place: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Invalid((place, f"must be a number, not {kind_of(value)}"))
        if whole and value != int(value):
            raise Invalid((place, "must be a whole number"))
        if not least <= value <= most:
            raise Invalid((place, f"must be from {least:g} to {most:g}"))
        return int(value) if whole else value

    kind = "integer" if whole else "number"
    return Plain({"type": kind, "minimum": least, "maximum": most}, taken)


# What the peer takes for a truth value besides one.
_TRUTHS = dict.fromkeys((1, "true", "True", "yes", "on", "1"), True)
_TRUTHS |= dict.fromkeys((0, "false", "False", "no", "off", "0"), False)


def _flag(value: Any, place: str) -> bool:
    if isinstance(value, bool | int | str) and value in _TRUTHS:
        return _TRUTHS[value]
    raise Invalid((place, f"must be true or false, not {kind_of(value)}"))


def _moment(value: Any, place: str) -> str:
    """Return a text that `parse_moment` understands."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) > 8:
        value = int(value) if len(value) < 18 else -1
    if isinstance(value, str):
        return _text(value, place, 1, 100)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise Invalid((place, f"must be a point in time, not {kind_of(value)}"))
    ms = int(value) if value >= 100_000_000_000 else int(value) * 1000
    if not 0 <= ms <= _LAST_INSTANT_MS:
        raise Invalid((place, "is out of range"))
    return to_text(ms)


def _instant(value: Any, place: str) -> int:
    said = _text(value, place, 0, 64)
    said = said.replace(" ", "+") if said.count(" ") == 1 else said
    for more in ("", "Z", "T00:00:00Z"):
        try:
            return from_text(said + more)
        except (ValueError, IndexError):
            continue
    raise Invalid((place, "must be an instant such as 2026-11-23T09:00:00Z"))


def _object(value: Any, place: str) -> Record:
    if not isinstance(value, dict):
        raise Invalid((place, f"must be an object, not {kind_of(value)}"))
    return value


def _any_object(value: Any, place: str) -> Record:
    if any_text(value, has_nul):
        raise Invalid((place, "contains a NUL character"))
    return _object(value, place)


FLAG = Plain({"type": "boolean"}, _flag)
TRUTH = Plain({"enum": [True, False, *_TRUTHS]}, _flag)
# An instant in RFC 3339, in UTC without a zone, taken as milliseconds.
INSTANT = Plain({"type": "string", "format": "date-time"}, _instant)
# A point in time as a text or a number, taken as a text (reference/cueapi.md 1.2).
MOMENT = Plain(
    {
        "anyOf": [
            {"type": "string", "minLength": 1, "maxLength": 100},
            {"type": "integer", "minimum": 0, "maximum": _LAST_INSTANT_MS},
        ],
        "description": "RFC 3339, a local time, or seconds or milliseconds since 1970",
    },
    _moment,
)
ANY_OBJECT = Plain({"type": "object", "additionalProperties": True}, _any_object)
PAYLOAD = Plain(ANY_OBJECT.described, _object)  # NUL in it has a code of its own
ANYTHING = Plain({}, lambda value, _: value)


def list_of(item: Declaration, *, least: int = 0, most: int = 10_000) -> Plain:
    """Declare a list of one kind of value."""

    def taken(value: Any, place: str) -> list[Any]:
        if not isinstance(value, list):
            raise Invalid((place, f"must be a list, not {kind_of(value)}"))
        if not least <= len(value) <= most:
            raise Invalid((place, f"must have {least} to {most} items"))
        return [item.take(one, f"{place}.{number}") for number, one in enumerate(value)]

    schema = {"type": "array", "items": item.schema(), "minItems": least, "maxItems": most}
    return Plain(schema, taken, (item,))


def maybe(kind: Declaration) -> Plain:
    """Declare null, or a value."""
    schema = {"anyOf": [kind.schema(), {"type": "null"}]}
    return Plain(
        schema, lambda value, place: None if value is None else kind.take(value, place), (kind,)
    )


@dataclass(frozen=True, slots=True)
class Object:
    """An object; an `open` one may have other members, which `take` leaves out."""

    members: Mapping[str, Declaration]
    required: tuple[str, ...] = ()
    open: bool = False
    name: str = ""

    @property
    def parts(self) -> tuple[Declaration, ...]:
        """The declarations of the members."""
        return tuple(self.members.values())

    def schema(self) -> Record:
        """Return the JSON Schema, by reference if the object has a name."""
        return {"$ref": f"#/components/schemas/{self.name}"} if self.name else self.body()

    def body(self) -> Record:
        """Return the JSON Schema written out."""
        schema: Record = {
            "type": "object",
            "properties": {name: one.schema() for name, one in self.members.items()},
            "additionalProperties": self.open,
        }
        if self.required:
            schema["required"] = list(self.required)
        return schema

    def left_out(self, value: Record, at: str = "") -> list[str]:
        """Return the members, also those of inner objects, that `take` leaves out."""
        found = [f"{at}{name}" for name in value if name not in self.members]
        for name, member in self.members.items():
            if isinstance(inner := value.get(name), dict):
                for one in _objects(member):
                    found += one.left_out(inner, f"{at}{name}.")
        return found

    def take(self, value: Any, place: str) -> Record:
        """Return the known members that are there."""
        if not isinstance(value, dict):
            raise Invalid((place, f"must be an object, not {kind_of(value)}"))
        at = f"{place}." if place else ""
        unknown = [] if self.open else [name for name in value if name not in self.members]
        problems = [(at + name[:60], "is not known") for name in unknown]
        problems += [(at + name, "is required") for name in self.required if name not in value]
        found: Record = {}
        for name, member in self.members.items():
            if name in value:
                try:
                    found[name] = member.take(value[name], at + name)
                except Invalid as bad:
                    problems += bad.details
        if problems:
            raise Invalid(*problems)
        return found


Declaration = Plain | Object


def _objects(kind: Declaration) -> list[Object]:
    if isinstance(kind, Object):
        return [kind]
    return [one for part in kind.parts for one in _objects(part)]


def open_object(name: str, /, *required: str, **members: Declaration) -> Object:
    """Declare an object that may have other members too, which are left out."""
    return Object(members, required, open=True, name=name)
