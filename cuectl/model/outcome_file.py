"""Read and write the outcome file, `$CUEAPI_OUTCOME_FILE` and `$CUE_OUTCOME_FILE`.

Reading is lenient, field by field, and never fails: a bad field is dropped and named, a bad
file leaves the exit code to decide (design.md section 6; reference/cueapi.md 3.1). Writing,
which `cuectl report` does, is strict: in a shell a wrong value is an error.
"""

from __future__ import annotations

import json

from cuectl.model.errors import UsageError
from cuectl.model.json_limits import BadJson, parse_json
from cuectl.model.outcome import ABSENT, FIELDS, Outcome, field_problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

# The peer stops at 10,240 bytes in all, which a long list of artifacts exceeds.
FILE_BYTES = 65_536
NOT_AN_OBJECT = "<whole file was not a JSON object>"

_DROPPED_SHOWN = 20
_NAME_SHOWN = 60


def read_outcome(data: bytes, *, size: int | None = None) -> Outcome:
    """Return what the bytes of an outcome file say; never raises.

    Args:
        data: the file, or as much of it as was read; empty when there is none.
        size: how large the file is, when that is more than what was read.

    Halves of surrogate pairs become U+FFFD, of equal keys the last wins, and NaN, numbers of
    thousands of digits and bottomless nesting make the whole file malformed.
    """
    if not data:
        return ABSENT
    total = max(len(data), size or 0)
    if total > FILE_BYTES:
        return Outcome(problem=f"outcome_file_too_large: {total} > {FILE_BYTES}")
    try:
        value = _object(data)
    except BadJson as bad:
        name = "not_utf8" if bad.kind == "not_utf8" else "malformed_json"
        return Outcome(problem=f"outcome_file_{name}: {bad.reason}")
    return Outcome(problem=NOT_AN_OBJECT) if value is None else _taken(value)


def build_outcome(success: bool | None, fields: Mapping[str, object]) -> bytes:
    """Return the outcome file that says `success` and `fields`.

    Args:
        success: None leaves it to the exit code.
        fields: by name, without `success`; a None is left out.

    Raises:
        UsageError: a field is unknown, of a wrong type, or over its limit.
    """
    return merge_report(b"", success, fields)


def merge_report(
    earlier: bytes,
    success: bool | None,
    fields: Mapping[str, object],
) -> bytes:
    """Return the outcome file with a further report added to the `earlier` one.

    A handler may report as it goes: artifacts are appended, metadata is merged by key, of
    everything else the later word stands. Fields that cuectl does not know stay in the file.

    Raises:
        UsageError: as for `build_outcome`, or what is there is not an outcome file.
    """
    merged = _earlier(earlier)
    for name, value in (("success", success), *fields.items()):
        if value is not None:
            merged[name] = _joined(name, merged.get(name), value)
            problem = field_problem(name, merged[name])
            if problem is not None:
                hint = None if name in FIELDS else f"the fields are {', '.join(FIELDS)}"
                raise UsageError(f"'{name}' cannot be reported: {problem}", hint=hint)
    return _encoded(merged)


def peer_metadata(outcome: Outcome) -> dict[str, object] | None:
    """Return the metadata as the peer shows it, with what was wrong under `_cueapi_worker`.

    The key is there only when there is something to say, and then replaces one of the
    handler's own. Source: reference/cueapi.md 3.1.
    """
    report: dict[str, object] = {}
    if outcome.problem == NOT_AN_OBJECT:
        report["outcome_file_dropped_fields"] = [NOT_AN_OBJECT]
    elif outcome.problem is not None:
        report["outcome_file_parse_error"] = outcome.problem
    elif outcome.dropped:
        names = [entry.rpartition(": ")[0] or entry for entry in outcome.dropped]
        report["outcome_file_dropped_fields"] = names
    if not report:
        return outcome.metadata
    return {**(outcome.metadata or {}), "_cueapi_worker": report}


def _object(data: bytes) -> dict[str, object] | None:
    value = parse_json(
        data,
        what="outcome file",
        max_bytes=FILE_BYTES,
        duplicates="last",
        surrogates="replace",
    )
    return value if isinstance(value, dict) else None


def _taken(value: dict[str, object]) -> Outcome:
    kept: dict[str, Any] = {}
    dropped: list[str] = []
    for name, item in value.items():
        problem = field_problem(name, item)
        if problem is None:
            kept[name] = item
        else:
            dropped.append(f"{name[:_NAME_SHOWN]}: {problem}")
    if len(dropped) > _DROPPED_SHOWN:
        # The report goes into the journal, which a file of ten thousand names must not fill.
        more = len(dropped) - _DROPPED_SHOWN
        dropped[_DROPPED_SHOWN:] = [f"and {more} more"]
    return Outcome(reported=True, dropped=tuple(dropped), **kept)


def _earlier(data: bytes) -> dict[str, object]:
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
        return {**earlier, **value}
    return value


def _encoded(value: dict[str, object]) -> bytes:
    try:
        data = json.dumps(value, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        _object(data)
    except BadJson as bad:
        raise UsageError(f"the report {bad.reason}") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"the report cannot be written as JSON: {error}") from None
    return data
