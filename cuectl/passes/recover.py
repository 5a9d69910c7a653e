"""Recovery of what dead passes left open (store-protocol.md, "Recover"), under the lock (A32)."""

from __future__ import annotations

from functools import partial

from cuectl.agents.slots import canonical, promote
from cuectl.cues.progress import promote_queued, read_cue
from cuectl.executions import claim
from cuectl.executions.effects import guarded
from cuectl.executions.executors.local import exit_of
from cuectl.executions.rules.record import (
    Cause,
    Ended,
    Execution,
    ExecutionStatus,
    Phase,
    execution_from_record,
    process_key,
)
from cuectl.executions.settle import end_badly, is_deleted, skip_deleted
from cuectl.executions.targets import is_for_agent
from cuectl.process import process_tree
from cuectl.store import output, pass_files, paths
from cuectl.values.records import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.executions.effects import Effects
    from cuectl.store.pass_files import Spawned
    from cuectl.store.store import Transaction

_SLACK_S = 40.0


@dataclass(slots=True, kw_only=True)
class Recovery:
    """What a pass found open: ends to settle, orphans alive and over their limit, stuck passes."""

    lost: list[tuple[Execution, Ended]] = field(default_factory=list)
    alive: list[Execution] = field(default_factory=list)
    overdue: list[tuple[Execution, int | None]] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)


def recover_open(
    tx: Transaction,
    effects: Effects,
    *,
    room: Callable[[], int],
    limit_s: Callable[[Execution], float],
    seen: Callable[[Execution], None],
    may_claim: Callable[[Execution], bool],
) -> Recovery:
    """Claim what never started in `open/`, sort out the lost, report running work to `seen`."""
    look = _Look(tx, effects, limit_s)
    left: list[Execution] = []
    queued: list[Execution] = []
    for name in sorted(tx.names("open")):
        execution = tx.decoded(f"open/{name}", execution_from_record)
        if execution is None:
            continue
        if execution.status is ExecutionStatus.QUEUED:
            queued.append(execution)
        elif look.is_supervised(execution):
            seen(execution)
            look.end_if_neglected(execution)
        else:
            left.append(execution)
    # All running work is counted before anything is claimed.
    again: list[Execution] = []
    for execution in left:
        _guard(
            tx, effects, execution, lambda one: again.extend([one] if look.sort_out(one) else [])
        )
    for orphan in look.found.alive:
        seen(orphan)
    for execution in again:
        if is_deleted(tx, execution) and execution.phase is None:
            skip_deleted(tx, execution, effects, {paths.open_execution(execution.id): None})
        elif room() > 0 and may_claim(execution):
            claim_it = partial(claim.take_on, tx, effects=effects, kind="reclaimed")
            _guard(tx, effects, execution, claim_it)
    _promote_all(tx, [one for one in queued if may_claim(one)], effects, room)
    return look.found


def _guard(
    tx: Transaction, effects: Effects, execution: Execution, act: Callable[[Execution], object]
) -> None:
    why = guarded(tx, effects, partial(act, execution))
    if why is not None:
        end_badly(tx, effects, execution, {paths.open_execution(execution.id): None}, why)


def _promote_all(
    tx: Transaction, queued: list[Execution], effects: Effects, room: Callable[[], int]
) -> None:
    agents: dict[str, None] = {}
    for execution in queued:
        if is_for_agent(execution.target):
            agents.setdefault(canonical(execution.target, effects.in_force))
        elif room() > 0:
            _guard(tx, effects, execution, lambda one: _promote(tx, one, effects))
    for agent in agents:
        promote(tx, agent, effects, room())


def _promote(tx: Transaction, execution: Execution, effects: Effects) -> None:
    known = read_cue(tx, execution.cue_id)
    if known is None:
        skip_deleted(tx, execution, effects, {paths.open_execution(execution.id): None})
        return
    cue, state = known
    after = promote_queued(tx, cue, state, effects)
    if after != state:
        tx.amend({paths.state(cue.id): after.to_record()})


