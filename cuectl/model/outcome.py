"""What a handler said about its work, and the rule for each thing that it may say.

One schema in one place: the outcome file, `cuectl report` and the HTTP interface use the
same rules (reference/cueapi.md 3.1 and 5.4 B2), so what one accepts, all accept.
"""

from __future__ import annotations

import json

from cuectl.model.json_limits import any_text, has_nul, has_surrogate
from cuectl.model.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

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
FIELDS = ("success", *TEXT_LIMITS, "artifacts", "metadata")
EVIDENCE = (
    "external_id",
    "result_url",
    "result_ref",
    "result_type",
    "summary",
    "artifacts",
    "metadata",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a handler said, field by field; `Outcome()` is a handler that said nothing.

    `reported` is true when there was an object to read, were it an empty one. `dropped` names
    each field that was not taken, as `name: reason`, in the order of the file. `problem` says
    why the file as a whole was not taken; everything else is then empty.
    """

    reported: bool = False
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
    dropped: tuple[str, ...] = ()
    problem: str | None = None

    def evidence(self) -> dict[str, object]:
        """Return the evidence that there is, by name; kept whichever side wins."""
        found = ((name, getattr(self, name)) for name in EVIDENCE)
        return {name: value for name, value in found if value is not None}


ABSENT = Outcome()


def field_problem(name: str, value: object) -> str | None:
    """Return why `value` cannot stand in the field `name`, None when it can.

    Limits are in characters, that of metadata in bytes of JSON with ASCII only, as the
    peer's server counts. Source: reference/cueapi.md 3.1 and 3.3; design.md section 6 for
    the blank `external_id`.
    """
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


def _success(_name: str, value: object) -> str | None:
    return None if isinstance(value, bool) else "not true or false"


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


def _artifacts(_name: str, value: object) -> str | None:
    return None if isinstance(value, list) else "not a list"


def _metadata(_name: str, value: object) -> str | None:
    if not isinstance(value, dict):
        return "not an object"
    try:
        size = len(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        return "not JSON"
    over = f"longer than {METADATA_BYTES} bytes as JSON ({size})"
    return over if size > METADATA_BYTES else None


_RULES: dict[str, Callable[[str, object], str | None]] = {
    **dict.fromkeys(TEXT_LIMITS, _text),
    "success": _success,
    "external_id": _external_id,
    "result_url": _url,
    "artifacts": _artifacts,
    "metadata": _metadata,
}
