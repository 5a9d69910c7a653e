"""The cues of a definition file: made, changed and deleted with the file, in its group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cues.change import stage_delete, stage_update
from cuectl.cues.create import Making, creation_event, cue_from_definition
from cuectl.cues.lookup import check_name_is_free, read_cue_by_name
from cuectl.events.lines import index_views, is_subscription
from cuectl.executions.effects import Effects
from cuectl.store import paths
from cuectl.store.journal.lines import JournalEntry
from cuectl.values.errors import Conflict, InvalidFile, UsageError
from cuectl.values.ids import quoted
from cuectl.values.records import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cuectl.definitions.rules.definitions import CueDefinition
    from cuectl.store.store import Transaction


@dataclass(slots=True, kw_only=True)
class FileCues:
    """What became of the cues of a file, by name; `ids` has those of all of them."""

    ids: dict[str, str] = field(default_factory=dict)
    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)


def stage_cues(tx: Transaction, wanted: Mapping[str, CueDefinition], to: Making) -> FileCues:
    """Stage what makes the cues of a file equal to what it says. Raises InvalidFile, Conflict."""
    made = FileCues()
    for name, identity in to.ids.items():
        if name not in wanted and (known := read_cue_by_name(tx, identity)) is not None:
            effects = Effects(now=tx.now, random=to.random, reactions=to.reactions)
            stage_delete(tx, *known, effects)
            made.deleted.append(name)
    for name, definition in wanted.items():
        made.ids[name] = _make(tx, definition, to, made)
    return made


def stage_index(tx: Transaction, old: Mapping[str, str], new: Mapping[str, str]) -> None:
    """Stage who listens to which events once the file's cues, name to id, are others."""
    known = [read_cue_by_name(tx, identity) for identity in new.values()]
    listening = [one[0] for one in known if one is not None and is_subscription(one[0])]
    if not listening and not old:
        return
    views = index_views(tx, old.values(), listening)
    if views:
        tx.stage(JournalEntry(type="definitions.indexed", set=views))


def _make(tx: Transaction, definition: CueDefinition, to: Making, made: FileCues) -> str:
    name = definition.name
    known = read_cue_by_name(tx, to.ids[name]) if name in to.ids else None
    if known is None:
        _check_name(tx, name, to)
    try:
        cue = cue_from_definition(definition, to, known[0] if known else None, tx.now)
    except UsageError as error:
        message = f"cue '{name}': {error.message}"
        raise InvalidFile(message, path=to.shown, hint=error.hint) from error
    if known is None:
        tx.stage(creation_event(tx, cue, tx.now))
        made.created.append(name)
    elif stage_update(tx, *known, cue):
        made.updated.append(name)
    return cue.id


def _check_name(tx: Transaction, name: str, to: Making) -> None:
    try:
        check_name_is_free(tx, name)
    except Conflict as error:
        known = read_cue_by_name(tx, (tx.read(paths.name_key(name)) or {"cue": ""})["cue"])
        where = known[0].origin.path if known else None
        whose = f"a cue of '{where}'" if where else "a cue that was made by hand"
        hint = f"give one of them another name, or delete the other: cuectl delete {quoted(name)}"
        message = f"cue '{name}' of '{to.shown}' has the name of {whose}"
        raise Conflict(message, hint=hint) from error
