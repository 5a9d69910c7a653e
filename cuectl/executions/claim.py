"""From a decision to the entry of the journal: claims, waits, ends; where a payload is kept."""

from __future__ import annotations

from cuectl.executions.rules.record import Execution, ExecutionStatus, execution_from_record
from cuectl.store import paths
from cuectl.store.journal.lines import JournalEntry, Views, encode
from cuectl.values.errors import UsageError
from cuectl.values.records import Record, replace
from cuectl.values.times import to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.cues.rules.record import Cue
    from cuectl.executions.effects import Effects
    from cuectl.passes.rules import Drop
    from cuectl.store.store import Transaction

    Place = tuple[Record, str | None]
    Keep = Callable[[Record], Place]


def new_execution(
    cue: Cue, nominal: int, now: int | None = None, *, key: str | None = None
) -> Execution:
    """Return the pending execution of one occurrence; `key` is None for the schedule's own."""
    from cuectl.values.ids import execution_id

    identity = execution_id(nominal, cue.id, str(nominal) if key is None else key)
    origin = cue.origin
    chained = origin.parent is not None
    return Execution(
        id=identity,
        cue_id=cue.id,
        cue_name=cue.name,
        status=ExecutionStatus.PENDING,
        scheduled_for=nominal,
        created_at=now,
        triggered_by="chain" if chained else "schedule",
        parent_id=origin.parent,
        root_id=origin.root or identity,
        depth=origin.depth,
        target=cue.target,
        policy=cue.policy,
        payload=cue.payload,
        payload_ref=cue.payload_ref,
    )


def ids_of(execution: Execution) -> dict[str, str]:
    """Return the members of a line that say which execution it is about."""
    ids = {"cue": execution.cue_id, "execution": execution.id}
    if execution.root_id != execution.id:
        ids["root"] = execution.root_id
    if execution.parent_id:
        ids["parent"] = execution.parent_id
    return ids


def open_event(kind: str, execution: Execution, more: Views | None = None) -> JournalEntry:
    """Return the entry that puts an execution, as it is now, under `open/`."""
    return _placed_at(paths.open_execution(execution.id), kind, execution, more)


def waiting_event(kind: str, execution: Execution, more: Views | None = None) -> JournalEntry:
    """Return the entry that puts an execution, as it is now, under `waiting/`."""
    return _placed_at(paths.waiting_execution(execution.id), kind, execution, more)


def _placed_at(path: str, kind: str, execution: Execution, more: Views | None) -> JournalEntry:
    views: Views = {path: execution.to_record()}
    return JournalEntry(type=f"execution.{kind}", ids=ids_of(execution), set=views | (more or {}))


def take_on(
    tx: Transaction,
    execution: Execution,
    effects: Effects,
    views: Views | None = None,
    *,
    kind: str = "claimed",
) -> Execution:
    """Stage that this pass claims an execution, and what follows from a start; return it.

    Work for other machines is not the pass's own: it waits for a worker, with or without the pass.
    """
    if (place := _place(execution, effects)) is not None:
        return _take_elsewhere(tx, execution, place, effects, views or {}, kind)
    claimed = replace(
        execution,
        status=ExecutionStatus.PENDING,
        reason=None,
        pass_id=effects.pass_id,
        boot=effects.boot,
        worker=effects.worker or execution.worker,
    )
    tx.stage(open_event(kind, claimed, views))
    tx.know(paths.open_execution(claimed.id), execution_from_record, claimed)
    effects.claimed.append(claimed)
    for react in effects.reactions().starts:
        react(tx, claimed, effects)
    return claimed


def _place(execution: Execution, effects: Effects) -> str | None:
    if effects.in_force is None or not effects.in_force.definitions.executors:
        return execution.executor
    from cuectl.executions.targets import placement_of

    return execution.executor or placement_of(execution.target, execution.payload, effects.in_force)


