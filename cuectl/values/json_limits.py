"""Read JSON that strangers wrote: within limits, and nothing that JSON does not have.

`json.loads` takes NaN, 1e999, duplicate keys and halves of surrogate pairs, and raises
RecursionError on deep nesting. Any reader reads what passes here (reference/reliability.md, S17).
"""

from __future__ import annotations

import json

from cuectl.values.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal, NoReturn

    Kind = Literal["too_large", "not_utf8", "malformed"]

MAX_DEPTH = 64
MAX_DIGITS = 4300
PAYLOAD_BYTES = 1_048_576

# A string is one token, closed or not, so that the search is linear on any input.
_TOKENS = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]'
_SURROGATES = range(0xD800, 0xE000)


class BadJson(ValueError):
    """The text is not JSON within the limits; `reason` is short and does not name the text."""

    def __init__(self, reason: str, *, what: str = "text", kind: Kind = "malformed") -> None:
        super().__init__(f"{what} {reason}")
        self.reason = reason
        self.kind: Kind = kind


def parse_json(
    data: bytes | str,
    *,
    what: str,
    max_bytes: int,
    max_depth: int = MAX_DEPTH,
    duplicates: Literal["last", "refuse"] = "refuse",
    surrogates: Literal["replace", "refuse"] = "refuse",
) -> object:
    """Return the value of a JSON text in UTF-8 without a byte order mark; `what` starts messages.

    Raises BadJson: anything else, never another exception, for any bytes.
    """
    try:
        text = _decoded(data, max_bytes)
        _check_depth(text, max_depth)
        value = _decode(text, refuse_duplicates=duplicates == "refuse")
        if "\\ud" in text or "\\uD" in text:
            value = _without_surrogates(value, refuse=surrogates == "refuse")
    except BadJson as bad:
        raise BadJson(bad.reason, what=what, kind=bad.kind) from None
    return value


def json_size(value: object) -> int:
    """Return the bytes of a value as JSON, letters and not their escapes counted.

    Raises TypeError, ValueError, RecursionError: it is not JSON.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return len(text.encode("utf-8", "surrogatepass"))


def payload_object(text: str | bytes, *, max_bytes: int = PAYLOAD_BYTES) -> dict[str, object]:
    """Return the payload that a user gave as JSON. Raises UsageError: no object, or with a NUL."""
    hint = """a payload looks like this: --payload '{"task": "audit"}'"""
    try:
        value = parse_json(text, what="payload", max_bytes=max_bytes)
    except BadJson as bad:
        raise UsageError(str(bad), hint=hint) from None
    if not isinstance(value, dict):
        raise UsageError(f"payload must be a JSON object, not {kind_of(value)}", hint=hint)
    if any_text(value, has_nul):
        raise UsageError("payload contains a NUL character")
    return value


def kind_of(value: object) -> str:
    """Return what a JSON value is, with its article: `a list`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, list):
        return "a list"
    return "an object" if isinstance(value, dict) else "a number"


def any_text(value: object, claim: Callable[[str], bool]) -> bool:
    """Tell whether `claim` is true of any string in a JSON value, keys included."""
    if isinstance(value, str):
        return claim(value)
    if isinstance(value, list):
        return any(any_text(item, claim) for item in value)
    if isinstance(value, dict):
        return any(any_text(key, claim) or any_text(item, claim) for key, item in value.items())
    return False


def has_nul(text: str) -> bool:
    """Tell whether a text has a NUL, which no environment, argument or path can carry."""
    return "\0" in text


def has_surrogate(text: str) -> bool:
    """Tell whether a text has half of a surrogate pair, so that it cannot be encoded."""
    return not text.isascii() and any(ord(char) in _SURROGATES for char in text)


def _decoded(data: bytes | str, max_bytes: int) -> str:
    try:
        raw = data if isinstance(data, bytes) else data.encode()
        if len(raw) > max_bytes:
            raise BadJson(f"has {len(raw)} bytes, more than {max_bytes}", kind="too_large")
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise BadJson(f"is not UTF-8 at byte {error.start}", kind="not_utf8") from None
    except UnicodeEncodeError as error:
        raise BadJson(f"is not UTF-8 at character {error.start}", kind="not_utf8") from None
    if text.startswith("\ufeff"):
        raise BadJson("starts with a byte order mark")
    if not text.strip(" \t\r\n"):
        raise BadJson("is empty")
    return text


def _check_depth(text: str, max_depth: int) -> None:
    """Refuse deep nesting before the parser, whose recursion follows it."""
    if text.count("[") + text.count("{") <= max_depth:
        return
    import re

    depth = 0
    for match in re.finditer(_TOKENS, text, re.DOTALL):
        token = match[0]
        if token in ("[", "{"):
            depth += 1
            if depth > max_depth:
                raise BadJson(f"is nested deeper than {max_depth} levels")
        elif token in ("]", "}"):
            depth -= 1


def _decode(text: str, *, refuse_duplicates: bool) -> object:
    decode: Callable[[str], object] = (_STRICT if refuse_duplicates else _LAST_WINS).decode
    try:
        return decode(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise BadJson(f"is not JSON: {error.msg.lower()}, at {place}") from None


def _constant(name: str) -> NoReturn:
    raise BadJson(f"has {name}, which is not JSON")


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise BadJson(f"has a number of more than {MAX_DIGITS} digits")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if abs(value) == float("inf"):
        raise BadJson("has a number that is out of range")
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise BadJson(f"has the key '{key[:60]}' twice")
            seen.add(key)
    return value


def _without_surrogates(value: object, *, refuse: bool) -> object:
    if isinstance(value, str):
        if not has_surrogate(value):
            return value
        if refuse:
            raise BadJson("has half of a surrogate pair")
        return "".join("\ufffd" if ord(char) in _SURROGATES else char for char in value)
    if isinstance(value, list):
        return [_without_surrogates(item, refuse=refuse) for item in value]
    if isinstance(value, dict):
        return {
            _without_surrogates(key, refuse=refuse): _without_surrogates(item, refuse=refuse)
            for key, item in value.items()
        }
    return value


_LAST_WINS = json.JSONDecoder(parse_constant=_constant, parse_int=_integer, parse_float=_float)
_STRICT = json.JSONDecoder(
    parse_constant=_constant, parse_int=_integer, parse_float=_float, object_pairs_hook=_unique
)
