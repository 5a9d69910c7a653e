"""The cues of a definition file: made, changed and deleted with the file, in its group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.engine.cue_changes import stage_delete, stage_update
from cuectl.engine.cue_lookup import read_cue
from cuectl.engine.cues import check_name_is_free, creation_event
from cuectl.engine.listeners import index_views, is_subscription
from cuectl.model.cue import Cue, Origin
from cuectl.model.cue_draft import CueDraft
from cuectl.model.draft_policy import check_policy
from cuectl.model.draft_trigger import read_trigger
from cuectl.model.errors import Conflict, InvalidFile, UsageError
from cuectl.model.ids import cue_id
from cuectl.model.subscription_cue import EVENT
from cuectl.model.values import dataclass, field, replace
from cuectl.store import paths
from cuectl.store.lines import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cuectl.engine.payloads import Keep
    from cuectl.model.definitions import CueDefinition
    from cuectl.store.store import Transaction

Record = dict[str, Any]

ORIGIN_KIND = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """What making the cues of one file needs.

    Attributes:
        path: the file, absolute; the origin of its cues.
        shown: the file, in messages.
        zone: the time zone of schedules that name none.
        before: the cues of the file as it was last taken over.
        ids: name to id of the cues that it made.
    """

    path: str
    shown: str
    zone: str
    random: Callable[[int], bytes]
    keep: Keep
    before: Mapping[str, CueDefinition]
    ids: Mapping[str, str]


@dataclass(slots=True, kw_only=True)
class FileCues:
    """What became of the cues of a file.

    Attributes:
        ids: name to id of all cues of the file.
        created, updated, deleted: their names.
    """

    ids: dict[str, str] = field(default_factory=dict)
    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)


def stage_cues(tx: Transaction, wanted: Mapping[str, CueDefinition], to: Making) -> FileCues:
    """Stage what makes the cues of a file equal to what it says.

    Raises:
        InvalidFile: a cue can't be made: a time that is past, a payload that is too large.
        Conflict: a name is that of a cue from elsewhere.
    """
    made = FileCues()
    for name, identity in to.ids.items():
        if name not in wanted:
            _delete(tx, name, identity, to, made)
    for name, definition in wanted.items():
        made.ids[name] = _make(tx, definition, to, made)
    return made


def stage_index(tx: Transaction, old: Mapping[str, str], new: Mapping[str, str]) -> None:
    """Stage who listens to which events once the cues of one file are others.

    Args:
        tx: the change, in which the cues are staged.
        old: name to id of the cues that the file had.
        new: name to id of those that it has.
    """
    known = [read_cue(tx, identity) for identity in new.values()]
    listening = [one[0] for one in known if one is not None and is_subscription(one[0])]
    if not listening and not old:
        return
    views = index_views(tx, old.values(), listening)
    if views:
        tx.stage(Event(type="definitions.indexed", set=views))


def _delete(tx: Transaction, name: str, identity: str, to: Making, made: FileCues) -> None:
    known = read_cue(tx, identity)
    if known is not None:
        stage_delete(tx, *known, to.random)
        made.deleted.append(name)


def _make(tx: Transaction, definition: CueDefinition, to: Making, made: FileCues) -> str:
    name = definition.name
    known = read_cue(tx, to.ids[name]) if name in to.ids else None
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
        known = read_cue(tx, (tx.read(paths.name_key(name)) or {"cue": ""})["cue"])
        where = known[0].origin.path if known else None
        whose = f"a cue of '{where}'" if where else "a cue that was made by hand"
        hint = f"give one of them another name, or delete the other: cuectl delete '{name}'"
        message = f"cue '{name}' of '{to.shown}' has the name of {whose}"
        raise Conflict(message, hint=hint) from error


def cue_from_definition(definition: CueDefinition, to: Making, old: Cue | None, now: int) -> Cue:
    """Return the cue that a definition asks for.

    Raises:
        UsageError: its time is past, its payload too large, its policy contradicts itself.
    """
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
        origin=Origin(kind=ORIGIN_KIND, path=to.path),
        created_at=old.created_at if old else now,
        updated_at=old.updated_at if old else now,
    )
    return cue if cue == old else replace(cue, updated_at=now)


def _trigger(definition: CueDefinition, to: Making, old: Cue | None, now: int) -> Record:
    said = definition.trigger
    if said["type"] == EVENT:
        return dict(said)
    before = to.before.get(definition.name)
    if said["type"] == "at" and old is not None and before is not None and before.trigger == said:
        # A one-shot that was taken over once is not past, and `tomorrow` does not move on.
        return old.trigger
    schedule = CueDraft(
        cron=said.get("expression"),
        at=said.get("at"),
        every_s=said.get("every_s"),
        timezone=said.get("timezone") if said["type"] in ("cron", "at") else None,
        manual=said["type"] == "manual",
    )
    beating = old.trigger if old is not None and old.trigger["type"] == "every" else None
    trigger = read_trigger(schedule, now=now, zone=to.zone, old=beating)
    return trigger or {"type": "manual"}
