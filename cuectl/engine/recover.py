"""Recovery: what dead passes left open is started, left alone, or settled.

Source: store-protocol.md, part 1, "Recover"; every answer has its hole in part 2. Runs with
the store lock held and the views written (hole A32).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.engine import claim, process_tree
from cuectl.engine.agent_line import promote
from cuectl.engine.agent_slots import canonical
from cuectl.engine.agent_work import is_for_agent
from cuectl.engine.local_executor import exit_of
from cuectl.engine.settle import claimed_by, promote_queued, read_cue
from cuectl.model.execution import Execution, execution_from_record
from cuectl.model.execution_status import ExecutionStatus
from cuectl.model.start import Cause, Ended, Phase, process_key
from cuectl.model.values import dataclass, field, replace
from cuectl.store import output, passes, paths

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.engine.settling import Settling
    from cuectl.store.passes import Spawned
    from cuectl.store.store import Store, Transaction

_SLACK_S = 40.0


@dataclass(slots=True, kw_only=True)
class Recovery:
    """What a pass found open.

    Attributes:
        lost: executions whose processes are gone, with what is known of their ends.
        alive: orphans that still run; their time limits are kept by the next passes.
        overdue: orphans over their limit, with pid.
        stuck: lines about passes that live and do nothing.
    """

    lost: list[tuple[Execution, Ended]] = field(default_factory=list)
    alive: list[Execution] = field(default_factory=list)
    overdue: list[tuple[Execution, int | None]] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)


def look_at_open(
    tx: Transaction,
    to: Settling,
    *,
    room: Callable[[], int],
    limit_s: Callable[[Execution], float],
    seen: Callable[[Execution], None],
    may_claim: Callable[[Execution], bool],
) -> Recovery:
    """Go through `open/`; claim what never started, sort out what is lost.

    Args:
        tx: the change; what is reclaimed is staged in it.
        to: gets the reclaimed executions.
        room: how many more executions this pass may claim.
        limit_s: the time limit of an execution.
        seen: told of every execution that is at work, or that a living pass has claimed.
        may_claim: whether this process can run an execution.
    """
    recovery = Recovery()
    left: list[Execution] = []
    queued: list[Execution] = []
    living: dict[str, bool] = {}
    for name in sorted(tx.names("open")):
        execution = tx.decoded(f"open/{name}", execution_from_record)
        if execution is None:
            continue
        if execution.status is ExecutionStatus.QUEUED:
            queued.append(execution)
        elif _is_supervised(tx, execution, to, living):
            seen(execution)
            _end_if_neglected(tx, execution, to, recovery, limit_s)
        else:
            left.append(execution)
    # Everything that is at work is counted before anything is claimed.
    again = _sort_out_all(tx, left, to, recovery, limit_s)
    for orphan in recovery.alive:
        seen(orphan)
    for execution in again:
        if room() > 0 and may_claim(execution):
            _claim_again(tx, execution, to, "reclaimed")
    _promote_all(tx, [one for one in queued if may_claim(one)], to, room)
    return recovery


def _promote_all(
    tx: Transaction, queued: list[Execution], to: Settling, room: Callable[[], int]
) -> None:
    agents: dict[str, None] = {}
    for execution in queued:
        if is_for_agent(execution.target):
            agents.setdefault(canonical(execution.target, to.in_force))
        elif room() > 0:
            _promote(tx, execution, to)
    for agent in agents:
        promote(tx, agent, to, room())


def _is_supervised(
    tx: Transaction, execution: Execution, to: Settling, living: dict[str, bool]
) -> bool:
    pass_id = execution.pass_id
    if pass_id is None:
        return False
    if pass_id not in living:
        alive = pass_id == to.pass_id or passes.is_alive(tx.store.home, pass_id)
        living[pass_id] = alive
    return living[pass_id]


def _sort_out_all(
    tx: Transaction,
    left: list[Execution],
    to: Settling,
    recovery: Recovery,
    limit_s: Callable[[Execution], float],
) -> list[Execution]:
    """Sort out what dead passes left; return what is to be started again."""
    logs: dict[str, dict[str, Spawned] | None] = {}
    again = []
    for execution in left:
        pass_id = execution.pass_id or ""
        if pass_id not in logs:
            logs[pass_id] = passes.read_spawn_log(tx.store.home, pass_id) if pass_id else None
        if _sort_out(tx, execution, to, recovery, logs[pass_id], limit_s):
            again.append(execution)
    return again


def _end_if_neglected(
    tx: Transaction,
    execution: Execution,
    to: Settling,
    recovery: Recovery,
    limit_s: Callable[[Execution], float],
) -> None:
    """End what a pass that lives, but is stopped, should have ended long ago (hole A30)."""
    from cuectl.engine.clock import since_boot_ns

    overdue_ms = to.now - execution.scheduled_for - (limit_s(execution) + _SLACK_S) * 1000
    if overdue_ms < 0 or execution.pass_id == to.pass_id:
        return
    log = passes.read_spawn_log(tx.store.home, execution.pass_id or "") or {}
    spawned = log.get(process_key(execution.id, execution.attempt))
    if spawned is None or spawned.pid is None or spawned.status is not None:
        return
    age_s = (since_boot_ns() - spawned.started_ns) / 1e9
    alive = process_tree.is_alive(spawned.pid, spawned.started_ns)
    if alive and age_s > limit_s(execution) + _SLACK_S:
        process_tree.kill(execution.id, execution.attempt, spawned.pid)
        recovery.stuck.append(
            f"alert: stuck: ended '{execution.cue_name}' ({execution.id}), which its pass "
            f"'{execution.pass_id}' left running over its time limit"
        )


def _promote(tx: Transaction, execution: Execution, to: Settling) -> None:
    known = read_cue(tx, execution.cue_id)
    if known is None:
        # The cue was deleted; what was queued is started all the same, or it would wait for ever.
        _claim_again(tx, execution, to, "claimed")
        return
    cue, state = known
    after = promote_queued(tx, cue, state, to)
    if after != state:
        tx.amend({paths.state(cue.id): after.to_record()})


def _sort_out(
    tx: Transaction,
    execution: Execution,
    to: Settling,
    recovery: Recovery,
    log: dict[str, Spawned] | None,
    limit_s: Callable[[Execution], float],
) -> bool:
    """Find out what became of a claim; tell whether it is to be started again."""
    same_boot = tx.store.boot != "-" and execution.boot == tx.store.boot
    phase = Phase(execution.phase) if execution.phase else Phase.MAIN
    spawned = (log or {}).get(process_key(execution.id, execution.attempt, phase))
    if same_boot and log is not None and spawned is None:
        if execution.cancel:
            # What was cancelled before it started does not start.
            ended = replace(_unseen_end(execution, None, to.now), lost=False)
            recovery.lost.append((execution, ended))
        return not execution.cancel
    if phase is Phase.CHECK and not _runs(tx, execution, spawned, same_boot):
        # A checker that died is run again: it only looks.
        return True
    if spawned is not None and same_boot and spawned.status is not None:
        recovery.lost.append((execution, _seen_end(execution, spawned, to.now)))
    elif _runs(tx, execution, spawned, same_boot):
        _leave_or_end(execution, spawned, recovery, limit_s)
    else:
        known = spawned if same_boot else None
        recovery.lost.append((execution, _unseen_end(execution, known, to.now)))
    return False


def _runs(tx: Transaction, execution: Execution, spawned: Spawned | None, same_boot: bool) -> bool:
    """Tell whether any process of the attempt is alive; dead only if all say so (A12).

    Of a checker only lease and pid are asked: what the attempt itself has left behind has the
    same environment, and the checker does not wait for that.
    """
    if not same_boot:
        return False
    checking = execution.phase is not None and execution.phase != Phase.MAIN
    suffix = f"{execution.phase}.out" if checking else "out"
    if output.is_leased(paths.run_file(tx.store.home, execution.id, execution.attempt, suffix)):
        return True
    if spawned and spawned.pid and process_tree.is_alive(spawned.pid, spawned.started_ns):
        return True
    return not checking and process_tree.any_carries(execution.id, execution.attempt)


def _leave_or_end(
    execution: Execution,
    spawned: Spawned | None,
    recovery: Recovery,
    limit_s: Callable[[Execution], float],
) -> None:
    from cuectl.engine.clock import since_boot_ns

    pid = spawned.pid if spawned else None
    main_gone = pid is not None and not process_tree.is_alive(
        pid, spawned.started_ns if spawned else 0
    )
    age_s = (since_boot_ns() - spawned.started_ns) / 1e9 if spawned else 0.0
    if age_s > limit_s(execution):
        recovery.overdue.append((execution, None if main_gone else pid))
    else:
        recovery.alive.append(execution)


def _seen_end(execution: Execution, spawned: Spawned, now: int) -> Ended:
    code, number = exit_of(spawned.status or 0)
    return Ended(
        execution_id=execution.id,
        attempt=execution.attempt,
        phase=Phase(execution.phase or Phase.MAIN),
        exit_code=code,
        signal=number,
        cause=Cause.CANCEL if execution.cancel else None,
        started_at=_started_at(spawned, now),
        ended_at=now,
    )


def _started_at(spawned: Spawned | None, now: int) -> int | None:
    """Return when a process was started, by the wall clock, from the stamp of this boot."""
    from cuectl.engine.clock import since_boot_ns

    return None if spawned is None else now - (since_boot_ns() - spawned.started_ns) // 1_000_000


def _unseen_end(execution: Execution, spawned: Spawned | None, now: int) -> Ended:
    return Ended(
        execution_id=execution.id,
        attempt=execution.attempt,
        phase=Phase(execution.phase or Phase.MAIN),
        cause=Cause.CANCEL if execution.cancel else None,
        started_at=_started_at(spawned, now),
        ended_at=now,
        lost=True,
    )


def _claim_again(tx: Transaction, execution: Execution, to: Settling, kind: str) -> None:
    claimed = claimed_by(execution, to.pass_id or "", to.boot)
    tx.stage(claim.open_event(kind, claimed))
    to.claimed.append(claimed)


def remove_dead_passes(store: Store) -> None:
    """Take away pass files that nobody locks and no open execution names (hole A14).

    The lock is held and the views are written, so that a claim which is only staged never
    costs an execution its spawn log.
    """
    named = set()
    for name in store.names("open"):
        record = store.read(f"open/{name}")
        if record and record.get("pass_id"):
            named.add(record["pass_id"])
    for pass_id in passes.pass_ids(store.home):
        if pass_id not in named and not passes.is_alive(store.home, pass_id):
            passes.remove(store.home, pass_id)
