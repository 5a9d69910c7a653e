"""Finding a cue by id, by the start of an id or by name, and names that are free."""

from __future__ import annotations

from cuectl.cues.rules.record import AT_REST, Cue, CueState, cue_from_record, state_from_record
from cuectl.store import paths
from cuectl.store.views import BadView
from cuectl.values.errors import Conflict, NotFound, StateError
from cuectl.values.ids import CUE_PREFIX, by_start, is_start_of_id, nearest, not_found, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.store.reading import ViewReader

_ID_LETTERS = 12
# Beyond this many cues, reading all their names takes longer than a typing mistake is worth.
_MOST_NAMES_READ = 2_000
_MOST_NAMES_TRIED = 10_000


class NameTaken(Conflict):
    """Another cue has the name."""


def read_cue_by_name(source: ViewReader, cue_id: str) -> tuple[Cue, CueState] | None:
    """Return the cue with this very id, None when there is none."""
    try:
        record = source.read(paths.cue(cue_id))
        state = source.read(paths.state(cue_id)) if record is not None else None
        if record is None or state is None:
            return None
        return cue_from_record(record), state_from_record(state)
    except (BadView, KeyError, TypeError, ValueError) as error:
        message = f"the record of cue '{cue_id}' is damaged"
        raise StateError(message, hint="see: cuectl fsck") from error


def find_cue(source: ViewReader, ref: str) -> tuple[Cue, CueState]:
    """Return the cue that a person means by a name, an id, or at least four letters of one."""
    may_be_id = is_start_of_id(ref, CUE_PREFIX)
    is_whole = may_be_id and len(ref) == len(CUE_PREFIX) + _ID_LETTERS
    found = read_cue_by_name(source, ref) if is_whole else None
    if found is None:
        key = source.read(paths.name_key(ref))
        found = read_cue_by_name(source, key["cue"]) if key else None
    if found is None and may_be_id and (cue_id := by_start(ref, ref, cue_ids(source))):
        found = read_cue_by_name(source, cue_id)
    if found is None:
        raise no_cue(ref, _near_name(source, ref))
    return found


def no_cue(ref: str, near: str | None = None) -> NotFound:
    """Return the error for a name or id that no cue has."""
    return not_found("cue named", ref, near, "all names: cuectl list")


def all_cues(source: ViewReader) -> Iterator[tuple[Cue, CueState]]:
    """Yield every cue, in the order of their ids."""
    for cue_id in sorted(cue_ids(source)):
        known = read_cue_by_name(source, cue_id)
        if known is not None:
            yield known


def cue_ids(source: ViewReader) -> list[str]:
    """Return the ids of all cues."""
    return [name[:-5] for name in source.names("cues") if name.count(".") == 1]


def _near_name(source: ViewReader, ref: str) -> str | None:
    ids = cue_ids(source)
    if len(ids) > _MOST_NAMES_READ:
        return None
    return nearest(ref, ((source.read(paths.cue(each)) or {}).get("name", "") for each in ids))


def check_name_is_free(source: ViewReader, name: str, *, own_id: str | None = None) -> None:
    """Check that a name is free, or had by a cue at rest, or by the cue itself."""
    key = source.read(paths.name_key(name))
    if key is None or key["cue"] == own_id:
        return
    known = read_cue_by_name(source, key["cue"])
    if known is not None and known[1].status not in AT_REST:
        hint = f"change it with: cuectl update {quoted(name)}"
        raise NameTaken(f"a cue named '{name}' exists ({known[0].id})", hint=hint)


def free_name(source: ViewReader, base: str) -> str:
    """Return the first name that no cue has: `base`, or `base-2`, `base-3`, ..."""
    numbered = (f"{base}-{number}" for number in range(2, _MOST_NAMES_TRIED))
    for name in (base, *numbered):
        if source.read(paths.name_key(name)) is None:
            return name
    raise Conflict(f"there are too many cues named like '{base}'", hint="give a name: --name NAME")