class _Look:
    def __init__(
        self, tx: Transaction, effects: Effects, limit_s: Callable[[Execution], float]
    ) -> None:
        self.found = Recovery()
        self._effects = effects
        self._limit_s = limit_s
        self._home, self._boot = tx.store.home, tx.store.boot
        self._living: dict[str, bool] = {}
        self._logs: dict[str, dict[str, Spawned] | None] = {}

    def is_supervised(self, execution: Execution) -> bool:
        pass_id = execution.pass_id
        if pass_id is None or pass_id == self._effects.pass_id:
            return pass_id is not None
        if pass_id not in self._living:
            self._living[pass_id] = pass_files.is_alive(self._home, pass_id)
        return self._living[pass_id]

    def end_if_neglected(self, execution: Execution) -> None:
        """End what a live but stopped pass should have ended long ago (hole A30)."""
        patience_s = self._limit_s(execution) + _SLACK_S
        waited_ms = self._effects.now - execution.scheduled_for
        if waited_ms < patience_s * 1000 or execution.pass_id == self._effects.pass_id:
            return
        log = pass_files.read_spawn_log(self._home, execution.pass_id or "") or {}
        spawned = log.get(process_key(execution.id, execution.attempt))
        if spawned is None or spawned.pid is None or spawned.status is not None:
            return
        alive = process_tree.is_alive(spawned.pid, spawned.started_ns)
        if alive and _age_s(spawned) > patience_s:
            process_tree.kill(execution.id, execution.attempt, spawned.pid)
            self.found.stuck.append(
                f"alert: stuck: ended '{execution.cue_name}' ({execution.id}), which its pass "
                f"'{execution.pass_id}' left running over its time limit"
            )

    def sort_out(self, execution: Execution) -> bool:
        log = self._log(execution.pass_id)
        same_boot = self._boot != "-" and execution.boot == self._boot
        phase = Phase(execution.phase or Phase.MAIN)
        spawned = (log or {}).get(process_key(execution.id, execution.attempt, phase))
        if same_boot and log is not None and spawned is None:
            if execution.cancel:
                self._lose(execution, None, lost=False)
            return not execution.cancel
        has_ended = same_boot and spawned is not None and spawned.status is not None
        # Looking for processes costs time, so what is known to have ended is not looked for.
        look = phase is Phase.CHECK or not has_ended
        runs = same_boot and look and self._runs(execution, spawned)
        if phase is Phase.CHECK and not runs:
            # A dead checker is run again: it only reads.
            return True
        if has_ended:
            self._lose(execution, spawned, lost=False)
        elif runs:
            self._leave_or_end(execution, spawned)
        else:
            self._lose(execution, spawned if same_boot else None, lost=True)
        return False

    def _log(self, pass_id: str | None) -> dict[str, Spawned] | None:
        if not pass_id:
            return None
        if pass_id not in self._logs:
            self._logs[pass_id] = pass_files.read_spawn_log(self._home, pass_id)
        return self._logs[pass_id]

    def _runs(self, execution: Execution, spawned: Spawned | None) -> bool:
        """Tell whether a process of the attempt lives (A12); of a checker only by lease and pid."""
        checking = execution.phase is not None and execution.phase != Phase.MAIN
        suffix = f"{execution.phase}.out" if checking else "out"
        if output.is_leased(paths.run_file(self._home, execution.id, execution.attempt, suffix)):
            return True
        if spawned and spawned.pid and process_tree.is_alive(spawned.pid, spawned.started_ns):
            return True
        return not checking and process_tree.any_carries(execution.id, execution.attempt)

    def _leave_or_end(self, execution: Execution, spawned: Spawned | None) -> None:
        if spawned is None or _age_s(spawned) <= self._limit_s(execution):
            self.found.alive.append(execution)
            return
        pid = spawned.pid
        is_gone = pid is not None and not process_tree.is_alive(pid, spawned.started_ns)
        self.found.overdue.append((execution, None if is_gone else pid))

    def _lose(self, execution: Execution, spawned: Spawned | None, *, lost: bool) -> None:
        """Note an end that its own pass has not settled; `lost` when no pass has seen it."""
        code = number = None
        if spawned is not None and not lost:
            code, number = exit_of(spawned.status or 0)
        now = self._effects.now
        ended = Ended(
            execution_id=execution.id,
            attempt=execution.attempt,
            phase=Phase(execution.phase or Phase.MAIN),
            exit_code=code,
            signal=number,
            cause=Cause.CANCEL if execution.cancel else None,
            started_at=None if spawned is None else now - round(_age_s(spawned) * 1000),
            ended_at=now,
            lost=lost,
        )
        self.found.lost.append((execution, ended))


def _age_s(spawned: Spawned) -> float:
    from cuectl.process.runtime import since_boot_ns

    return (since_boot_ns() - spawned.started_ns) / 1e9
