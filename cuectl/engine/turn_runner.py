"""Turns outside of a pass: started, supervised, read and judged as those of a pass are.

    with Turns(now=runtime.now, log=pass_file, masker=masker) as turns:
        end = turns.run(turn)

Who runs many at once starts each with `start` and asks `wait` for what has ended.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cuectl.engine.attempt_end import Found, judge_attempt
from cuectl.engine.local_executor import LocalExecutor, NoLog, SpawnError
from cuectl.engine.supervise import Supervisor, ended_of
from cuectl.engine.turn import Turn, TurnFiles, process_of, session_of
from cuectl.engine.turn_end import with_answer
from cuectl.model.errors import CuectlError
from cuectl.model.execution import Execution
from cuectl.model.execution_status import ExecutionStatus
from cuectl.model.start import Cause, Ended
from cuectl.model.values import dataclass, field
from cuectl.model.verdict import ReportWait

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from cuectl.engine.local_executor import SpawnLog
    from cuectl.model.masking import Masker

Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnEnd:
    """What came of a turn.

    Attributes:
        status: succeeded, failed, timed_out, cancelled, or interrupted when nobody saw its end.
        reason: why it did not succeed; None when it did.
        text: the final text; of a turn that failed, what there is of it.
        error: what the program said of its failure.
        session: the conversation, to go on with.
    """

    id: str
    attempt: int
    status: ExecutionStatus
    reason: str | None = None
    text: str = ""
    error: str | None = None
    session: str | None = None
    cost_usd: float | None = None
    usage: Record = field(default_factory=dict)
    exit_code: int | None = None
    signal: int | None = None
    started_at: int | None = None
    ended_at: int
    duration_s: float | None = None
    files: TurnFiles

    @property
    def succeeded(self) -> bool:
        """Whether the turn worked."""
        return self.status is ExecutionStatus.SUCCEEDED


class Turns:
    """The turns of one process that is no pass; it takes over the signals of a pass meanwhile."""

    def __init__(
        self,
        *,
        now: Callable[[], int],
        log: SpawnLog | None = None,
        masker: Masker | None = None,
    ) -> None:
        self._now = now
        self._masker = masker
        umask = os.umask(0o077)
        os.umask(umask)
        self._executor = LocalExecutor(log or NoLog(), umask)
        self._supervisor = Supervisor(self._executor, now)
        self._turns: dict[tuple[str, int], Turn] = {}
        self._ends: list[TurnEnd] = []

    def __enter__(self) -> Turns:
        self._supervisor.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._supervisor.close()
        self._executor.close()

    @property
    def running(self) -> int:
        """How many turns have not ended."""
        return self._supervisor.count()

    @property
    def stopped_by(self) -> int | None:
        """The signal that this process was asked to end with, None for none."""
        return self._supervisor.stopped_by

    def run(self, turn: Turn) -> TurnEnd:
        """Run one turn to its end; a signal to this process ends it as cancelled."""
        self.start(turn)
        asked = False
        while True:
            for end in self.wait(3600.0):
                if (end.id, end.attempt) == (turn.id, turn.attempt):
                    return end
            if self.stopped_by is not None and not asked:
                self._supervisor.end_all(Cause.SHUTDOWN)
                asked = True

    def start(self, turn: Turn) -> None:
        """Start a turn; one that can't be started has an end as well."""
        try:
            process = self._executor.spawn(process_of(turn))
        except (CuectlError, SpawnError, OSError) as error:
            why = error.message if isinstance(error, CuectlError) else str(error)
            ended = Ended(
                execution_id=turn.id,
                attempt=turn.attempt,
                phase=turn.phase,
                spawn_error=why,
                ended_at=self._now(),
            )
            self._ends.append(end_of(turn, ended, self._masker))
            return
        finally:
            self._executor.come_back()
        self._turns[turn.id, turn.attempt] = turn
        self._supervisor.add(_stand_in(turn, self._now()), process)

    def end(self, turn_id: str, cause: Cause = Cause.CANCEL) -> bool:
        """Ask the tree of a turn to end; tell whether it runs here."""
        return self._supervisor.end(turn_id, cause)

    def wait(self, limit_s: float) -> list[TurnEnd]:
        """Return the turns that have ended, after waiting for some of them, or for a signal."""
        if not self._ends:
            self._supervisor.wait(limit_s)
            for one in self._supervisor.collect():
                ended = ended_of(one, self._now())
                turn = self._turns.pop((ended.execution_id, ended.attempt))
                self._ends.append(end_of(turn, ended, self._masker))
        found, self._ends = self._ends, []
        return found


def end_of(turn: Turn, ended: Ended, masker: Masker | None) -> TurnEnd:
    """Return what came of a turn, from how its process ended and what it has printed.

    Also for one that was found again after its supervisor had died: `ended` is then `lost`,
    or has the wait status of the spawn log.
    """
    found = Found()
    if ended.spawn_error is None:
        found = with_answer(found, turn.files, ended, turn.agent, masker)
    verdict = judge_attempt(
        _stand_in(turn, ended.ended_at),
        ended,
        found,
        started_real_ms=0,
        report=ReportWait.NONE,
        limit_s=turn.timeout_s,
        idle_s=turn.idle_timeout_s,
    )
    facts = found.outcome.metadata or {}
    return TurnEnd(
        id=turn.id,
        attempt=turn.attempt,
        status=verdict.status,
        reason=verdict.reason or None,
        text=found.text or "",
        error=None if verdict.status is ExecutionStatus.SUCCEEDED else verdict.error,
        session=facts.get("session") or session_of(turn),  # type: ignore[arg-type]  # a text
        cost_usd=facts.get("cost_usd"),  # type: ignore[arg-type]  # a number
        usage=facts.get("usage") or {},  # type: ignore[arg-type]  # an object
        exit_code=ended.exit_code,
        signal=ended.signal,
        started_at=ended.started_at,
        ended_at=ended.ended_at,
        duration_s=ended.duration_s,
        files=turn.files,
    )


def _stand_in(turn: Turn, now: int) -> Execution:
    """Return an execution that is nothing but this turn, for the rules that speak of one."""
    return Execution(
        id=turn.id,
        attempt=turn.attempt,
        cue_id="",
        cue_name=turn.agent.name,
        status=ExecutionStatus.RUNNING,
        scheduled_for=now,
        root_id=turn.id,
    )
