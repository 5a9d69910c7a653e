"""Dataclasses that cost little to define: ours are defined again at every start of the program.

The standard decorator compiles the methods of a class when it is defined, used or not, which took
more than half of the start of a pass. This one compiles the constructor alone, when it is called.

Type checkers see the standard library's, and `dataclasses.fields` and its like work on what is
made here. Supported are defaults and factories, `frozen`, `slots`, `kw_only`, `order`. There is
no `__post_init__`, and no class derives from another.
"""

from __future__ import annotations

from operator import attrgetter, eq, le, lt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import MISSING, dataclass, field, fields, replace  # noqa: TID251
    from typing import Any

    # A JSON object, as it is in the journal, in a view or in an answer.
    Record = dict[str, Any]
else:
    Record = dict[str, object]

__all__ = ["MISSING", "Record", "dataclass", "field", "fields", "replace"]


class _Missing:
    """No default: there is one of it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<no default>"


_MISSING = _Missing()
_INTERPRETED_MOST = 4


class _Field:
    """A field; the constructor's parameter of the same name."""

    __slots__ = ("default", "default_factory", "name", "type")

    def __init__(self, default: Any = _MISSING, default_factory: Any = _MISSING) -> None:
        self.default = default
        self.default_factory = default_factory
        self.name = self.type = ""


class _Shape:
    """What is known of a class; with slots, `cls` is not the one that was written."""

    __slots__ = ("_open", "cls", "copy", "fields", "frozen", "kw_only", "slots", "values")

    def __init__(self, found: dict[str, _Field], *, frozen: bool, slots: bool, kw_only: bool):
        self.cls: Any = None
        self.fields = found
        self.frozen, self.slots, self.kw_only = frozen, slots, kw_only
        self.copy: Callable[[Any], Any] | None = None
        self.values: Callable[[Any], tuple[Any, ...]] = _getter(tuple(found))
        self._open: Any = None

    @property
    def open(self) -> Any:
        """The class with slots in which a value is filled: its own, or a twin that is not frozen.

        A value may change to a class with the same slots, so its attributes are set as those of any
        object, ten times faster than through the descriptors of a frozen class.
        """
        if self._open is None:
            body = {"__slots__": tuple(self.fields)}
            twin = type(self.cls.__name__, self.cls.__bases__, body)
            self._open = twin if self.frozen else self.cls
        return self._open

    def copier(self) -> Callable[[Any], Any]:
        """Return the function that copies a value into `open`."""
        known = {"_open": self.open, "_new": object.__new__}
        lines = [f"copy.{name} = value.{name}" for name in self.fields]
        body = "\n ".join(["copy = _new(_open)", *lines, "return copy"])
        exec(f"def copy(value):\n {body}\n", known)  # noqa: S102 - names of fields, as above
        self.copy = known["copy"]
        return self.copy


