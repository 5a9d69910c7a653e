"""The outcome: what a handler says about its work, in the outcome file or over HTTP.

One schema for all ways (reference/cueapi.md 3.1 and 5.4 B2). Reading is lenient, field by field,
and never fails: a bad file leaves the exit code to decide (design.md section 6). Writing is strict:
in a shell a wrong value is an error.
"""

from __future__ import annotations

import json

from cuectl.values.errors import UsageError
from cuectl.values.records import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

TEXT_LIMITS = {
    "result": 2000,
    "error": 2000,
    "external_id": 500,
    "result_url": 2000,
    "result_ref": 500,
    "result_type": 100,
    "summary": 500,
}
METADATA_BYTES = 10_240
LONGEST_ASKED_S = 30 * 86_400
FIELDS = ("success", *TEXT_LIMITS, "artifacts", "metadata", "retry_in_s")
EVIDENCE = (
    *("external_id", "result_url", "result_ref", "result_type", "summary"),
    *("artifacts", "metadata"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a handler said, field by field; `Outcome()` is a handler that said nothing."""

    reported: bool = False  # there was an object to read, perhaps an empty one
    success: bool | None = None
    result: str | None = None
    error: str | None = None
    external_id: str | None = None
    result_url: str | None = None
    result_ref: str | None = None
    result_type: str | None = None
    summary: str | None = None
    artifacts: list[object] | None = None
    metadata: dict[str, object] | None = None
    retry_in_s: float | None = None  # the wait before the retry that it asks for
    dropped: tuple[str, ...] = ()  # `name: reason` of what was not taken, in the file's order
    problem: str | None = None  # why the file was not taken; all else is then empty

    def evidence(self) -> dict[str, object]:
        """Return the evidence that there is, by name; kept whichever side wins."""
        found = ((name, getattr(self, name)) for name in EVIDENCE)
        return {name: value for name, value in found if value is not None}


ABSENT = Outcome()


def field_problem(name: str, value: object) -> str | None:
    """Return why `value` cannot stand in the field `name`, None when it can.

    Limits are in characters, those of metadata and artifacts in bytes of JSON without escapes.
    Source: reference/cueapi.md 3.1 and 3.3; design.md section 6 for the blank `external_id`.
    """
    from cuectl.values.json_limits import any_text, has_nul, has_surrogate

    rule = _RULES.get(name)
    if rule is None:
        return "not a field of an outcome"
    problem = rule(name, value)
    if problem is not None:
        return problem
    try:
        if any_text(value, has_nul):
            return "contains a NUL character"
        return "is not UTF-8" if any_text(value, has_surrogate) else None
    except RecursionError:
        return "nested too deeply"


def is_blank(text: str) -> bool:
    """Tell whether nothing in a text can be seen: blanks, controls, zero-width characters."""
    return not any(char.isprintable() and not char.isspace() for char in text)


def _text(name: str, value: object) -> str | None:
    if not isinstance(value, str):
        return "not a string"
    limit = TEXT_LIMITS[name]
    return f"longer than {limit} characters ({len(value)})" if len(value) > limit else None


def _external_id(name: str, value: object) -> str | None:
    problem = _text(name, value)
    return "blank" if problem is None and is_blank(str(value)) else problem


def _url(name: str, value: object) -> str | None:
    problem = _text(name, value)
    if problem is not None:
        return problem
    url = str(value)
    if not url.startswith(("http://", "https://")):
        return "does not start with http:// or https://"
    host = url.partition("://")[2]
    for mark in "/?#":
        host = host.partition(mark)[0]
    host = host.rpartition("@")[2]
    # An IPv6 address has its colons within brackets, all others only before the port.
    name_part = host if host.startswith("[") else host.partition(":")[0]
    if is_blank(name_part) or any(char.isspace() for char in host):
        return "names no host"
    return "contains a control character" if any(char < " " for char in url) else None


def _metadata(_name: str, value: object) -> str | None:
    from cuectl.values.json_limits import json_size

    if not isinstance(value, dict):
        return "not an object"
    try:
        size = json_size(value)
    except (TypeError, ValueError, RecursionError):
        return "not JSON"
    over = f"longer than {METADATA_BYTES} bytes as JSON ({size})"
    return over if size > METADATA_BYTES else None


def _artifacts(_name: str, value: object) -> str | None:
    from cuectl.values.json_limits import json_size

    if not isinstance(value, list):
        return "not a list"
    try:
        size = json_size(value)
    except (TypeError, ValueError, RecursionError):
        # The reader or writer of the whole reports it.
        return None
    return f"longer than {FILE_BYTES} bytes as JSON ({size})" if size > FILE_BYTES else None


def _retry_in(_name: str, value: object) -> str | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= float(str(value)) <= LONGEST_ASKED_S:
        return f"not a number of seconds from 0 to {LONGEST_ASKED_S}"
    return None


_RULES: dict[str, Callable[[str, object], str | None]] = {
    **dict.fromkeys(TEXT_LIMITS, _text),
    "success": lambda _, value: None if isinstance(value, bool) else "not true or false",
    "external_id": _external_id,
    "result_url": _url,
    "artifacts": _artifacts,
    "metadata": _metadata,
    "retry_in_s": _retry_in,
}

# The peer stops at 10,240 bytes in all, which a long list of artifacts exceeds.
FILE_BYTES = 65_536
NOT_AN_OBJECT = "<whole file was not a JSON object>"

_DROPPED_SHOWN = 20
_NAME_SHOWN = 60


def read_outcome(data: bytes, *, size: int | None = None) -> Outcome:
    """Return what the bytes of an outcome file say; never raises.

    Halves of surrogate pairs become U+FFFD, of equal keys the last wins; NaN, numbers of thousands
    of digits and bottomless nesting make the whole file malformed.
    """
    if not data:
        return ABSENT
    from cuectl.values.json_limits import BadJson

    total = max(len(data), size or 0)
    if total > FILE_BYTES:
        return Outcome(problem=f"outcome_file_too_large: {total} > {FILE_BYTES}")
    try:
        value = _object(data)
    except BadJson as bad:
        name = "not_utf8" if bad.kind == "not_utf8" else "malformed_json"
        return Outcome(problem=f"outcome_file_{name}: {bad.reason}")
    return Outcome(problem=NOT_AN_OBJECT) if value is None else outcome_in(value)


def merge_report(
    earlier: bytes, success: bool | None, fields: Mapping[str, object]
) -> tuple[bytes, dict[str, object]]:
    """Return the outcome file with a further report added, and what the `earlier` one gainsays.

    Artifacts are appended, keys of metadata added, of all else the first word stands; None says
    nothing. Fields that cuectl does not know stay.
    """
    merged = _earlier(earlier)
    otherwise: dict[str, object] = {}
    for name, value in (("success", success), *fields.items()):
        if value is not None:
            before = merged.get(name)
            merged[name] = _joined(name, before, value)
            problem = field_problem(name, value) or field_problem(name, merged[name])
            if problem is not None:
                hint = None if name in FIELDS else f"the fields are {', '.join(FIELDS)}"
                raise UsageError(f"'{name}' cannot be reported: {problem}", hint=hint)
            if (other := _gainsaid(name, before, merged[name], value)) is not None:
                otherwise[name] = other
    return _encoded(merged), otherwise


def _object(data: bytes) -> dict[str, object] | None:
    from cuectl.values.json_limits import parse_json

    value = parse_json(
        data, what="outcome file", max_bytes=FILE_BYTES, duplicates="last", surrogates="replace"
    )
    return value if isinstance(value, dict) else None


def outcome_in(value: Mapping[str, object]) -> Outcome:
    """Return what an object says, field by field: a bad one costs only itself."""
    kept: dict[str, Any] = {}
    dropped: list[str] = []
    for name, item in value.items():
        problem = field_problem(name, item)
        if problem is None:
            kept[name] = item
        else:
            dropped.append(f"{name[:_NAME_SHOWN]}: {problem}")
    # The report goes into the journal, which a file of ten thousand names must not fill.
    if (more := len(dropped) - _DROPPED_SHOWN) > 0:
        dropped[_DROPPED_SHOWN:] = [f"and {more} more"]
    return Outcome(reported=True, dropped=tuple(dropped), **kept)


def _earlier(data: bytes) -> dict[str, object]:
    from cuectl.values.json_limits import BadJson

    if not data:
        return {}
    try:
        value = _object(data)
    except BadJson as bad:
        raise UsageError(
            f"the outcome file that is there {bad.reason}",
            hint="remove it in the handler before the report, or write it there correctly",
        ) from None
    if value is None:
        raise UsageError("the outcome file that is there is not a JSON object")
    return value


def _joined(name: str, earlier: object, value: object) -> object:
    if name == "artifacts" and isinstance(earlier, list) and isinstance(value, list):
        return [*earlier, *value]
    if name == "metadata" and isinstance(earlier, dict) and isinstance(value, dict):
        return {**value, **earlier}
    return value if field_problem(name, earlier) is not None else earlier


def _gainsaid(name: str, before: object, after: object, value: object) -> object:
    """Return what of a value is not taken because an earlier word stands."""
    if name == "metadata" and isinstance(before, dict) and isinstance(value, dict):
        return {key: item for key, item in value.items() if before.get(key, item) != item} or None
    return value if name != "artifacts" and after != value else None


def _encoded(value: dict[str, object]) -> bytes:
    from cuectl.values.json_limits import BadJson

    try:
        data = json.dumps(value, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        _object(data)
    except BadJson as bad:
        raise UsageError(f"the report {bad.reason}") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"the report cannot be written as JSON: {error}") from None
    return data
