"""Ends not settled yet: collected, checked, settled as one group."""

from __future__ import annotations

from functools import partial

from cuectl.executions.attempt_result import AttemptEvidence, find, judge_attempt, with_reported
from cuectl.executions.effects import guarded, why_of
from cuectl.executions.rules.record import Cause, Ended, Phase
from cuectl.executions.rules.verdict import ReportWait
from cuectl.executions.settle import end_badly, read_open, settle
from cuectl.executions.targets import agent_of, limit_s
from cuectl.process.runtime import monotonic_s
from cuectl.store import paths
from cuectl.values.records import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.definitions.rules.definitions import AgentDefinition
    from cuectl.executions.effects import Effects, PassContext
    from cuectl.executions.rules.record import Execution
    from cuectl.store.store import Transaction

GROUP_DELAY_S = 0.02
GROUP_MOST = 256
AGAIN_AFTER_S = 1.0


class CompletionBatch:
    """The ends of one pass."""

    def __init__(self, context: PassContext) -> None:
        self._context = context
        self._ends: list[tuple[Execution, Ended]] = []
        self._first_s = 0.0

    @property
    def waiting(self) -> int:
        """How many ends are not settled."""
        return len(self._ends)

    def look(self, execution: Execution, ended: Ended) -> AttemptEvidence:
        """Read what an attempt left behind."""
        found = find(self._context, execution)
        agent = agent_of(execution.target, self._context.in_force)
        if agent is not None and (ended.spawn_error is None or ended.phase is not Phase.MAIN):
            found = self._with_answer(found, execution, ended, agent)
        return found

    def _with_answer(
        self, found: AttemptEvidence, execution: Execution, ended: Ended, agent: AgentDefinition
    ) -> AttemptEvidence:
        from cuectl.agents.turn import files_of, with_answer

        context, main = self._context, ended
        if ended.phase is not Phase.MAIN:
            main = replace(ended, exit_code=execution.exit_code, cause=None, lost=False)
        where = files_of(context.home, execution.id, execution.attempt)
        found = with_answer(found, where, main, agent)
        if ended.phase is Phase.MAIN:
            return found
        from cuectl.agents.start import with_followup

        return with_followup(found, execution, ended, agent, context.home)

    def cause_to_end(self, execution: Execution, now: int) -> Cause | None:
        """Return why an orphan must end before its time limit; None for most."""
        agent = agent_of(execution.target, self._context.in_force)
        if agent is None:
            return None
        from cuectl.agents.turn import cause_to_end, files_of

        phase = Phase(execution.phase or Phase.MAIN)
        where = files_of(self._context.home, execution.id, execution.attempt, phase)
        real_s = (now - self._context.clock_offset_ms) / 1000
        return cause_to_end(where, agent, real_s) if phase is not Phase.CHECK else None

    def add(self, execution: Execution, ended: Ended) -> None:
        """Add an end; the group's delay starts with its first."""
        if not self._ends:
            self._first_s = monotonic_s()
        self._ends.append((execution, ended))

    def until_group_s(self) -> float:
        """Return the seconds until the group should be committed."""
        return max(0.0, self._first_s + GROUP_DELAY_S - monotonic_s())

    def group_is_due(self, *, nothing_runs: bool) -> bool:
        """Tell whether to commit now: nothing else runs, many wait, or the delay has passed."""
        if not self._ends:
            return False
        return nothing_runs or len(self._ends) >= GROUP_MOST or self.until_group_s() <= 0

    def group(self) -> list[tuple[Execution, Ended, AttemptEvidence | str]]:
        """Return the ends to settle in one commit; reading evidence in a row halves the time."""
        return [(*one, self._look_guarded(*one)) for one in self._ends[:GROUP_MOST]]

    def _look_guarded(self, execution: Execution, ended: Ended) -> AttemptEvidence | str:
        """Return what an attempt left behind, or why that can't be said."""
        try:
            return self.look(execution, ended)
        except Exception as error:  # noqa: BLE001 - it is about this one attempt
            return why_of(error)

    def settle_guarded(
        self,
        tx: Transaction,
        effects: Effects,
        execution: Execution,
        ended: Ended,
        found: AttemptEvidence | str | None = None,
    ) -> None:
        """Stage what follows from one end; one that can't be settled ends as failed."""
        evidence = found or self._look_guarded(execution, ended)
        why: str | None
        if isinstance(evidence, str):
            why = evidence
        else:
            settle = partial(self.settle_one, tx, effects, execution, ended, evidence)
            why = guarded(tx, effects, settle)
        current = read_open(tx, execution.id) if why else None
        if why and current is not None and current.pass_id == execution.pass_id:
            end_badly(tx, effects, current, {paths.open_execution(current.id): None}, why)

    def done(self, count: int) -> None:
        """Forget what was committed."""
        self._ends = self._ends[count:]
        self._first_s = monotonic_s()

    def postpone(self) -> None:
        """Try again later: a full or failing disk seldom recovers in 20 ms."""
        self._first_s = monotonic_s() + AGAIN_AFTER_S

    def settle_one(
        self,
        tx: Transaction,
        effects: Effects,
        execution: Execution,
        ended: Ended,
        evidence: AttemptEvidence,
    ) -> None:
        """Stage what follows from one end, if the execution is still this pass's to settle."""
        current = read_open(tx, execution.id)
        if current is None or current.pass_id != execution.pass_id:
            return
        if current.attempt != ended.attempt:
            return
        if ended.phase is Phase.CHECK and ended.cause is Cause.SHUTDOWN:
            # A checker only looks: the next pass runs it again.
            return
        evidence = with_reported(evidence, current, self._context)
        agent = agent_of(current.target, self._context.in_force)
        deadline_s = current.policy.outcome_deadline_s
        verdict = judge_attempt(
            current,
            ended,
            evidence,
            started_real_ms=self._started_real_ms(current, ended),
            report=ReportWait.NONE if deadline_s is None else ReportWait.OPEN,
            limit_s=limit_s(current, self._context.in_force),
            idle_s=agent.idle_timeout_s if agent is not None else None,
        )
        settle(tx, current, ended, evidence, verdict, effects)

    def _started_real_ms(self, execution: Execution, ended: Ended) -> int:
        """Return the start of the attempt by the clock that stamps files."""
        later = ended.phase is not Phase.MAIN
        started = execution.started_at if later else ended.started_at
        return (started or 0) - self._context.clock_offset_ms
