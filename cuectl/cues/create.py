"""Making cues: for a command or a request, as a child in a chain, as a definition file asks."""

from __future__ import annotations

import os

from cuectl.cues.lookup import check_name_is_free, free_name, read_cue_by_name
from cuectl.cues.rules.draft import CueDraft, check_policy, read_trigger
from cuectl.cues.rules.new_cue import name_from_work, new_cue
from cuectl.cues.rules.record import (
    AT_REST,
    Cue,
    CueState,
    CueStatus,
    Origin,
    Parent,
    check_depth,
    count_child,
    state_from_record,
)
from cuectl.cues.schedule import coming_fires, marker_of, with_next
from cuectl.definitions.in_force import check_calendars, check_executor
from cuectl.definitions.names import known_definitions, knows_task, unknown_sinks
from cuectl.executions.claim import keeper, with_placed_prompt
from cuectl.executions.rules.record import Execution, execution_from_record
from cuectl.store import paths
from cuectl.store.journal.lines import JournalEntry, Views
from cuectl.values.errors import NotFound
from cuectl.values.ids import check_name, cue_id
from cuectl.values.records import dataclass, replace
from cuectl.values.times import to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol

    from cuectl.definitions.names import DefinitionNames, HasHandlers
    from cuectl.definitions.rules.definitions import CueDefinition
    from cuectl.executions.claim import Keep
    from cuectl.executions.effects import Reactions
    from cuectl.process.runtime import Runtime
    from cuectl.store.reading import ViewReader
    from cuectl.store.store import Transaction
    from cuectl.values.records import Record

    class Surroundings(Protocol):
        """What making a cue needs of the process; a `Runtime` has it."""

        @property
        def home(self) -> str:
            """The state directory."""

        @property
        def zone(self) -> str:
            """The time zone of times that name none."""

        @property
        def random(self) -> Callable[[int], bytes]:
            """What ids are made of."""


FROM_COMMAND_LINE = Origin(kind="cli")


class Drafted:
    """A cue that was made or changed. A plain class, for a quick start."""

    __slots__ = ("changed", "cue", "known_task", "state", "unknown_sinks")

    def __init__(self, cue: Cue, state: CueState, known: HasHandlers, *, changed: bool) -> None:
        self.cue = cue
        self.state = state
        self.known_task = knows_task(cue, known)
        self.unknown_sinks = unknown_sinks(cue, known)
        self.changed = changed


def create_cue(
    runtime: Runtime,
    draft: CueDraft,
    origin: Origin = FROM_COMMAND_LINE,
    once: tuple[str, str] | None = None,
) -> Drafted:
    """Make a cue; one that was made under the same key and request (`once`) is returned again."""
    now = runtime.now()
    if runtime.existing_store is None:
        # A cue that can't be made must not leave a state directory behind.
        cue_of_draft(draft, runtime, draft.timezone or runtime.zone, now, origin)
    with runtime.store.transaction(now) as tx:
        known = known_definitions(tx, runtime.home)
        earlier = _made_before(tx, once)
        if earlier is not None:
            return Drafted(*earlier, known, changed=False)
        cue = _stage_draft(tx, draft, runtime, known, origin)
        if once is not None:
            from cuectl.cues.fire import note

            note(tx, "create", *once, {"cue": cue.id})
        state = state_of(tx, cue)
    return Drafted(cue, state, known, changed=True)


def _made_before(tx: Transaction, once: tuple[str, str] | None) -> tuple[Cue, CueState] | None:
    if once is None:
        return None
    from cuectl.cues.fire import made_before

    record = made_before(tx, "create", *once)
    return read_cue_by_name(tx, record["cue"]) if record else None


def cue_of_draft(
    draft: CueDraft, runtime: Surroundings, zone: str, now: int, origin: Origin
) -> Cue:
    """Return the cue that a draft asks for, with a name of its work when it has none."""
    named = draft if draft.name is not None else replace(draft, name=name_from_work(draft))
    identity = draft.id or cue_id(runtime.random(10))
    return new_cue(named, cue_id=identity, now=now, zone=zone, origin=origin)


