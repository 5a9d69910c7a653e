"""Ends that are not settled yet: collected, looked at, settled as one group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.engine.agent_work import agent_of
from cuectl.engine.attempt_end import Found, find, judge_attempt, with_reported
from cuectl.engine.clock import monotonic_s
from cuectl.engine.handler_start import limit_s, working_directory
from cuectl.engine.settle import read_open, settle
from cuectl.model.start import Cause, Ended, Phase
from cuectl.model.values import dataclass, replace
from cuectl.model.verdict import ReportWait

if TYPE_CHECKING:
    from cuectl.engine.settling import Settling
    from cuectl.engine.surroundings import Context
    from cuectl.model.definitions import AgentDefinition
    from cuectl.model.execution import Execution
    from cuectl.store.store import Transaction

GROUP_DELAY_S = 0.02
GROUP_MOST = 256
AGAIN_AFTER_S = 1.0


@dataclass(frozen=True, slots=True)
class End:
    """The end of an attempt, with what was found in its files before the lock was taken."""

    execution: Execution
    ended: Ended
    found: Found


class Ends:
    """The ends of one pass."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._ends: list[tuple[Execution, Ended]] = []
        self._first_s = 0.0

    @property
    def waiting(self) -> int:
        """How many ends are not settled."""
        return len(self._ends)

    def look(self, execution: Execution, ended: Ended) -> End:
        """Read what an attempt left behind."""
        context = self._context
        cwd = working_directory(execution, context.in_force, context.home)
        found = find(context.home, execution, cwd, context.masker)
        agent = agent_of(execution.target, context.in_force)
        if agent is not None and (ended.spawn_error is None or ended.phase is not Phase.MAIN):
            found = self._with_answer(found, execution, ended, agent)
        return End(execution, ended, found)

    def _with_answer(
        self, found: Found, execution: Execution, ended: Ended, agent: AgentDefinition
    ) -> Found:
        from cuectl.engine.turn import files_of
        from cuectl.engine.turn_end import with_answer

        context, main = self._context, ended
        if ended.phase is not Phase.MAIN:
            main = replace(ended, exit_code=execution.exit_code, cause=None, lost=False)
        where = files_of(context.home, execution.id, execution.attempt)
        found = with_answer(found, where, main, agent, context.masker)
        if ended.phase is Phase.MAIN:
            return found
        from cuectl.engine.followup import with_followup

        return with_followup(found, execution, ended, agent, context.home, context.masker)

    def add(self, execution: Execution, ended: Ended) -> None:
        """Take an end in; the group's delay begins with its first."""
        if not self._ends:
            self._first_s = monotonic_s()
        self._ends.append((execution, ended))

    def until_group_s(self) -> float:
        """Return the seconds until the group should be committed."""
        return max(0.0, self._first_s + GROUP_DELAY_S - monotonic_s())

    def group_is_due(self, *, nothing_runs: bool) -> bool:
        """Tell whether to commit now: nothing else runs, many wait, or the delay is over."""
        if not self._ends:
            return False
        return nothing_runs or len(self._ends) >= GROUP_MOST or self.until_group_s() <= 0

    def group(self) -> list[End]:
        """Return the ends to settle in one commit, and what their attempts left behind.

        Looked at together and not one by one: what is started next waits less, and doing the
        same thing many times in a row takes half of the time.
        """
        return [self.look(execution, ended) for execution, ended in self._ends[:GROUP_MOST]]

    def done(self, group: list[End]) -> None:
        """Forget what was committed."""
        self._ends = self._ends[len(group) :]
        self._first_s = monotonic_s()

    def postpone(self) -> None:
        """Try again later: what keeps a commit from the disk is seldom over in 20 ms."""
        self._first_s = monotonic_s() + AGAIN_AFTER_S

    def settle_one(self, tx: Transaction, to: Settling, end: End) -> None:
        """Stage what follows from one end, if the execution is still this pass's to settle."""
        current = read_open(tx, end.execution.id)
        if current is None or current.pass_id != end.execution.pass_id:
            return
        if current.attempt != end.ended.attempt:
            return
        if end.ended.phase is Phase.CHECK and end.ended.cause is Cause.SHUTDOWN:
            # A checker only looks: the next pass runs it again.
            return
        found = with_reported(end.found, current, self._context.masker)
        agent = agent_of(current.target, self._context.in_force)
        verdict = judge_attempt(
            current,
            end.ended,
            found,
            started_real_ms=self._started_real_ms(current, end.ended),
            report=_report_wait(current),
            limit_s=limit_s(current, self._context.in_force),
            idle_s=agent.idle_timeout_s if agent is not None else None,
        )
        if found.text is not None:
            to.texts[current.id] = found.text
        settle(tx, current, end.ended, found, verdict, to)

    def _started_real_ms(self, execution: Execution, ended: Ended) -> int:
        """Return the start of the attempt by the clock that stamps files."""
        later = ended.phase is not Phase.MAIN
        started = execution.started_at if later else ended.started_at
        return (started or 0) - self._context.clock_offset_ms


def _report_wait(execution: Execution) -> ReportWait:
    return ReportWait.NONE if execution.policy.outcome_deadline_s is None else ReportWait.OPEN
