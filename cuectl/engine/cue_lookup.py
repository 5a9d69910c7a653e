"""Finding a cue by id, by the start of an id or by name; a near miss is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.model.cue import Cue, CueState, cue_from_record, state_from_record
from cuectl.model.errors import NotFound, StateError
from cuectl.model.ids import CUE_PREFIX
from cuectl.store import paths
from cuectl.store.views import BadView

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.engine.view_source import ViewSource

LEAST_LETTERS = 4
_ID_LETTERS = 12
# Beyond this many cues, reading all their names takes longer than a typing mistake is worth.
_MOST_NAMES_READ = 2_000
_SHOWN_IDS = 3


def read_cue(source: ViewSource, cue_id: str) -> tuple[Cue, CueState] | None:
    """Return the cue with this very id, None when there is none.

    Raises:
        StateError: its record is damaged.
    """
    try:
        record = source.read(paths.cue(cue_id))
        state = source.read(paths.state(cue_id)) if record is not None else None
        if record is None or state is None:
            return None
        return cue_from_record(record), state_from_record(state)
    except (BadView, KeyError, TypeError, ValueError) as error:
        message = f"the record of cue '{cue_id}' is damaged"
        raise StateError(message, hint="see: cuectl fsck") from error


def find_cue(source: ViewSource, ref: str) -> tuple[Cue, CueState]:
    """Return the cue that a person means.

    Args:
        source: what to look in.
        ref: an id, a name, or `cue_` with at least four letters of one id.

    Raises:
        NotFound: there is none, or more than one; near names and ids are named.
    """
    found = read_cue(source, ref) if _is_id(ref) else None
    if found is None:
        key = source.read(paths.name_key(ref))
        found = read_cue(source, key["cue"]) if key else None
    if found is None and _is_start_of_id(ref):
        found = _by_start(source, ref)
    if found is None:
        raise _not_found(source, ref)
    return found


def all_cues(source: ViewSource) -> Iterator[tuple[Cue, CueState]]:
    """Yield every cue, in the order of their ids."""
    for cue_id in sorted(cue_ids(source)):
        known = read_cue(source, cue_id)
        if known is not None:
            yield known


def cue_ids(source: ViewSource) -> list[str]:
    """Return the ids of all cues."""
    return [name[:-5] for name in source.names("cues") if name.count(".") == 1]


def _is_id(ref: str) -> bool:
    return _is_start_of_id(ref) and len(ref) == len(CUE_PREFIX) + _ID_LETTERS


def _is_start_of_id(ref: str) -> bool:
    letters = ref.removeprefix(CUE_PREFIX)
    return (
        letters != ref
        and LEAST_LETTERS <= len(letters) <= _ID_LETTERS
        and letters.isascii()
        and letters.isalnum()
    )


def _by_start(source: ViewSource, ref: str) -> tuple[Cue, CueState] | None:
    ids = sorted(cue_id for cue_id in cue_ids(source) if cue_id.startswith(ref))
    if len(ids) > 1:
        shown = ", ".join(ids[:_SHOWN_IDS]) + (", ..." if len(ids) > _SHOWN_IDS else "")
        raise NotFound(f"'{ref}' is ambiguous: {shown}")
    return read_cue(source, ids[0]) if ids else None


def _not_found(source: ViewSource, ref: str) -> NotFound:
    from cuectl.model.terminal_text import visible

    shown = visible(ref if len(ref) <= 80 else f"{ref[:77]}...", newlines=False, tabs=False)
    near = _near_name(source, ref)
    hint = "all names: cuectl list"
    hint = f"did you mean '{near}'? {hint}" if near else hint
    return NotFound(f"no cue named '{shown}'", hint=hint)


def _near_name(source: ViewSource, ref: str) -> str | None:
    ids = cue_ids(source)
    if not 0 < len(ids) <= _MOST_NAMES_READ:
        return None
    import difflib

    names = [(source.read(paths.cue(cue_id)) or {}).get("name", "") for cue_id in ids]
    close = difflib.get_close_matches(ref[:80], names, n=1)
    return close[0] if close else None
