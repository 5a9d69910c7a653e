"""A cue: its definition, which a person changes, its state, which passes change, its chain.

They are two records, so that a cue that fires every minute does not write its definition to the
journal each time (hole A17).
"""

from __future__ import annotations

from enum import StrEnum

from cuectl.executions.rules.record import PLAIN, Policy, plain, policy_from_record
from cuectl.values.errors import Refused, UsageError
from cuectl.values.records import dataclass, field
from cuectl.values.times import from_text, to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cuectl.schedule.calendars import DayPlan
    from cuectl.values.records import Record


class CueStatus(StrEnum):
    """Whether a cue fires; `held` is a chained one that waits for its parent's verdict."""

    ACTIVE = "active"
    PAUSED = "paused"
    HELD = "held"
    COMPLETED = "completed"
    FAILED = "failed"
    DELETED = "deleted"


AT_REST = frozenset({CueStatus.COMPLETED, CueStatus.FAILED, CueStatus.DELETED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a cue comes from: a command, a definition file, a parent in a chain."""

    kind: str = "cli"  # `cli`, `chain`, `file`, `http`, `import`
    parent: str | None = None
    root: str | None = None  # the execution at the top of the chain
    depth: int = 0  # 1 for the first cue below the root
    when: str | None = None  # `success`, `failure` or `always` while it waits for its parent
    delay_s: float | None = None  # wait after the release
    key: str | None = None  # the caller's, for one child per key and parent
    path: str | None = None

    def to_record(self) -> Record:
        """Return the JSON form, empty members left out."""
        return {name: value for name in Origin.__slots__ if (value := getattr(self, name))}


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

    @property
    def journal_ids(self) -> dict[str, str]:
        """The members of a journal line that say which cue it is about, and whose child."""
        above = {"root": self.origin.root, "parent": self.origin.parent}
        return {"cue": self.id} | {name: one for name, one in above.items() if one}

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
    """Return the cue in a record. Raises KeyError, TypeError, ValueError: it is not one."""
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
    """What passes know of a cue."""

    status: CueStatus = CueStatus.ACTIVE
    next_at: int | None = None  # nominal; its marker is in the agenda
    look_at: int | None = None  # where its marker stands, if not there
    last_at: int | None = None  # the newest nominal time decided on; it never runs again
    last_run: int | None = None
    last_status: str | None = None
    last_end: Record | None = None  # `{id, at, verdict, why}` of the newest end
    recent: str = ""  # the newest ends, the oldest first: `RecentEnd` reads it
    failing_since: int | None = None  # when the first of `failures` was due
    run_count: int = 0
    running: tuple[str, ...] = ()  # executions that are neither settled nor queued
    queued: tuple[str, ...] = ()  # executions that wait for `running` to end, oldest first
    failures: int = 0
    overlaps: int = 0  # occurrences skipped in a row because of an overlap
    alerts: tuple[tuple[str, str], ...] = ()  # type and id of each open alert
    told: Record | None = None  # what people know, by type: `alerts/rules/incident.py`
    coming: tuple[int, ...] = ()  # later fires, for those who look; never recorded
    plan: DayPlan | None = None  # what calendars make of `next_at` and `coming`; never recorded
    paused_until: int | None = None  # when a pass resumes it; None: a person does
    taken: tuple[int, ...] = ()  # nominal times that have had their ids: `passes/rules.py`
    expected: Record | None = None  # until when it is to succeed: `Expected` reads it

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
    "next_at look_at last_at last_run last_status last_end recent failing_since run_count"
    " running queued failures overlaps paused_until taken told expected"
).split()


def state_from_record(record: Record) -> CueState:
    """Return the state in a record. Raises KeyError, TypeError, ValueError: it is not one."""
    known = {name: record[name] for name in _STATE_FIELDS if name in record}
    if "ahead" in record:
        # The first version named those that had run while the clock was in the future.
        ran = {*record["ahead"], *([record["last_at"]] if "last_at" in record else [])}
        known.setdefault("taken", [at for one in sorted(ran) for at in (one, one)])
    lists = ("running", "queued", "taken")
    known |= {name: tuple(known[name]) for name in lists if name in known}
    alerts = tuple(record.get("alerts", {}).items())
    return CueState(status=CueStatus(record["status"]), alerts=alerts, **known)


def cue_view(cue: Cue, state: CueState, payload: Record | None = None) -> Record:
    """Return what `--json` prints of a cue (contracts.md, "JSON"); every key is there."""
    fires = state.status is CueStatus.ACTIVE
    return {
        "id": cue.id,
        "name": cue.name,
        "description": cue.description,
        "status": state.status.value,
        "trigger": cue.trigger,
        "target": cue.target,
        "policy": {n.rstrip("_"): plain(getattr(cue.policy, n)) for n in Policy.__slots__},
        "payload": cue.payload if payload is None else payload,
        "next_run": _instant(state.next_at) if fires else None,
        "paused_until": _instant(state.paused_until),
        "last_run": _instant(state.last_run),
        "last_status": state.last_status,
        "run_count": state.run_count,
        "origin": {name: getattr(cue.origin, name) for name in Origin.__slots__},
        "created_at": to_text(cue.created_at),
        "updated_at": to_text(cue.updated_at),
        **{name: (state.last_end or {}).get(name) for name in ("verdict", "why")},
    }


def _instant(ms: int | None) -> str | None:
    return None if ms is None else to_text(ms)


DEEPEST = 16
MOST_PER_ROOT_AND_HOUR = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """The execution that a command is called from."""

    execution_id: str
    cue_name: str
    root_id: str
    depth: int
    attempt: int


def parent_from(environment: Mapping[str, str]) -> Parent:
    """Return the parent that the environment names. Raises UsageError: it is no handler's."""
    execution_id = environment.get("CUE_EXECUTION_ID") or environment.get("CUEAPI_EXECUTION_ID")
    if not execution_id:
        hint = "it is called from inside a handler; to start a cue yourself: cuectl fire NAME"
        raise UsageError("not inside a handler: CUE_EXECUTION_ID is not set", hint=hint)
    return Parent(
        execution_id=execution_id,
        cue_name=environment.get("CUE_CUE_NAME", ""),
        root_id=environment.get("CUE_CHAIN_ROOT") or execution_id,
        depth=_number(environment.get("CUE_CHAIN_DEPTH", "")),
        attempt=_number(environment.get("CUE_ATTEMPT", "")) or 1,
    )


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def check_depth(depth: int) -> None:
    """Check the depth of a child. Raises Refused: so deep, a chain most likely feeds itself."""
    if depth > DEEPEST:
        hint = "look at it: cuectl chain show $CUE_CHAIN_ROOT"
        raise Refused(f"the chain is {DEEPEST} deep, which is the limit", hint=hint)


def count_child(times: list[int], now: int) -> list[int]:
    """Return the times of a root's children in the last hour. Raises Refused: too many."""
    # A clock that went back a little does not give the chain a new hour.
    recent = [at for at in times if abs(now - at) < 3_600_000]
    if len(recent) >= MOST_PER_ROOT_AND_HOUR:
        raise Refused(f"this chain has made {len(recent)} cues within an hour, which is the limit")
    return [*recent, now]
