"""Taking definition files over: one change with the compiled file and all of its cues.

A changed file is obeyed only after the next `apply`, because pulling a branch must not be
able to schedule code (design.md section 6). The user's own file is taken over by every pass
(`engine/home_file.py`), through the same function.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cuectl.engine.definitions_in_force import compiled
from cuectl.engine.file_cues import FileCues, Making, stage_cues, stage_index
from cuectl.engine.known_definitions import APPLIED, HOME, config_records
from cuectl.engine.payloads import keeper, would_keep
from cuectl.model.apply_plan import ApplyPlan, plan_apply
from cuectl.model.definition_files import combine, override, with_own_defaults
from cuectl.model.definition_records import to_record
from cuectl.model.definitions import Definitions
from cuectl.model.errors import NotFound, StateError
from cuectl.model.instants import to_text
from cuectl.model.subscription_cue import cue_of_subscription
from cuectl.model.values import dataclass
from cuectl.store.definition_checks import check_definitions, load_definitions
from cuectl.store.definition_problems import Level, Problem
from cuectl.store.definition_sources import SourceFile, read_source
from cuectl.store.definition_views import HOME_VIEW, home_path, view_of
from cuectl.store.lines import Event
from cuectl.store.store import Transaction

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.engine.payloads import Keep
    from cuectl.engine.runtime import Runtime
    from cuectl.engine.view_source import ViewSource
    from cuectl.model.definitions import CueDefinition

Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What taking a file over changes.

    Attributes:
        path: the file, absolute.
        plan: what differs from the file as it was last taken over.
        cues: what becomes of its cues, changes by hand undone included.
        warnings: what in the file is hardly meant so.
    """

    path: str
    plan: ApplyPlan
    cues: FileCues
    warnings: tuple[Problem, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        cues = self.cues
        return self.plan.is_empty and not (cues.created or cues.updated or cues.deleted)

    def reset_by_hand(self) -> list[str]:
        """Return the names of cues that were changed by hand since, and are set back."""
        planned = {change.name for change in self.plan.changed if change.section == "cues"}
        return [name for name in self.cues.updated if name not in planned]


def others_than(source: ViewSource, path: str, home: str) -> list[tuple[str, Definitions]]:
    """Return path and definitions of all files in force but one, the user's own first."""
    records = reversed(config_records(source))
    # A state directory that was moved has its own file under another path than it had.
    own = HOME if path == home_path(home) else None
    others = (one for one in records if one["path"] != path and one["kind"] != own)
    return [(one["path"], compiled(one)) for one in others]


def merged(files: list[tuple[str, Definitions]]) -> Definitions:
    """Return the definitions of files together; the first that gives a setting decides."""
    together = Definitions()
    for _, each in reversed(files):
        together = override(together, each)
    return together


def stage_definitions(
    tx: Transaction,
    source: SourceFile,
    *,
    zone: str,
    random: Callable[[int], bytes],
    keep: Keep,
) -> Applied:
    """Stage that a file is taken over, with its cues.

    Args:
        tx: the change; nothing else may have been staged in it.
        source: the file.
        zone: the machine's time zone.
        random: for the ids of its cues.
        keep: puts payloads in their place.

    Raises:
        InvalidFile: the file is not valid.
        Conflict: it defines a name that another file, or a cue from elsewhere, has.
    """
    others = others_than(tx, source.path, tx.store.home)
    elsewhere = merged(others)
    loaded, problems = check_definitions(source.data, source.shown, elsewhere=elsewhere)
    if loaded is None:
        raise next(one for one in problems if one.level is Level.ERROR).as_error()
    combine([*others, (source.path, loaded)])
    own = with_own_defaults(loaded)
    view = view_for(tx.store.home, source.path)
    record = tx.read(view)
    before = _before(record)
    making = Making(
        path=source.path,
        shown=source.shown,
        zone=elsewhere.settings.timezone or zone,
        random=random,
        keep=keep,
        before=_cues_of(before, source.path),
        ids=record["cues"] if record else {},
    )
    wanted = _cues_of(own, source.path)
    cues = stage_cues(tx, wanted, making)
    stage_record(tx, view, _new_record(source, view, own, cues), record)
    stage_index(tx, (record or {}).get("cues", {}), cues.ids)
    warnings = tuple(one for one in problems if one.level is Level.WARNING)
    plan = plan_apply(before, own)
    return Applied(path=source.path, plan=plan, cues=cues, warnings=warnings)


def _cues_of(definitions: Definitions, path: str) -> dict[str, CueDefinition]:
    """Return all cues of a file: its scheduled work, and the subscriptions."""
    directory = os.path.dirname(path)
    found = dict(definitions.cues)
    for name, one in definitions.subscriptions.items():
        found[name] = cue_of_subscription(one, directory)
    return found


def view_for(home: str, path: str) -> str:
    """Return the view of a file: the user's own has a name of its own."""
    return HOME_VIEW if path == home_path(home) else view_of(path)


def stage_record(tx: Transaction, view: str, record: Record, old: Record | None) -> None:
    """Stage what is known of a file, unless it is what was known."""
    known = {key: value for key, value in (old or {}).items() if key != "at"}
    if known == record:
        return
    detail = {"path": record["path"], "sha256": record["sha256"]}
    content = {**record, "at": to_text(tx.now)}
    tx.stage(Event(type="definitions.applied", set={view: content}, detail=detail))


def _new_record(source: SourceFile, view: str, own: Definitions, cues: FileCues) -> Record:
    return {
        "kind": HOME if view == HOME_VIEW else APPLIED,
        "path": source.path,
        "sha256": source.sha256,
        "identity": source.identity,
        "definitions": to_record(own),
        "cues": cues.ids,
    }


def _before(record: Record | None) -> Definitions:
    if record is None:
        return Definitions()
    try:
        return compiled(record)
    except StateError:
        # Taking the file over again is what mends this.
        return Definitions()


def apply_file(runtime: Runtime, path: str) -> Applied:
    """Take a file over.

    Raises:
        NotFound, InvalidFile, Conflict: nothing was changed.
    """
    source = read_source(path)
    if runtime.existing_store is None:
        # A file that is not valid must not leave a state directory behind.
        load_definitions(source.data, source.shown)
    with runtime.store.transaction(runtime.now()) as tx:
        return stage_definitions(
            tx, source, zone=runtime.zone, random=runtime.random, keep=keeper(runtime.home)
        )


def preview(runtime: Runtime, path: str) -> Applied:
    """Return what taking a file over would change; nothing is changed.

    Raises:
        NotFound, InvalidFile, Conflict: it could not be taken over.
    """
    source = read_source(path)
    store = runtime.existing_store
    if store is None:
        own = with_own_defaults(load_definitions(source.data, source.shown))
        cues = FileCues(created=list(own.cues))
        return Applied(path=source.path, plan=plan_apply(None, own), cues=cues)
    with store.locked():
        tx = Transaction(store, runtime.now())
        return stage_definitions(
            tx, source, zone=runtime.zone, random=runtime.random, keep=would_keep
        )


def forget_file(runtime: Runtime, path: str) -> Applied:
    """Take out of force what a file defined, and delete its cues; the file may be gone.

    Raises:
        NotFound: it was not applied.
    """
    absolute = os.path.abspath(path)
    store = runtime.existing_store
    view = view_for(runtime.home, absolute)
    if store is not None and view != HOME_VIEW:
        with store.transaction(runtime.now()) as tx:
            if (record := tx.read(view)) is not None:
                return _stage_gone(tx, view, record, runtime)
    raise NotFound(f"'{path}' was not applied", hint="applied files: cuectl status")


def _stage_gone(tx: Transaction, view: str, record: Record, runtime: Runtime) -> Applied:
    making = Making(
        path=record["path"],
        shown=record["path"],
        zone=runtime.zone,
        random=runtime.random,
        keep=would_keep,
        before={},
        ids=record["cues"],
    )
    cues = stage_cues(tx, {}, making)
    stage_index(tx, record["cues"], {})
    detail = {"path": record["path"], "removed": True}
    tx.stage(Event(type="definitions.applied", set={view: None}, detail=detail))
    plan = plan_apply(_before(record), Definitions())
    return Applied(path=record["path"], plan=plan, cues=cues)
