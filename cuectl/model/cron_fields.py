"""The five fields of a cron expression: what each may hold, as a bit mask.

Stricter than most parsers, after Debian's crontab(5): no reversed ranges, no step on a
single value, no empty list items. A mask has bit `n` set when the field admits `n`.
"""

from __future__ import annotations

from cuectl.model.values import dataclass

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One of the five fields: its name, its range, and the words it knows for values."""

    name: str
    low: int
    high: int
    words: tuple[str, ...] = ()

    @property
    def everything(self) -> int:
        """The mask of the whole range."""
        return (2 << self.high) - (1 << self.low)


MINUTE = Field(name="minute", low=0, high=59)
HOUR = Field(name="hour", low=0, high=23)
DAY = Field(name="day-of-month", low=1, high=31)
MONTH = Field(name="month", low=1, high=12, words=MONTHS)
WEEKDAY = Field(name="day-of-week", low=0, high=7, words=WEEKDAYS)
FIELDS = (MINUTE, HOUR, DAY, MONTH, WEEKDAY)

_EVERY = {field.everything: tuple(range(field.low, field.high + 1)) for field in FIELDS}


class FieldProblem(ValueError):
    """One field is wrong. `better` is the same text as it may have been meant."""

    def __init__(self, field: Field, problem: str, better: str) -> None:
        super().__init__(f"{field.name} {problem}")
        self.field = field
        self.problem = problem
        self.better = better


def parse_field(text: str, field: Field) -> int:
    """Return the mask of `text`; Sunday may be bit 0, bit 7 or both.

    Raises:
        FieldProblem: naming the field, the value and what is allowed.
    """
    if text == "*":
        return field.everything
    mask = 0
    items = text.split(",")
    for index, item in enumerate(items):
        try:
            mask |= parse_item(item, field)
        except FieldProblem as problem:
            around = [*items[:index], problem.better, *items[index + 1 :]]
            better = ",".join(part for part in around if part) or "*"
            raise FieldProblem(field, problem.problem, better) from problem
    return mask


def parse_item(item: str, field: Field) -> int:
    """Return the mask of one list item: a value, a range, a star, each but a value with a step.

    Raises:
        FieldProblem: naming the field, the value and what is allowed.
    """
    if not item:
        raise FieldProblem(field, "has an empty list item", "")
    if item.isascii() and item.isdecimal():
        return 1 << _number(item, field)
    span, slash, step_text = item.partition("/")
    if span == "*":
        low, high = field.low, field.high
    elif "-" in span:
        low, high = _range(span, field)
    else:
        low = high = _number(span, field)
        if slash:
            better = f"{low}-{field.high}/{step_text}"
            raise FieldProblem(field, f"'{item}' has a step but no range", better)
    step = _step(step_text, span, field) if slash else 1
    mask = 0
    for value in range(low, high + 1, step):
        mask |= 1 << value
    return mask


def values(mask: int) -> tuple[int, ...]:
    """Return the values that a mask admits, ascending."""
    if mask in _EVERY:
        return _EVERY[mask]
    if mask & (mask - 1) == 0:
        return (mask.bit_length() - 1,) if mask else ()
    return tuple([value for value in range(mask.bit_length()) if mask >> value & 1])


def canonical_field(text: str, field: Field) -> str:
    """Return the one spelling of what `text` admits: numbers, ascending, runs as ranges.

    A leading star stays, because it changes the rules for days and for clock changes.
    """
    if not text.startswith("*"):
        return compressed(_folded(parse_field(text, field), field))
    first, _, rest = text.partition(",")
    mask = parse_item(first, field)
    step = int(first[2:] or 1) if "/" in first else 1
    more = _folded(parse_field(rest, field), field) & ~_folded(mask, field) if rest else 0
    head = "*" if step == 1 else f"*/{step}"
    return f"{head},{compressed(more)}" if more else head


def compressed(mask: int) -> str:
    """Return a mask as a list of values and, from three in a row, ranges."""
    parts: list[str] = []
    for first, last in runs(mask):
        if last - first >= 2:
            parts.append(f"{first}-{last}")
        else:
            parts.extend(str(value) for value in range(first, last + 1))
    return ",".join(parts)


def runs(mask: int) -> list[tuple[int, int]]:
    """Return the runs of neighbouring values of a mask as (first, last)."""
    found: list[tuple[int, int]] = []
    for value in values(mask):
        if found and found[-1][1] == value - 1:
            found[-1] = (found[-1][0], value)
        else:
            found.append((value, value))
    return found


def _folded(mask: int, field: Field) -> int:
    return (mask | mask >> 7) & 0b111_1111 if field is WEEKDAY else mask


def _number(text: str, field: Field) -> int:
    if text.isascii() and text.isdecimal():
        value = int(text)
        if field.low <= value <= field.high:
            return value
        better = field.low if value < field.low else field.high
        problem = f"'{text}' is out of range {field.low}-{field.high}"
        raise FieldProblem(field, problem, str(better))
    word = text.lower()
    if word in field.words:
        return field.words.index(word) + field.low
    known = f"{field.low}-{field.high}"
    if field.words:
        known += f" or {field.words[0]}-{field.words[-1]}"
    raise FieldProblem(field, f"'{text}' is not a value ({known})", "*")


def _range(text: str, field: Field) -> tuple[int, int]:
    first, _, last = text.partition("-")
    if not (first and last):
        raise FieldProblem(field, f"'{text}' is not a range", first or last or "*")
    try:
        low, high = _number(first, field), _number(last, field)
    except FieldProblem as problem:
        better = f"{_nearest(first, field)}-{_nearest(last, field)}"
        raise FieldProblem(field, problem.problem, better) from problem
    if low > high:
        raise FieldProblem(field, f"range '{text}' runs backwards", _wrapped(low, high, field))
    return low, high


def _nearest(text: str, field: Field) -> str:
    try:
        return str(_number(text, field))
    except FieldProblem as problem:
        return problem.better


def _wrapped(low: int, high: int, field: Field) -> str:
    """Return the two ranges that someone who wrote `22-3` had in mind."""
    start = _span(field.low, high)
    if field is not WEEKDAY:
        return f"{_span(low, field.high)},{start}"
    return start if low == 7 else f"{_span(low, 6)},{start}"


def _span(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}-{high}"


def _step(text: str, span: str, field: Field) -> int:
    most = 7 if field is WEEKDAY else field.high - field.low + 1
    step = int(text) if text.isascii() and text.isdecimal() else 0
    if 1 <= step <= most:
        return step
    better = f"{span}/{most}" if step else span
    raise FieldProblem(field, f"step '{text}' is out of range 1-{most}", better)