def _stage_draft(
    tx: Transaction, draft: CueDraft, runtime: Surroundings, known: DefinitionNames, origin: Origin
) -> Cue:
    """Stage the cue that a draft asks for; a child of a chain is due at once by default."""
    zone = draft.timezone or known.timezone or runtime.zone
    cue = cue_of_draft(draft, runtime, zone, tx.now, origin)
    if draft.name is None:
        cue = replace(cue, name=free_name(tx, cue.name))
    check_name_is_free(tx, cue.name)
    check_calendars(tx, runtime.home, cue.policy)
    check_executor(tx, runtime.home, cue.target)
    if origin.kind == "chain" and origin.when is None and cue.trigger["type"] == "manual":
        cue = replace(cue, trigger={"type": "at", "at": to_text(tx.now)})
    cue = with_work_in_place(cue, runtime.home)
    tx.stage(creation_event(tx, cue, tx.now))
    return cue


def with_work_in_place(cue: Cue, home: str) -> Cue:
    """Return the cue with a large payload and a long prompt in files of their own."""
    cue = replace(cue, target=with_placed_prompt(cue.target, home))
    if not cue.payload:
        return cue
    payload, payload_ref = keeper(home)(cue.payload)
    return replace(cue, payload=payload, payload_ref=payload_ref)


def state_of(tx: Transaction, cue: Cue) -> CueState:
    """Return the state of a cue as the change has left it."""
    return state_from_record(tx.read(paths.state(cue.id)) or {"status": "active"})


def creation_event(tx: ViewReader, cue: Cue, now: int) -> JournalEntry:
    """Return the event that makes a cue, with its state, name and place in the agenda.

    A cue that waits for its parent (`origin.when`) is held and has no place yet.
    """
    check_name(cue.name, "cue")
    check_name_is_free(tx, cue.name)
    status = CueStatus.HELD if cue.origin.when else CueStatus.ACTIVE
    views: Views = {paths.cue(cue.id): cue.to_record()}
    views |= planned_views(cue, CueState(status=status), now)
    views[paths.name_key(cue.name)] = {"cue": cue.id}
    return JournalEntry(type="cue.created", ids=cue.journal_ids, set=views)


def planned_views(cue: Cue, state: CueState, now: int) -> Views:
    """Return the views of a cue that is planned from `now` on: state, fires, marker.

    A paused cue has no marker, a held one no next time either. Only one-shots fire for what was
    due by now.
    """
    if state.status is CueStatus.HELD:
        return {paths.state(cue.id): replace(state, next_at=None, look_at=None).to_record()}
    fires = coming_fires(cue, now)
    next_at = fires[0] if fires else None
    status = CueStatus.ACTIVE if state.status in AT_REST else state.status
    planned = replace(with_next(cue, state, next_at, now), status=status)
    views: Views = {paths.state(cue.id): planned.to_record()}
    if cue.trigger["type"] == "cron":
        views[paths.fires(cue.id)] = {"fires": fires}
    if next_at is not None and status is CueStatus.ACTIVE:
        views[marker_of(cue, planned)] = True
    return views


def scheduler_seen(runtime: Runtime, within_ms: int = 300_000) -> bool:
    """Tell whether a pass has run lately: whether anything calls `run-due` at all."""
    try:
        last = os.stat(f"{runtime.home}/last-pass").st_mtime_ns // 1_000_000
    except OSError:
        return False
    return runtime.now() - runtime.clock.offset_ms - last <= within_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Chained:
    """A child, new or made before."""

    cue: Cue
    state: CueState
    is_new: bool
    known_task: bool = True
    unknown_sinks: tuple[str, ...] = ()


def chain_cue(
    runtime: Runtime,
    parent: Parent,
    draft: CueDraft,
    *,
    when: str | None,
    key: str | None,
    delay_s: float | None,
) -> Chained:
    """Make a child cue of the execution that calls, in one commit (contracts.md, identity 8).

    Args:
        draft: the child; without a schedule it is due at once.
        when: the verdict that it waits for, None for none.
        key: one child for each key and parent; without one the name serves, if there is one.
        delay_s: wait after the release.
    """
    store = runtime.existing_store
    if store is None:
        raise NotFound(f"the execution '{parent.execution_id}' is not running")
    with store.transaction(runtime.now()) as tx:
        return stage_child(
            tx, runtime, parent.execution_id, draft, when=when, key=key, delay_s=delay_s
        )


