"""An execution: one firing of a cue, with all its attempts and what came of it."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from cuectl.model.execution_status import ExecutionStatus, is_final
from cuectl.model.instants import from_text, to_text
from cuectl.model.policy import PLAIN, Policy, policy_from_record
from cuectl.model.values import dataclass, field, fields

Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """The record of an execution; every change of it is journaled as a whole.

    Attributes:
        reason: why it is in its state, one word and a value: `overlap`, `spawn: ENOENT`.
        outcome_state: a state of `model/verification.py`, None before there is one.
        attempts: earlier attempts, as records; the current one is in the fields below.
        scheduled_for: the nominal time of the occurrence.
        triggered_by: `schedule`, `chain`, `fire`, `retry`, `event`, ...
        parent_id, root_id, depth: its place in a chain; a root has itself as root.
        event: `{"id", "type", "at", "root", "depth"}` of the event that started it.
        followup: how the second turn of an agent ended: `succeeded`, or `failed` and why.
        reported: the outcome of the current attempt as `report` has committed it.
        due_at: not started before this.
        phase: `check` while the checker decides, `followup` during an agent's second turn; None
            for the attempt's main process.
        pass_id, boot: who claimed it, and in which boot.
        worker: name of the worker that claimed it.
        range: `{from, to, count}` of a record that stands for many occurrences.
        held: cues that wait for its verdict.
        rev: counts the changes after it has settled.
        cancel: who asked for its end, while it runs.
        extra: members of the record that this version does not know.
    """

    id: str
    cue_id: str
    cue_name: str
    status: ExecutionStatus
    reason: str | None = None
    outcome_state: str | None = None
    attempt: int = 1
    attempts: tuple[Record, ...] = ()
    scheduled_for: int
    started_at: int | None = None
    ended_at: int | None = None
    duration_s: float | None = None
    exit_code: int | None = None
    signal: int | None = None
    triggered_by: str = "schedule"
    parent_id: str | None = None
    root_id: str
    depth: int = 0
    event: Record | None = None
    target: Record = field(default_factory=dict)
    policy: Policy = PLAIN
    payload: Record = field(default_factory=dict)
    payload_ref: str | None = None
    success: bool | None = None
    result: str | None = None
    error: str | None = None
    external_id: str | None = None
    result_url: str | None = None
    result_ref: str | None = None
    result_type: str | None = None
    summary: str | None = None
    artifacts: list[Any] | None = None
    metadata: Record | None = None
    outcome_problem: str | None = None
    outcome_dropped: tuple[str, ...] = ()
    reported: Record | None = None
    followup: str | None = None
    verified_by: str | None = None
    verify_reason: str | None = None
    due_at: int | None = None
    report_until: int | None = None
    phase: str | None = None
    pass_id: str | None = None
    boot: str | None = None
    worker: str | None = None
    adopted: bool = False
    range: Record | None = None
    held: tuple[str, ...] = ()
    cancel: str | None = None
    rev: int = 0
    extra: Record = field(default_factory=dict)

    @property
    def is_settled(self) -> bool:
        """Whether its state is its last one."""
        return is_final(self.status)

    def to_record(self) -> Record:
        """Return the JSON form, members without a value left out."""
        record: Record = {}
        for name, value in zip(_PLAIN_FIELDS, _plain_values(self)):  # noqa: B905 - the same length
            if value is not None:
                record[name] = value
        for name in _INSTANT_FIELDS:
            value = getattr(self, name)
            if value is not None:
                record[name] = to_text(value)
        for name in _SPARSE_FIELDS:
            if value := getattr(self, name):
                record[name] = list(value) if isinstance(value, tuple) else value
        if self.policy is not PLAIN:
            record["policy"] = self.policy.to_record()
        record["payload"] = self.payload
        record["target"] = self.target
        return self.extra | record if self.extra else record


_INSTANT_FIELDS = ("scheduled_for", "started_at", "ended_at", "due_at", "report_until")
_SPARSE_FIELDS = (
    "attempts",
    "outcome_dropped",
    "adopted",
    "range",
    "held",
    "rev",
)
_SPECIAL = {"policy", "payload", "target", "extra", *_INSTANT_FIELDS, *_SPARSE_FIELDS}
_PLAIN_FIELDS = tuple(item.name for item in fields(Execution) if item.name not in _SPECIAL)
_plain_values = attrgetter(*_PLAIN_FIELDS)
_KNOWN = frozenset(item.name for item in fields(Execution)) - {"extra"}


def execution_from_record(record: Record) -> Execution:
    """Return the execution in a record; unknown members are kept and written back.

    Raises:
        KeyError, TypeError, ValueError: it is not one.
    """
    known = dict(record)
    extra = {name: known.pop(name) for name in record.keys() - _KNOWN}
    known["status"] = ExecutionStatus(known["status"])
    for name in _INSTANT_FIELDS:
        if name in known:
            known[name] = from_text(known[name])
    for name in ("attempts", "outcome_dropped", "held"):
        if name in known:
            known[name] = tuple(known[name])
    if "policy" in known:
        known["policy"] = policy_from_record(known["policy"])
    return Execution(**known, extra=extra)
