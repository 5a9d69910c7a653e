"""Sending executions to other machines: the epoch of the engine, and what is sent."""

from __future__ import annotations

from cuectl.executions import claim
from cuectl.executions.rules.placement import as_sent, executor_name, is_away, key_of, label_in
from cuectl.executions.rules.record import ExecutionStatus, execution_from_record
from cuectl.executions.rules.wire import RemoteStart, definition_hash, travelling
from cuectl.executions.targets import (
    agent_name,
    agent_of,
    full_payload,
    handler_of,
    limit_s,
    task_of,
)
from cuectl.passes.away.farm import Epoch
from cuectl.store import handler_files, paths
from cuectl.store.journal.lines import JournalEntry
from cuectl.values.records import replace
from cuectl.values.times import NO_LIMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cuectl.executions.effects import Effects, PassContext
    from cuectl.executions.executors.remote import RemoteExecutor
    from cuectl.executions.rules.record import Execution
    from cuectl.passes.away.farm import Commit, Farm
    from cuectl.process.runtime import Runtime
    from cuectl.store.journal.lines import Views
    from cuectl.store.store import Transaction
    from cuectl.values.records import Record

_SEEN_MS = 60_000
_LONGEST_S = 10 * 365 * 86_400.0


def epoch_of(farm: Farm, executor: RemoteExecutor, runtime: Runtime, commit: Commit) -> Epoch:
    """Return the epoch of an executor; the first one is made here.

    One that forgot its epoch has forgotten its fences too, so nothing is sent until a person allows
    it (`executors reset`).
    """
    from cuectl.passes.away.ends import raise_once

    with runtime.store.locked():
        record = runtime.store.read(paths.executor_epoch(farm.name))
    if record is None:
        record = new_epoch(runtime)
        executor.set_epoch(record["store_id"], record["word"])
        commit(lambda tx, _: stage_epoch(tx, farm.name, record))
    is_forgotten = executor.epoch(record["store_id"]) != record["word"]
    if is_forgotten:
        why = "has lost its data; nothing is sent to it"
        raise_once(farm.name, f"{why}: cuectl executors reset {farm.name}", commit, "epoch")
    return Epoch(**record, is_forgotten=is_forgotten)


def new_epoch(runtime: Runtime, store_id: str | None = None) -> Record:
    """Return the record of a new epoch."""
    identity = store_id or runtime.random(8).hex()
    return {"store_id": identity, "word": runtime.random(8).hex(), "since": runtime.now()}


def stage_epoch(tx: Transaction, name: str, record: Record) -> None:
    """Stage the epoch of an executor."""
    views: Views = {paths.executor_epoch(name): record}
    tx.stage(JournalEntry(type="executor.epoch", set=views, detail={"executor": name}))


def stage_sent(executions: Sequence[Execution], tx: Transaction, effects: Effects) -> None:
    """Stage that executions may be at their executor from now on."""
    for one in executions:
        current = tx.decoded(paths.waiting_execution(one.id), execution_from_record)
        if current is not None and is_away(current) and key_of(current) == key_of(one):
            tx.stage(claim.waiting_event("published", as_sent(current, effects.now)))


def turned_to(farm: Farm, mine: dict[str, Execution], executor: RemoteExecutor) -> dict[str, str]:
    """Remember which workers have refused what; return labels of others that can run it, by key.

    Workers of one executor need not have the same handlers, and whoever is free takes a message.
    """
    found: dict[str, str] = {}
    workers: dict[str, Record] | None = None
    for key, one in mine.items():
        refused, known = farm.sights[key].refused, farm.keys.get(key, {})
        if refused in (None, known.get("refused")) or one.status is not ExecutionStatus.QUEUED:
            continue
        farm.keys[key] = known | {"refused": refused}
        refusers = farm.keys[key].setdefault("refusers", [])
        refusers.append(refused.partition(" ")[2])
        workers = executor.workers() if workers is None else workers
        if host := _other(one, workers, refusers, executor.clock_ms):
            found[key] = f"@{host}"
    return found


def _other(
    execution: Execution, workers: dict[str, Record], refusers: list[str], now_ms: int
) -> str | None:
    target, label = execution.target, label_in(execution.executor or "")
    for host, said in sorted(workers.items()):
        match target.get("type"):
            case "task":
                can = task_of(target, execution.payload) in said.get("handlers", ())
            case "agent":
                can = agent_name(target) in said.get("agents", ())
            case _:
                can = bool(said.get("accept_commands"))
        serves = label is None or label in said.get("labels", ())
        is_there = now_ms - said.get("seen_ms", 0) < _SEEN_MS
        if can and serves and is_there and host not in refusers:
            return host
    return None


def remote_start(execution: Execution, *, farm: Farm, context: PassContext) -> RemoteStart:
    """Return what is sent of an execution."""
    definition, epoch = farm.definition, farm.epoch
    if definition is None or epoch is None:
        raise TypeError("the executor is not connected")
    whole = replace(execution, payload=full_payload(execution, context.home))
    prompt = None
    if reference := execution.target.get("prompt_ref"):
        prompt = str(handler_files.read(context.home, reference)["prompt"])
    who = handler_of(execution, context.in_force) or agent_of(execution.target, context.in_force)
    limit = limit_s(execution, context.in_force)
    return RemoteStart(
        execution=travelling(whole, prompt=prompt),
        store_id=epoch.store_id,
        epoch=epoch.word,
        executor=executor_name(execution.executor or ""),
        definition=None if who is None else definition_hash(who),
        strict=definition.strict,
        timeout_s=_LONGEST_S if limit == NO_LIMIT else limit,
        idle_timeout_s=getattr(who, "idle_timeout_s", None),
        start_by=(execution.start_by or 0) + farm.clock_offset_ms,
        lost_after_s=definition.lost_after_s,
        end_if_cut_off=definition.on_lost_contact == "end",
    )
