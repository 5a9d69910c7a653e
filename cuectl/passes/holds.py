"""Why an execution has not started yet, or who runs it: what `fire --wait` says while it waits."""

from __future__ import annotations

from cuectl.cues.lookup import read_cue_by_name
from cuectl.executions import lookup
from cuectl.executions.rules.placement import is_away
from cuectl.executions.rules.record import ExecutionStatus
from cuectl.executions.targets import agent_name, is_for_agent, task_of
from cuectl.passes.plan_due import NO_HANDLER
from cuectl.store import pass_files
from cuectl.values.records import dataclass
from cuectl.values.times import from_text, span_in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.executions.rules.record import Execution
    from cuectl.store.reading import Reader
    from cuectl.values.records import Record

_NEEDS_A_PASS = (lookup.STARTS_AGAIN, lookup.LOST, lookup.ENDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """What an execution waits for, or that it `runs` elsewhere.

    `for_a_pass`: a pass for it alone would take it further.
    """

    words: str
    for_a_pass: bool = False
    runs: bool = False


def hold_of(reader: Reader, execution: Execution, now: int) -> Hold:
    """Return what an execution that has not finished waits for."""
    if is_away(execution):
        # The pass that is made for it stays until it has ended.
        live = lookup.live_record(reader, execution.to_record(), now)
        return Hold(
            words=f"is {live['reason']}" if execution.published_at else str(live["reason"]),
            for_a_pass=True,
        )
    if execution.pass_id is not None:
        return _of_claimed(reader, execution, now)
    if execution.status is ExecutionStatus.QUEUED:
        return _of_queued(reader, execution, now)
    if execution.report_until is not None:
        return Hold(words="has finished and waits for its report")
    ahead_ms = (execution.due_at or now) - now
    if ahead_ms > 0:
        what = f"attempt {execution.attempt} starts" if execution.attempt > 1 else "starts"
        return Hold(words=f"{what} in {span_in_words(ahead_ms / 1000)}")
    words = "waits for a free slot (max_parallel)"
    if execution.reason == NO_HANDLER:
        task = task_of(execution.target, execution.payload) or execution.target.get("agent")
        words = f"waits for a handler: none is defined for '{task}'"
    return Hold(words=words, for_a_pass=execution.due_at is not None)


def _of_claimed(reader: Reader, execution: Execution, now: int) -> Hold:
    live = lookup.live_record(reader, execution.to_record(), now)
    if _is_left(reader, live):
        return Hold(words="was left by a pass that died; recovering it", for_a_pass=True)
    if live.get("reason") == lookup.RUNS_ON:
        return Hold(words="is still running, though its pass has died", runs=True)
    return Hold(words="is run by another pass", runs=True)


def _of_queued(reader: Reader, execution: Execution, now: int) -> Hold:
    if is_for_agent(execution.target):
        words = f"waits for a free slot of agent '{agent_name(execution.target)}'"
        return Hold(words=words, for_a_pass=True)
    known = read_cue_by_name(reader, execution.cue_id)
    running = known[1].running if known else ()
    records = [lookup.record_of(reader, one) for one in running if one != execution.id]
    found = [lookup.live_record(reader, one, now) for one in records if one]
    if any(_is_left(reader, one) for one in found):
        words = "waits for an earlier run whose pass has died; recovering it"
        return Hold(words=words, for_a_pass=True)
    busy = next(filter(_is_at_work, found), None)
    if busy is None:
        return Hold(words="is next in the queue of its cue", for_a_pass=True)
    return Hold(words=f"waits for an earlier run ({_state(busy, now)})")


def _is_left(reader: Reader, record: Record) -> bool:
    """Tell whether a dead pass has left an execution that only another pass can take up."""
    waits = record.get("reason") in _NEEDS_A_PASS
    return waits and not pass_files.is_alive(reader.home, str(record.get("pass_id")))


def _is_at_work(record: Record) -> bool:
    return record.get("status") != ExecutionStatus.PENDING or bool(record.get("pass_id"))


def _state(record: Record, now: int) -> str:
    since = record.get("started_at")
    span = f" {span_in_words(max(0, now - from_text(since)) / 1000)}" if since else ""
    return f"…{record['id'][-6:]}, {record['status']}{span}"
