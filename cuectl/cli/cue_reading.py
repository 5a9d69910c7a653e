"""Reading cues for commands that only look: the reader, its warnings, public forms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.cli.call import Call
    from cuectl.model.cue import Cue, CueState
    from cuectl.store.reading import Reader

Record = dict[str, Any]


def reader_of(call: Call) -> Reader:
    """Return what the command sees of the store; say what is wrong with it."""
    from cuectl.store.reading import open_reader

    reader = open_reader(call.runtime.existing_store)
    warn(call, reader)
    return reader


def warn(call: Call, reader: Reader) -> None:
    """Print what the reader has noted, once."""
    for note in reader.notes:
        call.out.warn(note)
    reader.notes.clear()


def readable_cues(call: Call, reader: Reader) -> Iterator[tuple[Cue, CueState]]:
    """Yield all cues; one that is damaged is named and left out."""
    from cuectl.engine.cue_lookup import cue_ids, read_cue
    from cuectl.model.errors import StateError

    for cue_id in sorted(cue_ids(reader)):
        try:
            known = read_cue(reader, cue_id)
        except StateError as error:
            call.out.warn(error.message, hint=error.hint)
            continue
        if known is not None:
            yield known


def public(call: Call, cue: Cue, state: CueState) -> Record:
    """Return the public form of a cue, a payload from its own file included."""
    from cuectl.model.cue_view import cue_view

    return cue_view(cue, state, payload_of(call, cue) if cue.payload_ref else None)


def payload_of(call: Call, cue: Cue) -> Record:
    """Return the payload of a cue, from its own file where it has one.

    Raises:
        StateError: the file is gone or damaged.
    """
    if not cue.payload_ref:
        return cue.payload
    from cuectl.model.errors import StateError
    from cuectl.store import payload_files

    try:
        return payload_files.read(call.runtime.home, cue.payload_ref)
    except (OSError, ValueError) as error:
        message = f"the payload of cue '{cue.name}' can't be read: {error}"
        raise StateError(message, hint="see: cuectl fsck") from error