def _getter(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: tuple(getattr(value, name) for name in names)


class _Constructor:
    """`__init__`: compiled when it is looked at, or when a class has more than a few values."""

    __slots__ = ("_calls", "_shape")

    def __init__(self, shape: _Shape) -> None:
        self._shape = shape
        self._calls = 0

    def __get__(self, value: Any, cls: Any) -> Any:
        self._calls += 1
        # Since Python 3.13, `inspect.signature` asks with the class instead of a value.
        if value is None or isinstance(value, type) or self._calls > _INTERPRETED_MOST:
            return _compiled(self._shape).__get__(value, cls)
        return lambda *args, **given: _fill(self._shape, value, args, given)


def _fill(shape: _Shape, value: Any, args: tuple[Any, ...], given: dict[str, Any]) -> None:
    """Do what the compiled constructor does: compiling it takes as long as fifty values."""
    found = dict(zip(shape.fields, args))  # noqa: B905 - what does not fit is reported below
    left = len(given)
    for name, item in shape.fields.items():
        if name in found:
            continue
        if name in given:
            found[name] = given[name]
            left -= 1
        elif item.default_factory is not _MISSING:
            found[name] = item.default_factory()
        elif item.default is not _MISSING:
            found[name] = item.default
    if left or len(found) < len(shape.fields) or len(args) > len(found) * (not shape.kw_only):
        # It has the words for what is wrong with the arguments.
        _compiled(shape)(value, *args, **given)
        return
    put = object.__setattr__
    for name, item in found.items():
        put(value, name, item)


def _compiled(shape: _Shape) -> Any:
    known: dict[str, Any] = {"_absent": _MISSING}
    parameters = [_parameter(item, known) for item in shape.fields.values()]
    star = "*, " if shape.kw_only and parameters else ""
    lines = [_assignment(item, shape, known) for item in shape.fields.values()]
    if shape.frozen and shape.slots:
        known |= {"_set_class": object.__setattr__, "_open": shape.open, "_cls": shape.cls}
        lines = ["_set_class(self, '__class__', _open)", *lines, "self.__class__ = _cls"]
    body = "\n ".join(lines or ["pass"])
    text = f"def __init__(self, {star}{', '.join(parameters)}):\n {body}\n"
    exec(text, known)  # noqa: S102 - nothing but the names of the fields of our own classes
    made = known["__init__"]
    made.__qualname__ = f"{shape.cls.__qualname__}.__init__"
    shape.cls.__init__ = made
    return made


def _parameter(item: _Field, known: dict[str, Any]) -> str:
    if item.default_factory is not _MISSING:
        return f"{item.name}=_absent"
    if item.default is _MISSING:
        return item.name
    known[f"_default_{item.name}"] = item.default
    return f"{item.name}=_default_{item.name}"


def _assignment(item: _Field, shape: _Shape, known: dict[str, Any]) -> str:
    name = value = item.name
    if item.default_factory is not _MISSING:
        known[f"_make_{name}"] = item.default_factory
        value = f"_make_{name}() if {name} is _absent else {name}"
    if shape.frozen and not shape.slots:
        return f"self.__dict__[{name!r}] = {value}"
    return f"self.{name} = {value}"


class _Standard:
    """What the standard library looks for on a dataclass, made when it does."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, _: object, cls: Any) -> Any:
        import dataclasses

        shape = cls.__shape__
        plain = []
        for item in shape.fields.values():
            given = {"default": item.default, "default_factory": item.default_factory}
            given = {word: found for word, found in given.items() if found is not _MISSING}
            plain.append((item.name, item.type, dataclasses.field(**given)))  # noqa: TID251
        options = {"frozen": shape.frozen, "slots": shape.slots, "kw_only": shape.kw_only}
        made = dataclasses.make_dataclass(cls.__name__, plain, **options)
        setattr(cls, self._name, made.__dict__[self._name])
        return made.__dict__[self._name]


_STANDARD = {name: _Standard(name) for name in ("__dataclass_fields__", "__dataclass_params__")}


def _repr(self: Any) -> str:
    parts = [f"{name}={getattr(self, name)!r}" for name in self.__shape__.fields]
    return f"{type(self).__qualname__}({', '.join(parts)})"


def _comparison(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def compared(self: Any, other: Any) -> Any:
        if other.__class__ is not self.__class__:
            return NotImplemented
        values = self.__shape__.values
        return compare(values(self), values(other))

    return compared


_eq, _lt, _le = _comparison(eq), _comparison(lt), _comparison(le)


def _hash(self: Any) -> int:
    return hash(self.__shape__.values(self))


def _refuse_set(_: Any, name: str, _value: Any) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_delete(_: Any, name: str) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _getstate(self: Any) -> Any:
    return self.__shape__.values(self)


def _setstate(self: Any, state: tuple[Any, ...]) -> None:
    for name, value in zip(self.__shape__.fields, state, strict=True):
        object.__setattr__(self, name, value)


def _dataclass(
    *, frozen: bool = False, slots: bool = False, kw_only: bool = False, order: bool = False
) -> Callable[[type], type]:
    def decorate(cls: type) -> type:
        shape = _Shape(_fields_of(cls), frozen=frozen, slots=slots, kw_only=kw_only)
        members = _members(cls, shape, order=order)
        shape.cls = _with_slots(cls, shape, members) if slots else _extended(cls, shape, members)
        return shape.cls  # type: ignore[no-any-return]

    return decorate


def _fields_of(cls: type) -> dict[str, _Field]:
    found: dict[str, _Field] = {}
    for name, kind in cls.__annotations__.items():
        given = cls.__dict__.get(name, _MISSING)
        item = given if isinstance(given, _Field) else _Field(default=given)
        item.name, item.type = name, kind
        found[name] = item
    return found


def _members(cls: type, shape: _Shape, *, order: bool) -> dict[str, Any]:
    """Return what is added to a class, unless it has it already."""
    members: dict[str, Any] = {
        **_STANDARD,
        "__shape__": shape,
        "__match_args__": () if shape.kw_only else tuple(shape.fields),
        "__init__": _Constructor(shape),
        "__repr__": _repr,
        "__eq__": _eq,
        "__hash__": _hash if shape.frozen else None,
    }
    if shape.frozen:
        members |= {"__setattr__": _refuse_set, "__delattr__": _refuse_delete}
        members |= {"__getstate__": _getstate, "__setstate__": _setstate}
    if order:
        members |= {"__lt__": _lt, "__le__": _le}
    own = cls.__dict__
    # Python itself gives a class with an `__eq__` of its own an empty `__hash__`.
    return {name: item for name, item in members.items() if own.get(name) is None}


def _with_slots(cls: type, shape: _Shape, members: dict[str, Any]) -> type:
    """Return the class made again: slots can't be added to one that is there."""
    content = dict(cls.__dict__)
    for name in (*shape.fields, "__dict__", "__weakref__"):
        content.pop(name, None)
    content["__slots__"] = tuple(shape.fields)
    content.update(members)
    made = type(cls)(cls.__name__, cls.__bases__, content)
    made.__qualname__ = cls.__qualname__
    return made


def _extended(cls: type, shape: _Shape, members: dict[str, Any]) -> type:
    for name, item in shape.fields.items():
        if isinstance(cls.__dict__.get(name), _Field):
            delattr(cls, name)
        elif item.default is not _MISSING:
            setattr(cls, name, item.default)
    for name, member in members.items():
        setattr(cls, name, member)
    return cls


def _replace(value: Any, /, **changes: Any) -> Any:
    cls = value.__class__
    shape = cls.__shape__
    if not shape.slots:
        return cls(**dict(zip(shape.fields, shape.values(value), strict=True)) | changes)
    copy = (shape.copy or shape.copier())(value)
    for name, item in changes.items():
        if name not in shape.fields:
            raise TypeError(f"{cls.__qualname__} has no field {name!r}")
        setattr(copy, name, item)
    copy.__class__ = cls
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
        return tuple(kind.__shape__.fields.values())
