"""Dataclasses that cost little to define: ours are made at every start of the program.

The standard decorator writes and compiles five functions for each class, used or not, which
took more than half of the start of a pass. This one compiles the constructor alone, when it
is first called; everything else is shared. `replace` copies without a constructor. Type
checkers see the standard library's own, and `dataclasses.fields` and its like work on what
is made here.

Supported is what values need: fields with defaults or factories, `frozen`, `slots`,
`kw_only`, `order`. There is no `__post_init__`.
"""

from __future__ import annotations

from operator import attrgetter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import MISSING, dataclass, field, fields, replace
    from typing import Any

__all__ = ["MISSING", "dataclass", "field", "fields", "replace"]


class _Missing:
    """No default: there is one of it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<no default>"


_MISSING = _Missing()
_ABSENT: Any = object()


class _Field:
    """A field; the constructor's parameter of the same name."""

    __slots__ = ("default", "default_factory", "name", "type")

    def __init__(self, default: Any = _MISSING, default_factory: Any = _MISSING) -> None:
        self.default = default
        self.default_factory = default_factory
        self.name = self.type = ""


class _Shape:
    """What is known of a class; the parts that cost something are made when they are needed."""

    __slots__ = ("by_name", "cls", "frozen", "get", "items", "kw_only", "names", "puts", "slots")

    def __init__(self, items: dict[str, _Field], *, frozen: bool, slots: bool, kw_only: bool):
        self.items = items
        self.names = tuple(items)
        self.frozen, self.slots, self.kw_only = frozen, slots, kw_only
        self.cls: Any = None
        self.get: Callable[[Any], tuple[Any, ...]] = _nothing
        if len(items) > 1:
            self.get = attrgetter(*items)
        elif items:
            self.get = _single(self.names[0])
        self.puts: tuple[Callable[[Any, Any], None], ...] = ()
        self.by_name: dict[str, Callable[[Any, Any], None]] = {}

    def find_puts(self) -> None:
        """Find the functions that set a slot, frozen or not."""
        self.by_name = {name: getattr(self.cls, name).__set__ for name in self.names}
        self.puts = tuple(self.by_name.values())

    def constructor(self) -> Callable[..., None]:
        """Write and compile `__init__`."""
        known: dict[str, Any] = {"absent": _ABSENT}
        parameters, body = [], []
        for name, item in self.items.items():
            value = name
            if item.default_factory is not _MISSING:
                known[f"make_{name}"] = item.default_factory
                parameters.append(f"{name}=absent")
                value = f"{name} if {name} is not absent else make_{name}()"
            elif item.default is not _MISSING:
                known[f"default_{name}"] = item.default
                parameters.append(f"{name}=default_{name}")
            else:
                parameters.append(name)
            body.append(self._assignment(name, value, known))
        star = "*, " if self.kw_only and parameters else ""
        lines = "\n ".join(body or ["pass"])
        text = f"def __init__(self, {star}{', '.join(parameters)}):\n {lines}\n"
        exec(text, known)  # noqa: S102 - of names that stand in our own classes
        made: Callable[..., None] = known["__init__"]
        made.__qualname__ = f"{self.cls.__qualname__}.__init__"
        return made

    def _assignment(self, name: str, value: str, known: dict[str, Any]) -> str:
        if not self.frozen:
            return f"self.{name} = {value}"
        if not self.slots:
            return f"self.__dict__[{name!r}] = {value}"
        known[f"put_{name}"] = getattr(self.cls, name).__set__
        return f"put_{name}(self, {value})"


def _nothing(_: Any) -> tuple[Any, ...]:
    return ()


def _single(name: str) -> Callable[[Any], tuple[Any, ...]]:
    def get(value: Any) -> tuple[Any, ...]:
        return (getattr(value, name),)

    return get


