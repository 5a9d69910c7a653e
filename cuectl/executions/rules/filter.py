"""Executions as people query and see them: the filter, and the public form.

`needles` gives bytes that the line of every match has, so that a reader finds the few lines worth
parsing; `matches` decides on the parsed record.
"""

from __future__ import annotations

import json

from cuectl.executions.rules.record import FINAL, NEVER_STARTED, OF_ATTEMPT, ExecutionStatus
from cuectl.executions.rules.verdict import why, word_of
from cuectl.values.records import dataclass
from cuectl.values.times import from_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from cuectl.values.records import Record

Group = tuple[bytes, ...]
Pair = tuple[str, str]

_encode = json.JSONEncoder(separators=(",", ":")).encode
_REF = b'"payload_ref":"'
PROOF = ("external_id", "result_url", "result_ref", "artifacts")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionFilter:
    """A filter; all given kinds must match, each by one of its values."""

    cue_ids: tuple[str, ...] = ()  # or the starts of ids
    cue_name: str | None = None  # when it ran; it or one of `cue_ids` is enough
    statuses: tuple[str, ...] = ()
    outcome_states: tuple[str, ...] = ()
    result_types: tuple[str, ...] = ()
    parent_run_id: str | None = None  # `payload.parent_run_id`, or the parent execution
    root: str | None = None  # the top of the chain, or the start of its id
    since: int | None = None  # of `scheduled_for`; included
    until: int | None = None  # not included
    triggered_by: tuple[str, ...] = ()
    payload: tuple[Pair, ...] = ()  # dotted key and value
    metadata: tuple[Pair, ...] = ()
    has_evidence: bool = False

    @property
    def may_be_settled(self) -> bool:
        """Whether a settled execution can match."""
        return not self.statuses or any(word in FINAL for word in self.statuses)

    def needles(self) -> tuple[Group, ...]:
        """Return groups of bytes; the line of a match has one of each, the rarest first."""
        groups: list[Group] = []
        if self.parent_run_id is not None:
            named = _value_needle(("parent_run_id", self.parent_run_id))
            groups.append((_member("parent_id", self.parent_run_id), named, _REF))
        if self.root is not None:
            groups.append((_start_of("root_id", self.root),))
        groups += [(_value_needle(pair), _REF) for pair in self.payload]
        groups += [(_value_needle(pair),) for pair in self.metadata]
        names = () if self.cue_name is None else (_member("cue_name", self.cue_name),)
        groups += [
            (*names, *(_start_of("cue", one) for one in self.cue_ids)),
            _members("result_type", self.result_types),
            tuple(f'"{name}":'.encode() for name in PROOF) if self.has_evidence else (),
            _members("triggered_by", self.triggered_by),
            _members("outcome_state", self.outcome_states),
            _members("status", self.statuses),
        ]
        # An item of a list has no key that could be looked for.
        return tuple(group for group in groups if group and all(group))

    def matches(self, record: Record, payload_of: Callable[[Record], Record | None]) -> bool:
        """Tell whether a record is asked for; `payload_of` also reads payloads in files."""
        return (
            self._matches_words(record)
            and self._matches_cue(record)
            and self._matches_time(record)
            and (not self.has_evidence or has_evidence(record))
            and all(value_matches(record.get("metadata"), *pair) for pair in self.metadata)
            and self._matches_payload(record, payload_of)
        )

    def _matches_words(self, record: Record) -> bool:
        wanted = (
            (self.statuses, "status"),
            (self.outcome_states, "outcome_state"),
            (self.result_types, "result_type"),
            (self.triggered_by, "triggered_by"),
        )
        if any(words and record.get(name) not in words for words, name in wanted):
            return False
        return self.root is None or _text(record, "root_id").startswith(self.root)

    def _matches_cue(self, record: Record) -> bool:
        if not self.cue_ids and self.cue_name is None:
            return True
        named = self.cue_name is not None and record.get("cue_name") == self.cue_name
        cue = _text(record, "cue_id")
        return named or any(cue.startswith(one) for one in self.cue_ids)

    def _matches_time(self, record: Record) -> bool:
        if self.since is None and self.until is None:
            return True
        at = from_text(record["scheduled_for"])
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)

    def _matches_payload(
        self, record: Record, payload_of: Callable[[Record], Record | None]
    ) -> bool:
        wanted = self.parent_run_id
        if wanted is None and not self.payload:
            return True
        pairs = self.payload
        if wanted is not None and record.get("parent_id") != wanted:
            pairs = (("parent_run_id", wanted), *pairs)
        payload = payload_of(record) if pairs else None
        return all(value_matches(payload, *pair) for pair in pairs)


def has_evidence(record: Record) -> bool:
    """Tell whether a record proves anything; blanks do not."""
    return any(
        value.strip() if isinstance(value, str) else value
        for value in (record.get(name) for name in PROOF)
    )


