"""The dataclasses of the house behave as those of the standard library do."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import inspect
import pickle
import pkgutil
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cuectl
from cuectl.executions.rules.record import Execution
from cuectl.values.records import MISSING, dataclass, field, fields, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A value as most of ours are."""

    x: int
    y: int = 0
    tags: list[str] = field(default_factory=list)

    @property
    def sum(self) -> int:
        """Both together."""
        return self.x + self.y


@dataclass(slots=True)
class Counter:
    """Something that changes."""

    name: str
    count: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Something that is sorted."""

    row: int
    column: int


@dataclass(frozen=True, kw_only=True)
class Open:
    """A value with a dictionary, for what is worked out once."""

    size: int = 1
    make: Any = len
    parts: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Single:
    """A value with one field, and a text of its own."""

    only: tuple[int, ...]

    def __repr__(self) -> str:
        return "single"


@dataclass(frozen=True, slots=True)
class Nothing:
    """A value that says nothing."""


def all_classes() -> list[type]:
    """Return every class of the program that the decorator has made."""
    found: dict[str, type] = {}
    for module in pkgutil.walk_packages(cuectl.__path__, "cuectl."):
        if not module.name.endswith("__main__"):
            for item in _members(module.name):
                if isinstance(item, type) and "__shape__" in vars(item):
                    found[f"{item.__module__}.{item.__qualname__}"] = item
    return list(found.values())


def _members(module: str) -> list[object]:
    try:
        return list(vars(importlib.import_module(module)).values())
    except ModuleNotFoundError as error:
        if str(error.name).startswith("cuectl"):
            raise
        # What an extra brings need not be there.
        return []


def standard_twin(cls: Any) -> Any:
    """Return the class that the standard library makes of the same fields."""
    params = cls.__dataclass_params__
    plain = [
        (one.name, one.type, dataclasses.field(default=one.default))
        if one.default is not dataclasses.MISSING
        else (one.name, one.type, dataclasses.field(default_factory=one.default_factory))
        for one in dataclasses.fields(cls)
    ]
    return dataclasses.make_dataclass(
        cls.__name__,
        plain,
        frozen=params.frozen,
        kw_only=any(one.kw_only for one in dataclasses.fields(cls)),
        slots=hasattr(cls, "__slots__"),
        namespace={"__doc__": cls.__doc__},
    )


def test_every_class_of_the_program_is_constructed_as_the_standard_library_would() -> None:
    classes = all_classes()

    assert len(classes) > 100
    for cls in classes:
        ours, theirs = inspect.signature(cls), inspect.signature(standard_twin(cls))
        assert list(ours.parameters) == list(theirs.parameters), cls
        for name, one in ours.parameters.items():
            twin = theirs.parameters[name]
            assert one.kind is twin.kind, (cls, name)
            assert (one.default is one.empty) == (twin.default is twin.empty), (cls, name)


def test_the_type_checker_sees_the_standard_library() -> None:
    with pytest.raises(TypeError):
        Point(x=1, z=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Point()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        replace(Point(x=1), z=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Point(1)  # type: ignore[call-arg]
    with pytest.raises(AttributeError):
        Point(x=1).x = 2  # type: ignore[misc]


def test_a_frozen_value_refuses_as_the_standard_one_does() -> None:
    point, name = Point(x=1), "x"

    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'x'"):
        setattr(point, name, 2)
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'x'"):
        delattr(point, "x")
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(Open(), name, 2)
    assert point == Point(x=1)


def test_defaults_and_factories_fill_what_is_not_given() -> None:
    first, second = Point(x=1), Point(x=1)

    assert (first.y, first.tags) == (0, [])
    assert first.tags is not second.tags
    assert Point(x=1, tags=["a"]).tags == ["a"]
    assert (Open().size, Open().make, Open().parts) == (1, len, [])
    assert Open.size == 1
    assert not hasattr(Open, "parts")


def test_a_value_has_no_other_attributes() -> None:
    name = "other"
    with pytest.raises(AttributeError):
        setattr(Counter("a"), name, 1)
    assert not hasattr(Point(x=1), "__dict__")
    assert Point(x=2, y=3).sum == 5


def test_a_class_that_is_not_frozen_changes_and_has_no_hash() -> None:
    counter = Counter("a")
    counter.count += 1

    assert counter == Counter("a", 1)
    with pytest.raises(TypeError, match="unhashable"):
        hash(counter)


def test_values_are_equal_by_class_and_fields() -> None:
    assert Point(x=1) == Point(x=1)
    assert Point(x=1) != Point(x=2)
    others: list[object] = [Place(1, 2), (1, 0, []), None]
    assert all(one not in (Single((1,)), Point(x=1)) for one in others)
    assert hash(Place(1, 2)) == hash(Place(1, 2))
    assert len({Single((1,)), Single((1,)), Nothing(), Nothing()}) == 2


def test_what_a_class_says_itself_stays() -> None:
    assert repr(Single((1,))) == "single"
    assert repr(Point(x=1)) == "Point(x=1, y=0, tags=[])"
    assert repr(Nothing()) == "Nothing()"


def test_only_values_of_one_class_are_ordered() -> None:
    assert sorted([Place(2, 0), Place(1, 9), Place(1, 2)])[0] == Place(1, 2)
    assert Place(1, 2) <= Place(1, 2) < Place(1, 3)
    assert Place(1, 3) > Place(1, 2) >= Place(1, 2)
    for compare in ("__lt__", "__le__"):
        assert getattr(Place(1, 2), compare)((1, 3)) is NotImplemented


def test_replace_changes_a_copy() -> None:
    point = Point(x=1, tags=["a"])
    moved = replace(point, y=5)

    assert (moved.x, moved.y, moved.tags) == (1, 5, ["a"])
    assert point.y == 0
    assert replace(Open(size=2), make=str) == Open(size=2, make=str)
    assert replace(Nothing()) == Nothing()


def test_values_are_copied_and_pickled() -> None:
    point = Point(x=1, tags=["a"])

    assert copy.copy(point) == copy.deepcopy(point) == point
    assert copy.deepcopy(point).tags is not point.tags
    assert pickle.loads(pickle.dumps(point)) == point
    assert pickle.loads(pickle.dumps(Open(parts=[3]))) == Open(parts=[3])


def test_the_fields_can_be_looked_through() -> None:
    assert [(one.name, one.default) for one in fields(Point)][:2] == [("x", MISSING), ("y", 0)]
    assert fields(Point(x=1))[2].default_factory is list
    assert fields(Point)[0].type == "int"
    assert repr(MISSING) == "<no default>"


def test_the_standard_library_works_on_a_value() -> None:
    point = Point(x=1, tags=["a"])

    assert dataclasses.is_dataclass(point)
    assert dataclasses.asdict(point) == {"x": 1, "y": 0, "tags": ["a"]}
    assert dataclasses.replace(point, y=4) == Point(x=1, y=4, tags=["a"])
    assert [one.name for one in dataclasses.fields(Counter)] == ["name", "count"]


def test_patterns_take_a_value_apart() -> None:
    match Counter("a", 3):
        case Counter(name, count):
            assert (name, count) == ("a", 3)
    match Point(x=1):
        case Point(x=x, y=0):
            assert x == 1
    assert Point.__match_args__ == ()


@given(st.lists(st.sampled_from(["none", "default", "factory"]), max_size=6), st.booleans())
def test_any_shape_is_constructed_as_the_standard_one_is(kinds: list[str], slots: bool) -> None:
    ours, theirs = (_made(module, kinds, slots) for module in ("ours", "standard"))
    values = {f"f{n}": n * 10 for n, kind in enumerate(kinds) if kind == "none" or n % 2}

    one, two = ours(**values), theirs(**values)

    assert repr(one) == repr(two)
    assert one == ours(**values)
    if "factory" not in kinds:
        assert hash(one) == hash(two)
    if values:
        changed = dict.fromkeys(values, -1)
        assert repr(replace(one, **changed)) == repr(dataclasses.replace(two, **changed))


def _made(whose: str, kinds: list[str], slots: bool) -> Any:
    make_field: Any = field if whose == "ours" else dataclasses.field
    decorate: Any = dataclass if whose == "ours" else dataclasses.dataclass
    given: dict[str, Any] = {"default": {"default": 7}, "factory": {"default_factory": list}}
    body: dict[str, Any] = {
        f"f{n}": make_field(**given[kind]) for n, kind in enumerate(kinds) if kind != "none"
    }
    body["__annotations__"] = {f"f{n}": "Any" for n in range(len(kinds))}
    body["__doc__"] = "A class."
    return decorate(frozen=True, slots=slots, kw_only=True)(type("Made", (), body))


def test_a_value_costs_no_more_attributes_than_it_shows() -> None:
    assert set(Execution.__slots__) == {one.name for one in fields(Execution)}