def child_identity(key: str | None, name: str | None) -> str | None:
    """Return what tells a child from its siblings, so that chaining it twice makes one cue."""
    return key or (f"name:{name}" if name is not None else None)


def stage_child(
    tx: Transaction,
    runtime: Surroundings,
    parent_id: str,
    draft: CueDraft,
    *,
    when: str | None,
    key: str | None,
    delay_s: float | None,
) -> Chained:
    """Stage a child of an execution that has not ended, as `chain_cue` makes it."""
    running, path = _running(tx, parent_id)
    identity = child_identity(key, draft.name)
    record = tx.read(paths.chain_key(running.id, identity)) if identity is not None else None
    earlier = read_cue_by_name(tx, record["cue"]) if record else None
    if earlier is not None:
        return Chained(cue=earlier[0], state=earlier[1], is_new=False)
    check_depth(running.depth + 1)
    known = known_definitions(tx, runtime.home)
    origin = Origin(
        kind="chain",
        parent=running.id,
        root=running.root_id,
        depth=running.depth + 1,
        when=when,
        delay_s=delay_s,
        key=key,
    )
    cue = _stage_draft(tx, draft, runtime, known, origin)
    tx.amend(_chain_views(tx, cue, running, identity))
    if when is not None:
        held = replace(running, held=(*running.held, cue.id))
        tx.amend({path: held.to_record()})
    made = Drafted(cue, state_of(tx, cue), known, changed=True)
    return Chained(
        cue=cue,
        state=made.state,
        is_new=True,
        known_task=made.known_task,
        unknown_sinks=made.unknown_sinks,
    )


def _running(tx: Transaction, execution_id: str) -> tuple[Execution, str]:
    """Return the record of a running execution and where it stands."""
    for path in (paths.open_execution(execution_id), paths.waiting_execution(execution_id)):
        if record := tx.read(path):
            return execution_from_record(record), path
    raise NotFound(f"the execution '{execution_id}' is not running")


def _chain_views(tx: Transaction, child: Cue, running: Execution, identity: str | None) -> Views:
    path = paths.chain_root_key(running.root_id)
    record = tx.read(path) or {}
    views: Views = {path: {"children": count_child(record.get("children", []), tx.now)}}
    if identity is not None:
        views[paths.chain_key(running.id, identity)] = {"cue": child.id}
    return views


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """What making the cues of one file needs."""

    path: str  # of the file, absolute; the origin of its cues
    shown: str  # the file, in messages
    zone: str  # of schedules that name none
    random: Callable[[int], bytes]
    reactions: Callable[[], Reactions]  # to the end of what a deleted cue has not started
    keep: Keep
    before: Mapping[str, CueDefinition]  # the cues of the file as it was last taken over
    ids: Mapping[str, str]  # by name, of the cues that it made


def cue_from_definition(definition: CueDefinition, to: Making, old: Cue | None, now: int) -> Cue:
    """Return the cue that a definition asks for."""
    trigger = _trigger(definition, to, old, now)
    payload, payload_ref = to.keep(definition.payload)
    cue = Cue(
        id=old.id if old else cue_id(to.random(10)),
        name=definition.name,
        description=definition.description,
        trigger=trigger,
        target=definition.target,
        policy=check_policy(definition.policy),
        payload=payload,
        payload_ref=payload_ref,
        origin=Origin(kind="file", path=to.path),
        created_at=old.created_at if old else now,
        updated_at=old.updated_at if old else now,
    )
    return cue if cue == old else replace(cue, updated_at=now)


def _trigger(definition: CueDefinition, to: Making, old: Cue | None, now: int) -> Record:
    said = definition.trigger
    kind = said["type"]
    if kind == "event":
        return dict(said)
    before = to.before.get(definition.name)
    if kind == "at" and old is not None and before is not None and before.trigger == said:
        # A one-shot that was taken over once is not past, and `tomorrow` does not move on.
        return old.trigger
    schedule = CueDraft(
        cron=said.get("expression"),
        at=said.get("at"),
        every_s=said.get("every_s"),
        timezone=said.get("timezone") if kind in ("cron", "at") else None,
        manual=kind == "manual",
    )
    beating = old.trigger if old is not None and old.trigger["type"] == "every" else None
    return read_trigger(schedule, now=now, zone=to.zone, old=beating) or {"type": "manual"}