def value_matches(body: Any, key: str, wanted: str) -> bool:
    """Tell whether the value at a dotted key is `wanted`, as text or as JSON.

    A key that has dots itself, and the numbers of a list's items, are understood too.
    """
    return any(_is(value, wanted) for value in _values_at(body, key))


def _values_at(body: Any, key: str) -> list[Any]:
    if isinstance(body, dict):
        found = [body[key]] if key in body else []
        at = key.find(".")
        while at >= 0:
            if key[:at] in body:
                found += _values_at(body[key[:at]], key[at + 1 :])
            at = key.find(".", at + 1)
        return found
    if isinstance(body, list):
        first, dot, rest = key.partition(".")
        if first.isascii() and first.isdigit() and len(first) < 9 and int(first) < len(body):
            item = body[int(first)]
            return _values_at(item, rest) if dot else [item]
    return []


def _is(value: Any, wanted: str) -> bool:
    if isinstance(value, str):
        return value == wanted
    try:
        meant = json.loads(wanted)
    except (ValueError, RecursionError):
        return False
    same_kind = isinstance(value, bool) == isinstance(meant, bool)
    return same_kind and not isinstance(meant, str) and bool(value == meant)


def _text(record: Record, name: str) -> str:
    value = record.get(name)
    return value if isinstance(value, str) else ""


def _member(name: str, value: str) -> bytes:
    return f'"{name}":{_encode(value)}'.encode("ascii")


def _members(name: str, values: tuple[str, ...]) -> Group:
    return tuple(_member(name, value) for value in values)


def _start_of(name: str, start: str) -> bytes:
    return _member(name, start)[:-1]


def _value_needle(pair: Pair) -> bytes:
    """Return what is in a line whose object has that value at that key.

    What could also be a number or an object may be written in several ways, so only the last part
    of its key is looked for.
    """
    key, wanted = pair
    try:
        may_be_other = not isinstance(json.loads(wanted), str)
    except (ValueError, RecursionError):
        may_be_other = False
    if may_be_other:
        last = key.rpartition(".")[2]
        return b"" if last.isdigit() else _encode(last)[1:].encode("ascii") + b":"
    return _encode(wanted).encode("ascii")


KEYS = (
    *("id", "cue_id", "cue_name", "status", "reason", "outcome_state", "attempt", "attempts"),
    *("scheduled_for", "started_at", "ended_at", "duration_s", "exit_code", "triggered_by"),
    *("parent_id", "root_id", "depth", "payload", "external_id", "result_url", "result_ref"),
    *("result_type", "summary", "artifacts", "metadata", "output_path"),
    # Beyond what was promised first.
    *("signal", "success", "result", "error", "verified_by", "verify_reason"),
    *("outcome_problem", "outcome_dropped", "later_reports", "artifact_files"),
    "earlier_verdicts",
    *(
        "target",
        "executor",
        "worker",
        "adopted",
        "created_at",
        "due_at",
        "report_until",
        "range",
        "rev",
    ),
)
_LISTS = ("outcome_dropped", "later_reports", "artifact_files", "earlier_verdicts")
_DEFAULTS: Record = {"attempt": 1, "depth": 0, "adopted": False, "rev": 0}
_DEFAULTS |= {name: [] for name in _LISTS}
_SHOWN_OF_ATTEMPT = tuple(name for name in OF_ATTEMPT if name != "last_line")
_OF_ATTEMPT = ("status", *_SHOWN_OF_ATTEMPT, "started_at", "ended_at")


def execution_view(record: Record, output_path: str | None = None) -> Record:
    """Return the public form of an execution; every key is there.

    A payload that is kept in a file may stand in the record, None when it is gone.
    """
    view: Record = {key: record.get(key, _DEFAULTS.get(key)) for key in KEYS}
    view |= {"verdict": word_of(record).value, "why": why(record) or None}
    return view | {"attempts": attempts_of(record), "output_path": output_path}


def attempts_of(record: Record) -> list[Record]:
    """Return every attempt that was started, the newest one last."""
    begun = [*record.get("attempts", ()), *([record] if has_begun(record) else ())]
    return [
        {
            "attempt": one.get("attempt", 1),
            **{key: one.get(key, _DEFAULTS.get(key)) for key in _OF_ATTEMPT},
            "verdict": word_of(one).value,
            "why": why(one) or None,
        }
        for one in begun
    ]


def has_begun(record: Record) -> bool:
    """Tell whether the newest attempt was started, or should have been and could not."""
    if record.get("started_at") is not None:
        return True
    never = (*NEVER_STARTED, ExecutionStatus.CANCELLED)
    return bool(record.get("ended_at")) and record["status"] not in never
