"""Sending executions to other machines: the epoch of the engine, and what is sent."""

from __future__ import annotations

from cuectl.executions import claim
from cuectl.executions.rules.placement import as_sent, executor_name, is_away, key_of
from cuectl.executions.rules.record import execution_from_record
from cuectl.executions.rules.wire import RemoteStart, definition_hash, travelling
from cuectl.executions.targets import agent_of, full_payload, handler_of, limit_s
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
        why = "has forgotten what it was told; nothing is sent to it"
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
