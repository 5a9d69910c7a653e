"""Making cues: the one way in which a cue comes into being, whoever asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.engine.cue_lookup import read_cue
from cuectl.engine.cue_schedule import coming_fires, marker_of
from cuectl.model.cue import AT_REST, Cue, CueState, CueStatus
from cuectl.model.errors import Conflict
from cuectl.model.names import check_name
from cuectl.model.values import replace
from cuectl.store import paths
from cuectl.store.lines import Event, Views

if TYPE_CHECKING:
    from cuectl.engine.view_source import ViewSource

MOST_NAMES_TRIED = 10_000


def creation_event(tx: ViewSource, cue: Cue, now: int) -> Event:
    """Return the event that makes a cue, with its state, name and place in the agenda.

    A cue that waits for its parent (`origin.when`) is held and has no place yet.

    Args:
        tx: the change that the event will be part of.
        cue: as it should be; its id is fresh.
        now: the instant of the change.

    Raises:
        UsageError: the name can't be one.
        Conflict: a cue that is not at rest has the name.
    """
    check_name(cue.name, "cue")
    check_name_is_free(tx, cue.name)
    views: Views = {paths.cue(cue.id): cue.to_record()}
    status = CueStatus.HELD if cue.origin.when else CueStatus.ACTIVE
    views |= planned_views(cue, CueState(status=status), now)
    views[paths.name_key(cue.name)] = {"cue": cue.id}
    return Event(type="cue.created", ids=ids_of(cue), set=views)


def check_name_is_free(tx: ViewSource, name: str, *, own_id: str | None = None) -> None:
    """Check that a name is free, or had by a cue at rest, or by the cue itself.

    Raises:
        Conflict: another cue has it.
    """
    key = tx.read(paths.name_key(name))
    if key is None or key["cue"] == own_id:
        return
    known = read_cue(tx, key["cue"])
    if known is not None and known[1].status not in AT_REST:
        hint = f"change it with: cuectl update {quoted_name(name)}"
        raise Conflict(f"a cue named '{name}' exists ({known[0].id})", hint=hint)


def free_name(tx: ViewSource, base: str) -> str:
    """Return `base`, or `base-2`, `base-3`, ...: the first name that nobody has."""
    if tx.read(paths.name_key(base)) is None:
        return base
    for number in range(2, MOST_NAMES_TRIED):
        name = f"{base}-{number}"
        if tx.read(paths.name_key(name)) is None:
            return name
    raise Conflict(f"there are too many cues named like '{base}'", hint="give a name: --name NAME")


def planned_views(cue: Cue, state: CueState, now: int) -> Views:
    """Return the views of a cue that is planned from `now` on: state, fires, marker.

    A cue at rest becomes active; a paused one knows its next time and has no marker; a held
    one has neither.

    Args:
        cue: its definition, as it will be.
        state: as it is; the next nominal time is set anew.
        now: what is due at this instant or before will not fire, but for one-shots.
    """
    if state.status is CueStatus.HELD:
        return {paths.state(cue.id): replace(state, next_at=None).to_record()}
    fires = coming_fires(cue, now)
    next_at = fires[0] if fires else None
    status = CueStatus.ACTIVE if state.status in AT_REST else state.status
    planned = replace(state, status=status, next_at=next_at)
    views: Views = {paths.state(cue.id): planned.to_record()}
    if cue.trigger["type"] == "cron":
        views[paths.fires(cue.id)] = {"fires": fires}
    if next_at is not None and status is CueStatus.ACTIVE:
        views[marker_of(cue, next_at)] = True
    return views


def ids_of(cue: Cue) -> dict[str, str]:
    """Return the members of a line that say which cue it is about, and whose child it is."""
    ids = {"cue": cue.id}
    if cue.origin.root:
        ids["root"] = cue.origin.root
    if cue.origin.parent:
        ids["parent"] = cue.origin.parent
    return ids


def quoted_name(name: str) -> str:
    """Return a name as it can be typed in a shell."""
    return f"'{name}'" if " " in name else name