def _take_elsewhere(
    tx: Transaction, execution: Execution, place: str, effects: Effects, views: Views, kind: str
) -> Execution:
    from cuectl.executions.rules.placement import GRACE_MS, executor_name
    from cuectl.store import home

    # A version that knows no executors would start it here.
    home.need_format(tx.store.home, home.WITH_EXECUTORS)
    known = effects.in_force.definitions.executors if effects.in_force is not None else {}
    definition = known.get(executor_name(place))
    patience_s = definition.start_within_s if definition is not None else 0.0
    start_by = effects.now + round(patience_s * 1000)
    claimed = replace(
        execution,
        status=ExecutionStatus.QUEUED,
        reason=f"waits for {place}",
        executor=place,
        start_by=start_by,
        published_at=None,
        report_until=start_by + GRACE_MS,
    )
    marker: Views = {paths.marker(start_by + GRACE_MS, "w", claimed.id): True}
    place_before: Views = {paths.open_execution(claimed.id): None}
    left = {path: one for path, one in views.items() if path != paths.waiting_execution(claimed.id)}
    tx.stage(waiting_event(kind, claimed, place_before | left | marker))
    effects.claimed.append(claimed)
    for react in effects.reactions().starts if claimed.phase is None else ():
        react(tx, claimed, effects)
    return claimed


def settled_event(execution: Execution, views: Views | None = None) -> JournalEntry:
    """Return the entry that ends an execution; the line is its record."""
    return JournalEntry(
        type="execution.settled",
        ids=ids_of(execution),
        record=execution.to_record(),
        set=views or {},
    )


def dropped_execution(cue: Cue, drop: Drop, now: int | None = None) -> Execution:
    """Return the record of occurrences that do not run; a range of them is one record."""
    execution = new_execution(cue, drop.last, now)
    span: Record | None = None
    if drop.count > 1:
        # The range has an id of its own: its newest member may be listed elsewhere as well.
        execution = new_execution(cue, drop.last, now, key=f"{drop.first}..{drop.last}")
        span = {"from": to_text(drop.first), "to": to_text(drop.last), "count": drop.count}
    status = ExecutionStatus.MISSED if drop.missed else ExecutionStatus.SKIPPED
    return replace(execution, status=status, reason=drop.reason, range=span, target={}, payload={})


def keeper(home: str) -> Keep:
    """Return the function that puts a payload in its place, durable when that is a file.

    To be called within the change that names the file, after all that could refuse the change.
    """
    from cuectl.store import handler_files

    return lambda payload: _kept(payload, lambda data: handler_files.keep(home, data))


def would_keep(payload: Record) -> Place:
    """Return where a payload would go; nothing is written."""
    import hashlib

    return _kept(payload, lambda data: hashlib.sha256(data).hexdigest())


def with_placed_prompt(target: Record, home: str) -> Record:
    """Return a target whose prompt, if long, is in a file of its own.

    Else each journal line about the execution would hold it. To be called as `keeper` says.
    """
    from cuectl.store import handler_files

    prompt = target.get("prompt")
    if not isinstance(prompt, str) or len(prompt) <= handler_files.LARGEST_IN_LINE // 6:
        return target
    data = encode({"prompt": prompt}).encode("ascii")
    if len(data) <= handler_files.LARGEST_IN_LINE:
        return target
    kept = {name: value for name, value in target.items() if name != "prompt"}
    return kept | {"prompt_ref": handler_files.keep(home, data)}


def _kept(payload: Record, put: Callable[[bytes], str]) -> Place:
    from cuectl.store import handler_files
    from cuectl.values.json_limits import PAYLOAD_BYTES, json_size

    data = encode(payload).encode("ascii")
    if len(data) <= handler_files.LARGEST_IN_LINE:
        return payload, None
    if len(data) > PAYLOAD_BYTES and (size := json_size(payload)) > PAYLOAD_BYTES:
        raise UsageError(f"the payload has {size} bytes, more than {PAYLOAD_BYTES}")
    return {}, put(data)
