"""How the executions of the last day ended, from the journal."""

from __future__ import annotations

from cuectl.model.execution_status import ExecutionStatus
from cuectl.model.instants import from_text
from cuectl.model.values import dataclass, field
from cuectl.model.verdict import counts_as_failure
from cuectl.model.verification import OutcomeState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cuectl.store.history import History

    Record = dict[str, Any]

_BAD = (
    b'"status":"failed"',
    b'"status":"timed_out"',
    b'"status":"interrupted"',
    b'"status":"missed"',
    b'"outcome_state":"verification_failed"',
    b'"outcome_state":"unknown"',
)
_QUERIES = (
    (_BAD, (b'"type":"execution.settled"',)),
    # What was bad at first may be good now, and the other way round.
    ((b'"type":"execution.revised"',),),
)


@dataclass(slots=True, kw_only=True)
class RecentResults:
    """Bad ends since an instant; an execution that was changed later counts as it is now.

    Attributes:
        since: the instant.
        failed: ran and did not work, or is not believed, by cue.
        missed: occurrences that never started and should have, by cue.
    """

    since: int
    failed: dict[str, int] = field(default_factory=dict)
    missed: dict[str, int] = field(default_factory=dict)


def recent_results(history: History, since: int) -> RecentResults:
    """Return which executions ended badly since an instant; only these are parsed."""
    results = RecentResults(since=since)
    known: set[str] = set()
    for line in history.newest_first(_QUERIES, since=since):
        record = line.get("record")
        if not isinstance(record, dict) or record.get("id") in known:
            continue
        known.add(record["id"])
        if _ended_at(line, record) >= since:
            _count(record, results)
    return results


def _ended_at(line: Record, record: Record) -> int:
    # A verification or a late report does not make an old execution a new one.
    return from_text(record.get("ended_at") or line["at"])


def _count(record: Record, results: RecentResults) -> None:
    status = ExecutionStatus(record["status"])
    state = OutcomeState(record.get("outcome_state") or OutcomeState.UNKNOWN)
    name = record.get("cue_name") or record["cue_id"]
    if status is ExecutionStatus.MISSED:
        count = (record.get("range") or {}).get("count", 1)
        results.missed[name] = results.missed.get(name, 0) + count
    elif counts_as_failure(status, state):
        results.failed[name] = results.failed.get(name, 0) + 1
