"""A cue: its definition, which a person changes, and its state, which passes change.

They are two records, so that a per-minute cue writes a hundred bytes a minute to the
journal and not its whole definition (hole A17).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from cuectl.model.instants import from_text, to_text
from cuectl.model.policy import PLAIN, Policy, policy_from_record
from cuectl.model.values import dataclass, field

Record = dict[str, Any]


class CueStatus(StrEnum):
    """Whether a cue fires.

    `held` is a chained cue that waits for its parent's verdict.
    """

    ACTIVE = "active"
    PAUSED = "paused"
    HELD = "held"
    COMPLETED = "completed"
    FAILED = "failed"
    DELETED = "deleted"


AT_REST = frozenset({CueStatus.COMPLETED, CueStatus.FAILED, CueStatus.DELETED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a cue comes from.

    Attributes:
        kind: `cli`, `chain`, `file` (a definition file), `http`, `import`.
        parent: the execution that chained it.
        root: the execution at the top of the chain.
        depth: 1 for the first chained cue.
        when: `success`, `failure` or `always` while the cue waits for its parent.
        delay_s: wait after the release.
        key: the caller's key, for one child per key and parent.
        path: the definition file.
    """

    kind: str = "cli"
    parent: str | None = None
    root: str | None = None
    depth: int = 0
    when: str | None = None
    delay_s: float | None = None
    key: str | None = None
    path: str | None = None

    def to_record(self) -> Record:
        """Return the JSON form, empty members left out."""
        record: Record = {"kind": self.kind}
        for name in ("parent", "root", "depth", "when", "delay_s", "key", "path"):
            if value := getattr(self, name):
                record[name] = value
        return record


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """The definition of a cue.

    Attributes:
        trigger: `{"type": "cron", "expression", "timezone"}`, `{"type": "at", "at"}`,
            `{"type": "every", "every_s", "anchor"}`, `{"type": "event", ...}` or
            `{"type": "manual"}`; instants as text.
        target: `{"type": "task", "task"}`, `{"type": "command", "argv" | "shell", "cwd"?,
            "env"?}`, `agent`, `workflow` or `webhook` with their members.
        payload_ref: sha256 of a payload that is kept in a file of its own.
    """

    id: str
    name: str
    description: str | None = None
    trigger: Record
    target: Record
    policy: Policy = PLAIN
    payload: Record = field(default_factory=dict)
    payload_ref: str | None = None
    origin: Origin = Origin()
    created_at: int
    updated_at: int

    def to_record(self) -> Record:
        """Return what `cues/<id>.json` holds."""
        record: Record = {"id": self.id, "name": self.name}
        if self.description is not None:
            record["description"] = self.description
        record |= {"trigger": self.trigger, "target": self.target}
        record |= {"policy": self.policy.to_record(), "payload": self.payload}
        if self.payload_ref:
            record["payload_ref"] = self.payload_ref
        record["origin"] = self.origin.to_record()
        record["created_at"] = to_text(self.created_at)
        record["updated_at"] = to_text(self.updated_at)
        return record


def cue_from_record(record: Record) -> Cue:
    """Return the cue in a record.

    Raises:
        KeyError, TypeError, ValueError: it is not one.
    """
    return Cue(
        id=record["id"],
        name=record["name"],
        description=record.get("description"),
        trigger=record["trigger"],
        target=record["target"],
        policy=policy_from_record(record["policy"]),
        payload=record["payload"],
        payload_ref=record.get("payload_ref"),
        origin=Origin(**record["origin"]),
        created_at=from_text(record["created_at"]),
        updated_at=from_text(record["updated_at"]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CueState:
    """What passes know of a cue.

    Attributes:
        next_at: the nominal time of the next occurrence; its marker stands in the agenda.
        last_at: the newest nominal time that was decided on; it never runs again.
        last_run: when the newest execution ended.
        running: ids of executions that are neither settled nor queued.
        queued: ids of executions that wait for `running` to end, oldest first.
        failures: executions that failed in a row.
        overlaps: occurrences skipped in a row because of an overlap.
        alerts: alert type to the id of the alert that is open for this cue.
        ahead: nominal times that ran while the clock was in the future.
    """

    status: CueStatus = CueStatus.ACTIVE
    next_at: int | None = None
    last_at: int | None = None
    last_run: int | None = None
    last_status: str | None = None
    run_count: int = 0
    running: tuple[str, ...] = ()
    queued: tuple[str, ...] = ()
    failures: int = 0
    overlaps: int = 0
    alerts: tuple[tuple[str, str], ...] = ()
    ahead: tuple[int, ...] = ()

    def to_record(self) -> Record:
        """Return what `cues/<id>.s.json` holds: milliseconds, empty members left out."""
        record: Record = {"status": self.status.value}
        for name in _STATE_FIELDS:
            if value := getattr(self, name):
                record[name] = list(value) if isinstance(value, tuple) else value
        if self.alerts:
            record["alerts"] = dict(self.alerts)
        return record


_STATE_FIELDS = (
    "next_at last_at last_run last_status run_count running queued failures overlaps ahead"
).split()


def state_from_record(record: Record) -> CueState:
    """Return the state in a record.

    Raises:
        KeyError, TypeError, ValueError: it is not one.
    """
    known = {name: record[name] for name in _STATE_FIELDS if name in record}
    for name in ("running", "queued", "ahead"):
        if name in known:
            known[name] = tuple(known[name])
    alerts = tuple(record.get("alerts", {}).items())
    return CueState(status=CueStatus(record["status"]), alerts=alerts, **known)