class _Standard:
    """What the standard library looks for on a dataclass, made when it does."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, _: object, cls: Any) -> Any:
        import dataclasses

        shape = cls.__shape__
        plain = []
        for item in shape.items.values():
            given: dict[str, Any] = {}
            if item.default_factory is not _MISSING:
                given["default_factory"] = item.default_factory
            elif item.default is not _MISSING:
                given["default"] = item.default
            plain.append((item.name, item.type, dataclasses.field(**given)))
        made = dataclasses.make_dataclass(cls.__name__, plain, frozen=shape.frozen, kw_only=True)
        return made.__dict__[self._name]


_STANDARD = {name: _Standard(name) for name in ("__dataclass_fields__", "__dataclass_params__")}


def _dataclass(
    *, frozen: bool = False, slots: bool = False, kw_only: bool = False, order: bool = False
) -> Callable[[type], type]:
    def decorate(cls: type) -> type:
        items = _fields_of(cls)
        shape = _Shape(items, frozen=frozen, slots=slots, kw_only=kw_only)
        members = _members(cls, shape, order=order)
        shape.cls = _with_slots(cls, shape, members) if slots else _extended(cls, shape, members)
        return shape.cls  # type: ignore[no-any-return]

    return decorate


def _fields_of(cls: Any) -> dict[str, _Field]:
    """Return the fields of a class, those of its bases first."""
    items: dict[str, _Field] = {}
    for base in cls.__mro__[:0:-1]:
        if shape := base.__dict__.get("__shape__"):
            items |= shape.items
    for name, kind in cls.__annotations__.items():
        if "ClassVar" in str(kind):
            continue
        given = cls.__dict__.get(name, _MISSING)
        item = given if isinstance(given, _Field) else _Field(default=given)
        item.name, item.type = name, kind
        items[name] = item
    return items


def _members(cls: type, shape: _Shape, *, order: bool) -> dict[str, Any]:
    """Return what is added to a class, unless it has it already."""
    members: dict[str, Any] = {
        **_STANDARD,
        "__shape__": shape,
        "__match_args__": () if shape.kw_only else shape.names,
        "__init__": _first_init(shape),
        "__repr__": _repr,
        "__eq__": _eq,
        "__hash__": _hash if shape.frozen else None,
    }
    if shape.frozen:
        members |= {"__setattr__": _refuse, "__delattr__": _refuse}
        members |= {"__getstate__": _getstate, "__setstate__": _setstate}
    if order:
        members |= {"__lt__": _lt, "__le__": _le, "__gt__": _gt, "__ge__": _ge}
    own = cls.__dict__
    # Python itself gives a class with an `__eq__` of its own an empty `__hash__`.
    return {name: item for name, item in members.items() if own.get(name) is None}


def _with_slots(cls: type, shape: _Shape, members: dict[str, Any]) -> type:
    """Return the class made anew: slots can't be added to one that is there."""
    content = dict(cls.__dict__)
    inherited = {name for base in cls.__mro__[1:-1] for name in getattr(base, "__slots__", ())}
    for name in (*shape.names, "__dict__", "__weakref__"):
        content.pop(name, None)
    content["__slots__"] = tuple(name for name in shape.names if name not in inherited)
    content.update(members)
    made = type(cls)(cls.__name__, cls.__bases__, content)
    made.__qualname__ = cls.__qualname__
    return made


def _extended(cls: type, shape: _Shape, members: dict[str, Any]) -> type:
    for name, item in shape.items.items():
        if isinstance(cls.__dict__.get(name), _Field):
            if item.default is _MISSING:
                delattr(cls, name)
            else:
                setattr(cls, name, item.default)
    for name, member in members.items():
        setattr(cls, name, member)
    return cls


def _first_init(shape: _Shape) -> Callable[..., None]:
    def __init__(self: Any, *arguments: Any, **values: Any) -> None:  # noqa: N807
        made = shape.constructor()
        shape.cls.__init__ = made
        made(self, *arguments, **values)

    return __init__


# --- what all of them share ------------------------------------------------------------------


def _repr(self: Any) -> str:
    parts = [f"{name}={getattr(self, name)!r}" for name in self.__shape__.names]
    return f"{type(self).__qualname__}({', '.join(parts)})"


def _eq(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    get = self.__shape__.get
    return get(self) == get(other)


def _hash(self: Any) -> int:
    return hash(self.__shape__.get(self))


def _refuse(self: Any, name: str, *_: Any) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot change field {name!r}")


def _getstate(self: Any) -> tuple[Any, ...]:
    found: tuple[Any, ...] = self.__shape__.get(self)
    return found


def _setstate(self: Any, state: tuple[Any, ...]) -> None:
    for name, item in zip(self.__shape__.names, state, strict=True):
        object.__setattr__(self, name, item)


def _lt(self: Any, other: Any) -> Any:
    return self.__shape__.get(self) < other.__shape__.get(other)


def _le(self: Any, other: Any) -> Any:
    return self.__shape__.get(self) <= other.__shape__.get(other)


def _gt(self: Any, other: Any) -> Any:
    return self.__shape__.get(self) > other.__shape__.get(other)


def _ge(self: Any, other: Any) -> Any:
    return self.__shape__.get(self) >= other.__shape__.get(other)


# --- functions -------------------------------------------------------------------------------


def _replace(value: Any, /, **changes: Any) -> Any:
    cls = value.__class__
    shape = cls.__shape__
    if not shape.slots:
        return cls(**dict(zip(shape.names, shape.get(value), strict=True)) | changes)
    if not shape.puts:
        shape.find_puts()
    copy = cls.__new__(cls)
    for put, item in zip(shape.puts, shape.get(value)):  # noqa: B905 - the same length
        put(copy, item)
    by_name = shape.by_name
    for name, item in changes.items():
        if name not in by_name:
            raise TypeError(f"{cls.__qualname__} has no field {name!r}")
        by_name[name](copy, item)
    return copy


if not TYPE_CHECKING:
    MISSING = _MISSING
    dataclass = _dataclass
    replace = _replace

    def field(*, default=_MISSING, default_factory=_MISSING):
        """Return a field with a default, or with a function that makes one."""
        return _Field(default, default_factory)

    def fields(kind):
        """Return the fields of a class or a value: name, default, default_factory, type."""
        return tuple(kind.__shape__.items.values())
