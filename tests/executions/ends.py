"""Ends of processes, for tests of what is made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.executions.rules.record import Cause, Ended
from cuectl.executions.rules.verdict import Verdict, verdict_of
from cuectl.values.records import dataclass, field

if TYPE_CHECKING:
    from cuectl.executions.rules.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The end of a process, and what else the verdict on it is told: its limits, a request."""

    ended: Ended
    told: tuple[tuple[str, Any], ...] = field(default=())


def exited(code: int) -> End:
    return _end(exit_code=code)


def signalled(signal: int) -> End:
    return _end(signal=signal)


def timed_out(limit_s: float) -> End:
    return _end(("limit_s", limit_s), cause=Cause.TIMEOUT, signal=9)


def cancelled(reason: str) -> End:
    return _end(("cancel", reason), cause=Cause.CANCEL, signal=15)


def lost() -> End:
    return _end(lost=True)


def not_started(why: str) -> End:
    return _end(spawn_error=why)


def _end(*told: tuple[str, Any], **changes: Any) -> End:
    return End(ended=Ended(execution_id="exec_a", attempt=1, ended_at=0, **changes), told=told)


def verdict_on(end: End, outcome: Outcome, **more: Any) -> Verdict:
    """Return the verdict on an end."""
    return verdict_of(end.ended, outcome, **dict(end.told), **more)
