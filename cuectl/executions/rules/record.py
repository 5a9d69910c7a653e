"""An execution, one firing of a cue: its states, its policy, its record, its processes.

`Start` and `Ended` are plain data, for another engine than this machine too (design.md section 7).
"""

from __future__ import annotations

from enum import StrEnum
from operator import attrgetter

from cuectl.values.records import dataclass, field, fields
from cuectl.values.times import NO_LIMIT, from_text, to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from cuectl.values.records import Record


class ExecutionStatus(StrEnum):
    """Where an execution stands; whether its outcome is believed is another question."""

    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    MISSED = "missed"


FINAL = frozenset(ExecutionStatus) - {
    *(ExecutionStatus.PENDING, ExecutionStatus.QUEUED),
    *(ExecutionStatus.RUNNING, ExecutionStatus.WAITING),
}
NEVER_STARTED = frozenset({ExecutionStatus.SKIPPED, ExecutionStatus.MISSED})

_HTTP = {
    ExecutionStatus.PENDING: "pending",
    ExecutionStatus.QUEUED: "pending",
    ExecutionStatus.RUNNING: "delivering",
    ExecutionStatus.WAITING: "retrying",
    ExecutionStatus.SUCCEEDED: "success",
    **dict.fromkeys(NEVER_STARTED, "missed"),
}


def http_word(status: ExecutionStatus) -> str:
    """Return the status as the `/v1` interface says it."""
    return _HTTP.get(status, "failed")


DEFAULT_TIMEOUT_S = 3600.0
DEFAULT_BACKOFF_S = (60.0, 300.0, 900.0)


class CatchUp(StrEnum):
    """What happens to occurrences that fell due while no pass ran."""

    LATEST = "latest"
    NONE = "none"
    ALL = "all"


class Overlap(StrEnum):
    """What happens to an occurrence while an earlier one of its cue has not ended."""

    SKIP = "skip"
    QUEUE = "queue"
    CANCEL = "cancel"
    ALLOW = "allow"


class OnInterrupted(StrEnum):
    """What happens to an execution that lost its process and left no outcome."""

    REPORT = "report"
    RERUN = "rerun"


