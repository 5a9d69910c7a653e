"""What is open now, how the executions of the last day ended, and whether anything runs passes."""

from __future__ import annotations

import os

from cuectl.executions.rules.record import (
    ExecutionStatus,
    Phase,
    execution_from_record,
    process_key,
)
from cuectl.executions.rules.verdict import counts_as_failure
from cuectl.executions.rules.verification import OutcomeState
from cuectl.process.runtime import since_boot_ns
from cuectl.store import pass_files, paths
from cuectl.store.views import BadView
from cuectl.values.ids import LEAST_SUFFIX, quoted
from cuectl.values.records import Record, dataclass, field
from cuectl.values.times import from_text, to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cuectl.store.history import History
    from cuectl.store.pass_files import Spawned
    from cuectl.store.reading import ViewReader

_BAD = (
    *(b'"status":"failed"', b'"status":"timed_out"', b'"status":"interrupted"'),
    *(b'"status":"missed"', b'"outcome_state":"verification_failed"', b'"outcome_state":"unknown"'),
)
_QUERIES = (
    (_BAD, (b'"type":"execution.settled"',)),
    # What was bad at first may be good now, and the other way round.
    ((b'"type":"execution.revised"',),),
)
LATE_MS = 300_000
_BLOCKS_LOOKED_AT = 5  # some four megabytes of the journal


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningWork:
    """An execution whose process was started and has not been seen to end."""

    id: str
    cue_name: str
    started_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A run that waits for a person: for a verdict, or for the answer to what it `asks`."""

    id: str
    cue_name: str
    since: int
    asks: str
    answer: str  # the command


@dataclass(slots=True, kw_only=True)
class OpenWork:
    """What has not ended; `reporting`: their process has ended, their report may still come."""

    running: list[RunningWork]
    claimed: int = 0
    queued: int = 0
    pending: int = 0
    retrying: int = 0
    reporting: int = 0
    parked: int = 0
    unverified: int = 0
    unreadable: int = 0
    asking: list[Asking] = field(default_factory=list)

    def to_record(self) -> Record:
        """Return the JSON form, without what is damaged."""
        running = [
            {"id": one.id, "cue_name": one.cue_name, "started_at": to_text(one.started_at)}
            for one in self.running
        ]
        counts = {**self.counts(), "verification_pending": self.unverified}
        asking = [
            {"id": one.id, "cue_name": one.cue_name, "asks": one.asks, "answer": one.answer}
            for one in self.asking
        ]
        return {"running": running, **counts, "waiting_for_you": asking}

    def counts(self) -> dict[str, int]:
        """Return how many are in each state between due and over, by its name."""
        names = ("claimed", "queued", "pending", "retrying", "reporting", "parked")
        return {name: getattr(self, name) for name in names}


def open_work(source: ViewReader, home: str, now: int) -> OpenWork:
    """Return what has not ended."""
    work = OpenWork(running=[])
    logs: dict[str, dict[str, Spawned]] = {}
    boot_ns = since_boot_ns()
    for record in _records(source, "open", work):
        spawned = _spawned(record, home, logs)
        if record["status"] == "queued":
            work.queued += 1
        elif spawned is None:
            work.claimed += 1
        elif spawned.status is None:
            began = now - (boot_ns - spawned.started_ns) // 1_000_000
            one = RunningWork(id=record["id"], cue_name=record["cue_name"], started_at=began)
            work.running.append(one)
    for record in _records(source, "waiting", work):
        if record.get("executor") and record["status"] == "running":
            began = from_text(record.get("started_at") or record["scheduled_for"])
            one = RunningWork(id=record["id"], cue_name=record["cue_name"], started_at=began)
            work.running.append(one)
            continue
        _count_waiting(record, work)
        if asked := _asked(source, record):
            work.asking.append(asked)
    return work


def _asked(source: ViewReader, record: Record) -> Asking | None:
    """Return what a person is asked by an execution that waits."""
    name = record.get("cue_name") or record["cue_id"]
    if record.get("outcome_state") == "verification_pending":
        since, asks = record.get("ended_at"), ""
        answer = f"cuectl verify {_called(source, record)}"
    elif question := question_of(source, record):
        since, (asks, answer) = record["scheduled_for"], question
    else:
        return None
    at = from_text(since or record["scheduled_for"])
    return Asking(id=record["id"], cue_name=name, since=at, asks=asks, answer=answer)


def question_of(source: ViewReader, record: Record) -> tuple[str, str] | None:
    """Return what the workflow of a parked execution asks, and the command that answers."""
    from cuectl.workflows.runs import PARKED, run_of

    if record.get("reason") != PARKED:
        return None
    run = run_of(source, execution_from_record(record))
    for wait in run.waits if run else ():
        if run and wait["kind"] == "answer" and str(wait["step"]) not in run.answers:
            options = "|".join(wait.get("options") or ["ANSWER"])
            called = _called(source, record)
            return wait.get("question") or "", f"cuectl workflow answer {called} {options}"
    return None


def _called(source: ViewReader, record: Record) -> str:
    """Return the name of a cue where that means this run of it, else the last letters of its id."""
    state = source.read(paths.state(record["cue_id"])) or {}
    newest = state.get("running") or [(state.get("last_end") or {}).get("id")]
    return quoted(record["cue_name"]) if newest == [record["id"]] else record["id"][-LEAST_SUFFIX:]


def _records(source: ViewReader, folder: str, work: OpenWork) -> Iterator[Record]:
    for name in sorted(source.names(folder)):
        try:
            record = source.read(f"{folder}/{name}")
        except BadView:
            work.unreadable += 1
            continue
        if record is not None:
            yield record


def _spawned(record: Record, home: str, logs: dict[str, dict[str, Spawned]]) -> Spawned | None:
    pass_id = record.get("pass_id") or ""
    if pass_id not in logs:
        logs[pass_id] = pass_files.read_spawn_log(home, pass_id) or {} if pass_id else {}
    phase = Phase(record.get("phase") or Phase.MAIN)
    return logs[pass_id].get(process_key(record["id"], record.get("attempt", 1), phase))


def _count_waiting(record: Record, work: OpenWork) -> None:
    if record.get("outcome_state") == "verification_pending":
        work.unverified += 1
    elif record["status"] == "pending":
        work.pending += 1
    elif record["status"] == "queued":
        work.queued += 1
    elif record.get("reason") == "report":
        work.reporting += 1
    elif record.get("reason") == "parked":
        work.parked += 1
    else:
        work.retrying += 1


@dataclass(slots=True, kw_only=True)
class RecentResults:
    """Bad ends since an instant, by cue; an execution changed later counts as it is now."""

    since: int
    failed: dict[str, int] = field(default_factory=dict)
    missed: dict[str, int] = field(default_factory=dict)
    cue_ids: set[str] = field(default_factory=set)


def recent_results(history: History, since: int) -> RecentResults:
    """Return which executions ended badly since an instant, or since as far back as is quick."""
    results = RecentResults(since=since)
    known: set[str] = set()
    blocks = iter(range(1, _BLOCKS_LOOKED_AT))
    history.may_go_on = lambda: next(blocks, None) is not None
    for line in history.newest_first(_QUERIES, since=since):
        record = line.get("record")
        if not isinstance(record, dict) or record.get("id") in known:
            continue
        known.add(record["id"])
        # A verification or a late report does not make an old execution a new one.
        if from_text(record.get("ended_at") or line["at"]) >= since:
            _count(record, results)
    if history.stopped_at is not None:
        results.since = max(since, from_text(history.stopped_at))
    return results


def _count(record: Record, results: RecentResults) -> None:
    status = ExecutionStatus(record["status"])
    state = OutcomeState(record.get("outcome_state") or OutcomeState.UNKNOWN)
    name = record.get("cue_name") or record["cue_id"]
    results.cue_ids.add(record["cue_id"])
    if status is ExecutionStatus.MISSED:
        count = (record.get("range") or {}).get("count", 1)
        results.missed[name] = results.missed.get(name, 0) + count
    elif counts_as_failure(status, state):
        results.failed[name] = results.failed.get(name, 0) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerHealth:
    """When the last pass started or ended, None for never; and how many are at work."""

    last_pass_at: int | None
    running: int = 0

    def age_ms(self, now: int) -> int | None:
        """Return how long ago the last pass was; a clock that was set back makes it 0."""
        return None if self.last_pass_at is None else max(0, now - self.last_pass_at)

    def is_late(self, now: int, limit_ms: int = LATE_MS) -> bool:
        """Tell whether no pass was seen for longer than `limit_ms`."""
        age = self.age_ms(now)
        return age is None or age > limit_ms


def scheduler_health(home: str) -> SchedulerHealth:
    """Return when passes were seen in a state directory."""
    # The run of a workflow has a file among those of passes, with no slots, and is none; `fire
    # --wait` and the like, whose time ends in a letter, say nothing of what calls `run-due`.
    ids = [one for one in pass_files.pass_ids(home) if not one.endswith("-0")]
    alive = [one for one in ids if pass_files.is_alive(home, one)]
    # The id of a pass starts with its time: `<ms>-<pid>-<slots>`.
    began = [one.partition("-")[0] for one in alive]
    times = [int(text) for text in began if text.isdigit()]
    try:
        found = os.stat(f"{home}/last-pass", follow_symlinks=False)
        times.append(found.st_mtime_ns // 1_000_000)
    except FileNotFoundError:
        pass
    return SchedulerHealth(last_pass_at=max(times, default=None), running=len(alive))


def install_command(home: str, environment: Mapping[str, str]) -> str:
    """Return the command that has `run-due` called for a home, from the shell of its user."""
    usual = environment.get("CUECTL_HOME") or os.path.join(os.path.expanduser("~"), ".cue")
    if home == os.path.abspath(usual):
        return "cuectl scheduler install"
    from shlex import quote

    return f"cuectl --home {quote(home)} scheduler install"
