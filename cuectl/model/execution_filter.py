"""Which executions a person asks for, and how their journal lines look; pure.

`needles` gives bytes that the line of every match has, so that a reader finds the few lines
worth parsing; `matches` decides on the parsed record. A record that is not looked at because
it lacks the needles would not have matched.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cuectl.model.execution_status import FINAL
from cuectl.model.instants import from_text
from cuectl.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

Record = dict[str, Any]
Group = tuple[bytes, ...]
Pair = tuple[str, str]

_encode = json.JSONEncoder(separators=(",", ":")).encode
_REF = b'"payload_ref":"'
PROOF = ("external_id", "result_url", "result_ref", "artifacts")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionFilter:
    """What is asked for; all that is given must hold, one value of each kind.

    Attributes:
        cue_ids: ids of cues, or the starts of ids.
        cue_name: a name that the cue had when it ran; it or one of `cue_ids` is enough.
        parent_run_id: `payload.parent_run_id`, or the id of the parent execution.
        root: the execution at the top of the chain, or the start of its id.
        since, until: limits of `scheduled_for`, the first one included.
        payload, metadata: dotted key and value.
        has_evidence: it has an `external_id`, `result_url`, `result_ref` or artifacts.
    """

    cue_ids: tuple[str, ...] = ()
    cue_name: str | None = None
    statuses: tuple[str, ...] = ()
    outcome_states: tuple[str, ...] = ()
    result_types: tuple[str, ...] = ()
    parent_run_id: str | None = None
    root: str | None = None
    since: int | None = None
    until: int | None = None
    triggered_by: tuple[str, ...] = ()
    payload: tuple[Pair, ...] = ()
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
            groups.append(_parent_needles(self.parent_run_id))
        if self.root is not None:
            groups.append((_start_of("root_id", self.root),))
        groups += [(_value_needle(pair), _REF) for pair in self.payload]
        groups += [(_value_needle(pair),) for pair in self.metadata]
        if self.cue_ids or self.cue_name is not None:
            groups.append(_cue_needles(self.cue_ids, self.cue_name))
        if self.result_types:
            groups.append(_members("result_type", self.result_types))
        if self.has_evidence:
            groups.append(tuple(f'"{name}":'.encode() for name in PROOF))
        if self.triggered_by:
            groups.append(_members("triggered_by", self.triggered_by))
        if self.outcome_states:
            groups.append(_members("outcome_state", self.outcome_states))
        if self.statuses:
            groups.append(_members("status", self.statuses))
        # An item of a list has no key that could be looked for.
        return tuple(group for group in groups if all(group))

    def matches(self, record: Record, payload_of: Callable[[Record], Record | None]) -> bool:
        """Tell whether an execution is asked for.

        Args:
            record: as the journal or a view has it.
            payload_of: returns the payload of a record, also one that is kept in a file.
        """
        return (
            self._matches_words(record)
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
        if self.root is not None and not _text(record, "root_id").startswith(self.root):
            return False
        return self._matches_cue(record)

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
        is_child = wanted is not None and record.get("parent_id") == wanted
        if is_child and not self.payload:
            return True
        payload = payload_of(record)
        is_named = is_child or wanted is None or value_matches(payload, "parent_run_id", wanted)
        return is_named and all(value_matches(payload, *pair) for pair in self.payload)


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


def _cue_needles(ids: tuple[str, ...], name: str | None) -> Group:
    named = () if name is None else (_member("cue_name", name),)
    return (*named, *(_start_of("cue", one) for one in ids))


def _parent_needles(wanted: str) -> Group:
    return (_member("parent_id", wanted), _value_needle(("parent_run_id", wanted)), _REF)


def _value_needle(pair: Pair) -> bytes:
    """Return what stands in a line whose object has that value at that key.

    A text stands there as it is encoded. What could also be a number, an object or the like
    may be written in several ways, so only the last part of its key is looked for.
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