# The words of CueAPI for the same thing are accepted wherever ours are.
CATCH_UP_WORDS = {
    "latest": CatchUp.LATEST,
    "none": CatchUp.NONE,
    "all": CatchUp.ALL,
    "run_once_if_missed": CatchUp.LATEST,
    "skip_missed": CatchUp.NONE,
    "replay_all": CatchUp.ALL,
    "replay_all_missed": CatchUp.ALL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The policy of a cue. Spans are in seconds; None means the setting's default."""

    verification: str = "none"  # a `VerificationMode`
    check: tuple[str, ...] = ()  # the checker's argv, for the mode `command`
    allow_empty: bool = False  # an artifact may be an empty file
    timeout_s: float | None = None
    max_attempts: int = 1
    backoff_s: tuple[float, ...] = DEFAULT_BACKOFF_S  # the last one repeats
    retry_on: tuple[str, ...] = ("failed", "timed_out")  # kinds of failure
    retry_on_exit: tuple[int, ...] = ()  # with any, of exit statuses only these
    never_retry_on_exit: tuple[int, ...] = ()
    retry_jitter: float = 0.0  # by which part of itself a wait is longer or shorter
    retry_cap_s: float | None = None  # the longest wait
    retry_for_s: float | None = None  # since the first attempt; alone, it is the only limit
    except_: tuple[str, ...] = ()  # `except` in records: when nothing starts
    only: tuple[str, ...] = ()  # when it may
    move: str | None = None  # what falls on no workday: `next-workday`, `previous-workday`
    expect_within_s: float | None = None  # a run that takes longer is slow
    expect_times: float | None = None  # so, of what the newest successful ones took
    expect_by: str | None = None  # `07:00`, local: without a success by then the work is late
    output_keep_s: float | None = None
    output_limit: int | None = None  # bytes
    output_on_success: str | None = None  # `keep`, `none`
    catch_up: CatchUp = CatchUp.LATEST
    overlap: Overlap = Overlap.SKIP
    deadline_s: float | None = None  # an occurrence that starts later is missed
    jitter_s: float = 0.0
    on_interrupted: OnInterrupted = OnInterrupted.REPORT
    outcome_deadline_s: float | None = None  # for a report after the process has ended
    alert: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()  # by which alert sinks choose
    ping_url: str | None = None
    alert_after: int | None = None  # failures in a row that open an incident
    remind_s: float | None = None  # how often an incident that lasts is reported again
    on_failure: Record | None = None  # `email`, `webhook`, `pause`, as `check_on_failure` has it

    @property
    def expects(self) -> bool:
        """Whether a run is looked at while it runs, to see whether it is in time."""
        return (self.expect_within_s, self.expect_times, self.expect_by) != (None, None, None)

    def to_record(self) -> Record:
        """Return the JSON form; what has its default is left out."""
        record: Record = {}
        for name, default in _DEFAULTS.items():
            value = getattr(self, name)
            if value != default:
                record[name.rstrip("_")] = plain(value)
        return record


def plain(value: Any) -> Any:
    """Return a member of a policy as JSON has it."""
    if value == NO_LIMIT:
        return "none"
    return list(value) if isinstance(value, tuple) else value


_DEFAULTS: Record = {item.name: getattr(Policy(), item.name) for item in fields(Policy)}
_WORDS = {"catch_up": CatchUp, "overlap": Overlap, "on_interrupted": OnInterrupted}
PLAIN = Policy()


def policy_from_record(record: Record) -> Policy:
    """Return the policy in a JSON form; unknown members are not looked at."""
    if not record:
        return PLAIN
    known = {name: record[name] for name in _DEFAULTS if name in record}
    if "except" in record:
        known["except_"] = record["except"]
    for name, value in known.items():
        if type(value) is list:
            known[name] = tuple(value)
    for name in ("timeout_s", "remind_s"):
        if known.get(name) == "none":
            known[name] = NO_LIMIT
    for name, words in _WORDS.items():
        if name in known:
            known[name] = words(known[name])
    return Policy(**known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """The record of an execution; every change of it is journaled as a whole."""

    id: str
    cue_id: str
    cue_name: str
    status: ExecutionStatus
    reason: str | None = None  # of its state, one word and a value: `overlap`, `spawn: ENOENT`
    outcome_state: str | None = None  # an `OutcomeState`
    attempt: int = 1
    attempts: tuple[Record, ...] = ()  # the earlier ones
    scheduled_for: int
    created_at: int | None = None  # None in records of the first version
    started_at: int | None = None
    ended_at: int | None = None
    duration_s: float | None = None
    exit_code: int | None = None
    signal: int | None = None
    triggered_by: str = "schedule"  # `schedule`, `chain`, `fire`, `retry`, `event`, ...
    parent_id: str | None = None
    root_id: str  # its own id for a root
    depth: int = 0
    event: Record | None = None  # `{id, type, at, root, depth}` of the event that started it
    target: Record = field(default_factory=dict)
    policy: Policy = PLAIN
    payload: Record = field(default_factory=dict)
    payload_ref: str | None = None
    success: bool | None = None
    result: str | None = None
    error: str | None = None
    last_line: str | None = None  # of its output, or its checker's, where those two lack it
    external_id: str | None = None
    result_url: str | None = None
    result_ref: str | None = None
    result_type: str | None = None
    summary: str | None = None
    artifacts: list[Any] | None = None
    metadata: Record | None = None
    retry_in_s: float | None = None  # the wait that the handler asked for
    outcome_problem: str | None = None
    outcome_dropped: tuple[str, ...] = ()
    later_reports: tuple[Record, ...] = ()  # `{attempt, via, said}`: the first one counts
    artifact_files: tuple[Record, ...] = ()  # `{path, size, sha256}` when the attempt was settled
    reported: Record | None = None  # what `report` has committed, of this attempt
    followup: str | None = None  # second turn of an agent: `succeeded`, or `failed` and why
    verified_by: str | None = None
    verify_reason: str | None = None
    earlier_verdicts: tuple[Record, ...] = ()  # `{outcome_state, by, reason}`, the oldest first
    due_at: int | None = None  # not started before this
    report_until: int | None = None
    phase: str | None = None  # `check`, `followup`; None for the attempt's main process
    pass_id: str | None = None  # who claimed it
    boot: str | None = None  # in which boot it was claimed
    worker: str | None = None
    executor: str | None = None  # where its attempt runs, `farm/gpu`; None for here
    published_at: int | None = None  # since then it may be there
    start_by: int | None = None  # not started there after this
    adopted: bool = False
    range: Record | None = None  # `{from, to, count}` of a record for many occurrences
    held: tuple[str, ...] = ()  # cues that wait for its verdict
    cancel: str | None = None  # who asked for its end, while it runs
    rev: int = 0  # counts the changes after it has settled
    extra: Record = field(default_factory=dict)  # members that this version does not know

    @property
    def is_settled(self) -> bool:
        """Whether its state is its last one."""
        return self.status in FINAL

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


_INSTANT_FIELDS = (
    *("scheduled_for", "created_at", "started_at", "ended_at", "due_at", "report_until"),
    *("published_at", "start_by"),
)
_TUPLES = (
    *("attempts", "outcome_dropped", "later_reports", "artifact_files", "earlier_verdicts"),
    "held",
)
_SPARSE_FIELDS = (*_TUPLES, "adopted", "range", "rev")
_SPECIAL = {"policy", "payload", "target", "extra", *_INSTANT_FIELDS, *_SPARSE_FIELDS}
_PLAIN_FIELDS = tuple(item.name for item in fields(Execution) if item.name not in _SPECIAL)
_plain_values = attrgetter(*_PLAIN_FIELDS)
# What stays of an attempt when another one follows, beside its times.
OF_ATTEMPT = (
    *("reason", "outcome_state", "exit_code", "signal", "duration_s", "success", "result", "error"),
    *("last_line", "external_id", "result_url", "result_ref", "result_type", "summary"),
    *("artifacts", "metadata", "outcome_problem", "outcome_dropped", "later_reports"),
    *("artifact_files", "retry_in_s"),
)
_KNOWN = frozenset(item.name for item in fields(Execution)) - {"extra"}


def execution_from_record(record: Record) -> Execution:
    """Return the execution in a record; unknown members are kept and written back.

    Raises KeyError, TypeError, ValueError: it is not one.
    """
    known = dict(record)
    extra = {name: known.pop(name) for name in record.keys() - _KNOWN}
    known["status"] = ExecutionStatus(known["status"])
    for name in _INSTANT_FIELDS:
        if name in known:
            known[name] = from_text(known[name])
    for name in _TUPLES:
        if name in known:
            known[name] = tuple(known[name])
    if "policy" in known:
        known["policy"] = policy_from_record(known["policy"])
    return Execution(**known, extra=extra)


class Phase(StrEnum):
    """Which process of an attempt this is (contracts.md, identity 2)."""

    MAIN = "main"
    CHECK = "check"
    FOLLOWUP = "followup"


class Cause(StrEnum):
    """Why cuectl ended a process that had not ended by itself."""

    TIMEOUT = "timeout"
    CANCEL = "cancel"
    SHUTDOWN = "shutdown"
    IDLE = "idle"
    ANSWERED = "answered"  # it had given its final result, and stayed


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A process to start; all paths are absolute."""

    execution_id: str
    attempt: int
    phase: Phase = Phase.MAIN
    argv: tuple[str, ...]  # the program is looked up on the PATH in `env`
    env: dict[str, str] = field(default_factory=dict)
    cwd: str
    output: str  # also its lease
    timeout_s: float
    idle_timeout_s: float | None = None  # in which nothing is printed
    result_grace_s: float = 0.0  # how long it may stay after its final result
    is_final: Callable[[bytes, bytes], bool] | None = None  # whether what it printed ends with one
    stdin: str | None = None  # nothing when None
    errors: str | None = None  # the output file when None
    output_limit: int | None = None  # bytes; the usual limit when None

    @property
    def is_watched(self) -> bool:
        """Whether anything follows from what it prints while it runs."""
        return self.idle_timeout_s is not None or self.is_final is not None

    @property
    def key(self) -> str:
        """The name of this process in the spawn log."""
        return process_key(self.execution_id, self.attempt, self.phase)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A process that ended, or could not be started."""

    execution_id: str
    attempt: int
    phase: Phase = Phase.MAIN
    exit_code: int | None = None  # None: a signal, never started, or its end was not seen
    signal: int | None = None
    cause: Cause | None = None  # why cuectl ended it; None when it ended by itself
    spawn_error: str | None = None
    started_at: int | None = None
    ended_at: int
    duration_s: float | None = None  # by the monotonic clock
    lost: bool = False  # its end was not seen: the pass died, or the machine
    survivors: tuple[int, ...] = ()  # pids of its tree that could not be ended

    @property
    def returncode(self) -> int:
        """The exit status as `subprocess` gives it; that of SIGKILL where it is not known."""
        return -(self.signal or 9) if self.exit_code is None else self.exit_code

    @property
    def has_exit_code(self) -> bool:
        """Whether it started, and ended by itself with an exit code."""
        was_ended = self.cause is not None or self.signal is not None
        return self.spawn_error is None and not self.lost and not was_ended


def process_key(execution_id: str, attempt: int, phase: Phase = Phase.MAIN) -> str:
    """Return the name of a process in the spawn log: `<execution>.<attempt>[.<phase>]`."""
    suffix = "" if phase is Phase.MAIN else f".{phase}"
    return f"{execution_id}.{attempt}{suffix}"
