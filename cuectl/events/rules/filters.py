"""Filters: conditions on an event's payload, all of which must hold.

Source: the second page, "Filtering"; where it is silent, reference/maestro-cue.md 3. Where its
peer's code takes an expression for something that it does not look like, it is read as it looks:
negated globs and comparisons, one of several labels, paths below the root of a watch.
"""

from __future__ import annotations

import math
import operator
import re

from cuectl.events.rules.event import ROOT
from cuectl.values.records import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Test = Callable[[object], bool]
    Holds = Callable[[Mapping[str, object]], bool]
    from cuectl.values.records import Record

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_BASED = re.compile(r"0(?:[xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)", re.ASCII)
_OBJECT_TEXT = "[object Object]"
_LISTS = frozenset({"labels", "assignees", "sourceSession"})  # texts with commas between items
_PATHS = frozenset({"path", "directory", "filename", "sourceOutputFile"})


class _Absent:
    """Marks a field that a payload does not have."""


ABSENT = _Absent()


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One key of a filter; a payload without the field never meets it."""

    key: str
    expression: object
    holds: Holds


@dataclass(frozen=True, slots=True)
class Filter:
    """The conditions of a subscription, ready to be asked many times."""

    conditions: tuple[Condition, ...]
    matches: Holds  # no method, because it is called for every event and subscription

    def failed(self, payload: Mapping[str, object]) -> list[str]:
        """Return the keys of the conditions that do not hold."""
        return [one.key for one in self.conditions if not one.holds(payload)]

    def why(self, payload: Mapping[str, object]) -> list[Record]:
        """Return, for each condition, what it asks, what is there, and whether it holds."""
        return [_explained(condition, payload) for condition in self.conditions]


def compile_filter(conditions: Mapping[str, object]) -> Filter:
    """Return the filter. Raises ValueError: an expression is no text, number or truth value."""
    made = tuple(_condition(key, value) for key, value in conditions.items())
    return Filter(made, _all_of([one.holds for one in made]))


def value_at(payload: Mapping[str, object], key: str) -> object:
    """Return the value at a key with dots; `ABSENT` where there is none."""
    first, *rest = key.split(".")
    return _walk(payload.get(first, ABSENT), rest)


def printed(value: object) -> str:
    """Return the text that a value is compared by, and that templates insert."""
    match value:
        case str():
            return value
        case None:
            return "null"
        case True:
            return "true"
        case False:
            return "false"
        case int():
            return str(value)
        case float():
            return _printed_float(value)
        case list():
            return ",".join("" if each is None else printed(each) for each in value)
        case _:
            return _OBJECT_TEXT


def number_of(value: object) -> float | None:
    """Return the number that a value stands for in a comparison; None for none."""
    match value:
        case bool() | int() | float():
            return float(value) if math.isfinite(value) else None
        case str():
            return _number_in(value.strip())
        case []:
            return 0.0
        case [one]:
            return number_of(one)
        case _:
            return None


def _all_of(tests: list[Holds]) -> Holds:
    """Return the conjunction; the usual one or two conditions cost no loop."""
    match tests:
        case [one]:
            return one
        case [one, two]:
            return lambda payload: one(payload) and two(payload)
        case _:
            return lambda payload: all(test(payload) for test in tests)


def _condition(key: str, expression: object) -> Condition:
    first, *rest = key.split(".")
    if isinstance(expression, str) and _name(key) in _PATHS:
        holds = _path_test(key, expression)
        return Condition(key=key, expression=expression, holds=holds)
    test = _test_of(expression, is_list=_name(key) in _LISTS)
    common = _common(first, expression, test) if not rest and first not in _LISTS else None
    return Condition(key=key, expression=expression, holds=common or _at(first, rest, test))


def _name(key: str) -> str:
    return key.rpartition(".")[2]


def _path_test(key: str, expression: str) -> Holds:
    """Return the test of a path, which a relative pattern may also meet below the root."""
    from cuectl.values.glob import glob_test

    negated = expression.startswith("!")
    pattern = _with_mark(expression.removeprefix("!").lstrip("="))
    matches = glob_test(pattern)
    # Without a root, a pattern of several names may start at any directory.
    is_below = "/" in pattern[1:] and pattern[0] != "/"
    anywhere = glob_test(f"**/{pattern}", hidden=True) if is_below else matches

    def holds(payload: Mapping[str, object]) -> bool:
        value, root = value_at(payload, key), payload.get(ROOT)
        if value is ABSENT:
            return False
        texts = [printed(each) for each in (value if isinstance(value, list) else [value])]
        if not isinstance(root, str):
            return any(matches(text) or anywhere(text) for text in texts) is not negated
        above = f"{root.rstrip('/')}/"
        found = (matches(text) or matches(text.removeprefix(above)) for text in texts)
        return any(found) is not negated

    return holds


def plain_text_of(condition: Condition) -> str | None:
    """Return the text that a condition asks one field to be; None when it asks anything else."""
    text, key = condition.expression, condition.key
    is_plain = "." not in key and key not in _LISTS | _PATHS
    return text if is_plain and isinstance(text, str) and _is_plain(text) else None


def bound_of(condition: Condition) -> tuple[str, float] | None:
    """Return the operator and the limit of a comparison of one field; None for anything else."""
    text = condition.expression
    is_single = "." not in condition.key and condition.key not in _LISTS | _PATHS
    return _bound(text) if is_single and isinstance(text, str) else None


def _bound(expression: str) -> tuple[str, float] | None:
    sign = next((one for one in _COMPARISONS if expression.startswith(one)), None)
    limit = number_of(expression[len(sign) :]) if sign is not None else None
    return (sign, limit) if sign is not None and limit is not None else None


def _is_plain(expression: str) -> bool:
    return not (expression.startswith(("<", ">", "!", "=")) or _is_glob(expression))


def _is_glob(text: str) -> bool:
    return "*" in text or ("{" in text and "," in text) or ("(" in text and "|" in text)


def _common(name: str, expression: object, test: Test) -> Holds | None:
    """Return the most frequent conditions, which need no second call for the usual value."""
    if not isinstance(expression, str):
        return None
    if _is_plain(expression):
        return _equal(name, expression, test)
    if expression[0] == "!":
        return _unequal(name, expression[1:], test) if _is_plain(expression[1:]) else None
    bound = _bound(expression)
    return _beyond(name, _COMPARISONS[bound[0]], bound[1], test) if bound is not None else None


def _equal(name: str, text: str, test: Test) -> Holds:
    def holds(payload: Mapping[str, object]) -> bool:
        value = payload.get(name, ABSENT)
        if value.__class__ is str:
            return value == text
        return value is not ABSENT and test(value)

    return holds


def _unequal(name: str, text: str, test: Test) -> Holds:
    def holds(payload: Mapping[str, object]) -> bool:
        value = payload.get(name, ABSENT)
        if value.__class__ is str:
            return value != text
        return value is not ABSENT and test(value)

    return holds


def _beyond(name: str, compare: Callable[[float, float], bool], limit: float, test: Test) -> Holds:
    def holds(payload: Mapping[str, object]) -> bool:
        value = payload.get(name, ABSENT)
        if type(value) is int:
            return compare(value, limit)
        return value is not ABSENT and test(value)

    return holds


def _at(name: str, path: list[str], test: Test) -> Holds:
    def holds(payload: Mapping[str, object]) -> bool:
        value = _walk(payload.get(name, ABSENT), path)
        return value is not ABSENT and test(value)

    return holds


def _test_of(expression: object, *, is_list: bool) -> Test:
    if isinstance(expression, bool):
        return _has(lambda value: value is expression, is_list)
    if isinstance(expression, int | float):
        test: Test = lambda value: type(value) in (int, float) and value == expression  # noqa: E731
        return _has(test, is_list)
    if isinstance(expression, str):
        if not expression.startswith("!"):
            return _has(_text_test(expression), is_list)
        refused = _has(_text_test(expression[1:]), is_list)
        return lambda value: not refused(value)
    raise ValueError("must be a text, a number, true or false")


def _has(test: Test, is_list: bool) -> Test:
    """Return the test of a value that, where it is a list, one of its items may also meet."""

    def holds(value: object) -> bool:
        if test(value):
            return True
        if is_list and isinstance(value, str):
            value = [item.strip() for item in value.split(",")]
        return isinstance(value, list) and any(test(item) for item in value)

    return holds


def _text_test(expression: str) -> Test:
    if expression.startswith((">", "<")):
        return _comparison(_bound(expression))
    if expression.startswith("="):
        return _equality(expression.lstrip("=").strip())
    if not _is_glob(expression):
        return lambda value: printed(value) == expression
    from cuectl.values.glob import glob_test

    matches = glob_test(_with_mark(expression), is_path=False)
    return lambda value: matches(printed(value))


def _with_mark(pattern: str) -> str:
    """Return a glob whose choice at its beginning has a mark: that of `!(a|b)` is the negation."""
    return f"@{pattern}" if pattern.startswith("(") and "|" in pattern else pattern


def _equality(text: str) -> Test:
    number = number_of(text)

    def holds(value: object) -> bool:
        return printed(value) == text or (number is not None and number_of(value) == number)

    return holds


def _comparison(bound: tuple[str, float] | None) -> Test:
    if bound is None:
        return lambda _: False
    compare, limit = _COMPARISONS[bound[0]], bound[1]

    def holds(value: object) -> bool:
        number = number_of(value)
        return number is not None and compare(number, limit)

    return holds


def _walk(value: object, path: list[str]) -> object:
    for name in path:
        if isinstance(value, dict):
            value = value.get(name, ABSENT)
        elif isinstance(value, list):
            value = _item(value, name)
        else:
            return ABSENT
    return value


def _item(items: list[object], name: str) -> object:
    if name == "length":
        return len(items)
    if not (name.isdecimal() and name.isascii()) or (len(name) > 1 and name[0] == "0"):
        return ABSENT
    return items[int(name)] if len(name) < 10 and int(name) < len(items) else ABSENT


def _number_in(text: str) -> float | None:
    if _DECIMAL.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else None
    if _BASED.fullmatch(text):
        try:
            return float(int(text, 0))
        except OverflowError:
            return None
    return None


def _printed_float(value: float) -> str:
    if math.isfinite(value) and value == int(value) and abs(value) < 1e21:
        return str(int(value))
    text = repr(value)
    mantissa, mark, exponent = text.partition("e")
    if not mark:
        return text
    if -7 < int(exponent) < 0:
        return f"{value:.{len(mantissa) + 5}f}".rstrip("0")
    return f"{mantissa.removesuffix('.0')}e{int(exponent):+d}"


def _explained(condition: Condition, payload: Mapping[str, object]) -> Record:
    value, is_absent = value_at(payload, condition.key), False
    if value is ABSENT:
        value, is_absent = None, True
    record: Record = {"key": condition.key, "expression": condition.expression, "value": value}
    record["ok"] = condition.holds(payload)
    return record | {"absent": True} if is_absent else record
