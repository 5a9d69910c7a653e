"""Filters: conditions on an event's payload, all of which must hold.

Source: the second page, "Filtering"; where it is silent, reference/maestro-cue.md 3. The one
place in which the page is followed against its peer's code is the negated glob.
"""

from __future__ import annotations

import math
import re
from typing import Any

from cuectl.model.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Test = Callable[[object], bool]
    Holds = Callable[[Mapping[str, object]], bool]

Record = dict[str, Any]

_COMPARISONS = (">=", "<=", ">", "<")
_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_BASED = re.compile(r"0(?:[xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)", re.ASCII)
_OBJECT_TEXT = "[object Object]"


class _Absent:
    """Marks a field that a payload does not have."""


ABSENT = _Absent()


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One key of a filter.

    Attributes:
        holds: says whether a payload meets it; one without the field never does.
    """

    key: str
    expression: object
    holds: Holds


@dataclass(frozen=True, slots=True)
class Filter:
    """The conditions of a subscription, ready to be asked many times.

    Attributes:
        matches: tells whether a payload meets every condition; with none, every one does. A
            function and no method, because it is asked for every event and subscription.
    """

    conditions: tuple[Condition, ...]
    matches: Holds

    def failed(self, payload: Mapping[str, object]) -> list[str]:
        """Return the keys of the conditions that do not hold."""
        return [one.key for one in self.conditions if not one.holds(payload)]

    def why(self, payload: Mapping[str, object]) -> list[Record]:
        """Return, for each condition, what it asks, what is there, and whether it holds."""
        return [_explained(condition, payload) for condition in self.conditions]


def compile_filter(conditions: Mapping[str, object]) -> Filter:
    """Return the filter in a mapping of payload fields to expressions.

    Raises:
        ValueError: an expression is not a text, a number or a truth value.
    """
    made = tuple(_condition(key, value) for key, value in conditions.items())
    return Filter(made, _all_of([one.holds for one in made]))


def value_at(payload: Mapping[str, object], key: str) -> object:
    """Return what stands at a key with dots; `ABSENT` where there is nothing."""
    first, *rest = key.split(".")
    return _walk(payload.get(first, ABSENT), rest)


def printed(value: object) -> str:
    """Return the text that a value is compared by, and that templates put in."""
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
    """Return the conjunction; few conditions, which is the rule, cost no loop."""
    match tests:
        case []:
            return lambda _: True
        case [one]:
            return one
        case [one, two]:
            return lambda payload: one(payload) and two(payload)
        case [one, two, three]:
            return lambda payload: one(payload) and two(payload) and three(payload)
        case _:
            return lambda payload: all(test(payload) for test in tests)


def _condition(key: str, expression: object) -> Condition:
    first, *rest = key.split(".")
    test = _test_of(expression)
    if rest:
        holds = _below(first, tuple(rest), test)
    else:
        holds = _common(first, expression, test) or _at(first, test)
    return Condition(key=key, expression=expression, holds=holds)


def plain_text_of(condition: Condition) -> str | None:
    """Return the text that a condition asks one field to be; None when it asks anything else."""
    text = condition.expression
    if not isinstance(text, str) or "." in condition.key or not _is_plain(text):
        return None
    return text


def bound_of(condition: Condition) -> tuple[str, float] | None:
    """Return the operator and the limit of a comparison of one field; None for anything else."""
    text = condition.expression
    return _bound(text) if isinstance(text, str) and "." not in condition.key else None


def _bound(expression: str) -> tuple[str, float] | None:
    operator = next((one for one in _COMPARISONS if expression.startswith(one)), None)
    limit = number_of(expression[len(operator) :]) if operator is not None else None
    return (operator, limit) if operator is not None and limit is not None else None


def _is_plain(expression: str) -> bool:
    return not expression.startswith(("<", ">", "!")) and "*" not in expression


def _common(name: str, expression: object, test: Test) -> Holds | None:
    """Return the condition for what stands there most often, without a second call."""
    if not isinstance(expression, str):
        return None
    if _is_plain(expression):
        return _equal(name, expression, test)
    if expression[0] == "!":
        return None if "*" in expression else _unequal(name, expression[1:], test)
    bound = _bound(expression)
    return _beyond(name, *bound, test) if bound is not None else None


def _at(name: str, test: Test) -> Holds:
    def holds(payload: Mapping[str, object]) -> bool:
        value = payload.get(name, ABSENT)
        return value is not ABSENT and test(value)

    return holds


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


def _beyond(name: str, operator: str, limit: float, test: Test) -> Holds:
    def at_least(payload: Mapping[str, Any]) -> Any:
        value = payload.get(name, ABSENT)
        if value.__class__ is int:
            return value >= limit
        return value is not ABSENT and test(value)

    def at_most(payload: Mapping[str, Any]) -> Any:
        value = payload.get(name, ABSENT)
        if value.__class__ is int:
            return value <= limit
        return value is not ABSENT and test(value)

    def above(payload: Mapping[str, Any]) -> Any:
        value = payload.get(name, ABSENT)
        if value.__class__ is int:
            return value > limit
        return value is not ABSENT and test(value)

    def below(payload: Mapping[str, Any]) -> Any:
        value = payload.get(name, ABSENT)
        if value.__class__ is int:
            return value < limit
        return value is not ABSENT and test(value)

    return {">=": at_least, "<=": at_most, ">": above, "<": below}[operator]


def _below(name: str, path: tuple[str, ...], test: Test) -> Holds:
    def holds(payload: Mapping[str, object]) -> bool:
        value = _walk(payload.get(name, ABSENT), path)
        return value is not ABSENT and test(value)

    return holds


def _test_of(expression: object) -> Test:
    if isinstance(expression, bool):
        return lambda value: value is expression
    if isinstance(expression, int | float):
        return lambda value: type(value) in (int, float) and value == expression
    if isinstance(expression, str):
        return _text_test(expression)
    raise ValueError("must be a text, a number, true or false")


def _text_test(expression: str) -> Test:
    for operator in _COMPARISONS:
        if expression.startswith(operator):
            return _comparison(operator, number_of(expression[len(operator) :]))
    if expression.startswith("!"):
        rest = expression[1:]
        if "*" in rest:
            matches = _glob(rest)
            return lambda value: not matches(value)
        return lambda value: (value if type(value) is str else printed(value)) != rest
    if "*" in expression:
        return _glob(expression)
    return lambda value: (value if type(value) is str else printed(value)) == expression


def _glob(pattern: str) -> Test:
    from cuectl.model.glob import glob_test

    matches = glob_test(pattern)
    return lambda value: matches(value if type(value) is str else printed(value))


def _comparison(operator: str, limit: float | None) -> Test:
    if limit is None:
        return lambda _: False

    def holds(value: object) -> bool:
        number = number_of(value)
        if number is None:
            return False
        match operator:
            case ">=":
                return number >= limit
            case "<=":
                return number <= limit
            case ">":
                return number > limit
            case _:
                return number < limit

    return holds


def _walk(value: object, path: list[str] | tuple[str, ...]) -> object:
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
    value = value_at(payload, condition.key)
    record: Record = {"key": condition.key, "expression": condition.expression}
    record["value"] = None if value is ABSENT else value
    record["ok"] = condition.holds(payload)
    if value is ABSENT:
        record["absent"] = True
    return record
