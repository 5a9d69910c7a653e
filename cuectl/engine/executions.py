"""Finding executions, open and settled ones, and showing them as they are now."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cuectl.engine.live import Live
from cuectl.model.errors import NotFound, StateError
from cuectl.model.execution import Execution, execution_from_record
from cuectl.model.execution_status import FINAL
from cuectl.model.execution_view import execution_view, has_begun
from cuectl.model.ids import EXECUTION_PREFIX
from cuectl.store import paths
from cuectl.store.execution_history import settled_by_id, settled_newest_first
from cuectl.store.reading import Reader, open_reader
from cuectl.store.views import BadView

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.engine.runtime import Runtime
    from cuectl.model.execution_filter import ExecutionFilter

Record = dict[str, Any]

LEAST_LETTERS = 4
_ID_LETTERS = len(EXECUTION_PREFIX) + 24
_SHOWN_IDS = 3
_NEAR_AMONG = 200


def get_execution(runtime: Runtime, ref: str) -> Execution:
    """Return the execution with an id, or the start of one, as it is recorded.

    Raises:
        NotFound: there is none, or more than one.
    """
    return execution_from_record(find_record(open_reader(runtime.existing_store), ref))


def find_record(reader: Reader, ref: str) -> Record:
    """Return the newest record of the execution with an id, or the start of one.

    Raises:
        NotFound: there is none, or more than one; near ids are named.
    """
    if not _is_start_of_id(ref):
        raise _not_found(reader, ref)
    found = record_of(reader, ref) if len(ref) == _ID_LETTERS else _with_start(reader, ref)
    if found is None:
        raise _not_found(reader, ref)
    return found


def _is_start_of_id(ref: str) -> bool:
    letters = ref.removeprefix(EXECUTION_PREFIX)
    return letters != ref and len(letters) >= LEAST_LETTERS and letters.isalnum()


def record_of(reader: Reader, execution_id: str) -> Record | None:
    """Return the record of an execution by its whole id, None when there is none."""
    # Waiting ones become open ones and the other way round, so one of the two is read twice.
    for path in (
        paths.waiting_execution(execution_id),
        paths.open_execution(execution_id),
        paths.waiting_execution(execution_id),
        paths.revised_execution(execution_id),
    ):
        record = reader.read(path)
        if record is not None:
            return record
    return settled_by_id(reader.history, execution_id).get(execution_id)


def _with_start(reader: Reader, start: str) -> Record | None:
    ids = {name.removesuffix(".json") for name in _unsettled_names(reader)}
    ids.update(name.removesuffix(".json") for name in reader.names("revised"))
    found = {one for one in ids if one.startswith(start)} | set(
        settled_by_id(reader.history, start)
    )
    if len(found) > 1:
        shown = ", ".join(sorted(found)[:_SHOWN_IDS]) + (", ..." if len(found) > _SHOWN_IDS else "")
        raise NotFound(f"'{start}' is ambiguous: {shown}")
    return record_of(reader, found.pop()) if found else None


def _unsettled_names(reader: Reader) -> list[str]:
    waiting = reader.names("waiting")
    opened = reader.names("open")
    return [*dict.fromkeys([*waiting, *opened, *reader.names("waiting")])]


def _not_found(reader: Reader, ref: str) -> NotFound:
    import difflib

    from cuectl.model.terminal_text import visible

    shown = visible(ref if len(ref) <= 80 else f"{ref[:77]}...", newlines=False, tabs=False)
    known = [name.removesuffix(".json") for name in _unsettled_names(reader)]
    for record in settled_newest_first(reader.history, ()):
        if len(known) >= _NEAR_AMONG:
            break
        known.append(record["id"])
    # Times in ids are alike, so only very near ones are worth naming.
    near = difflib.get_close_matches(ref[:80], known, n=1, cutoff=0.8)
    hint = "all executions: cuectl executions list"
    hint = f"did you mean '{near[0]}'? {hint}" if near else hint
    return NotFound(f"no execution '{shown}'", hint=hint)


def list_records(reader: Reader, wanted: ExecutionFilter, now: int) -> Iterator[Record]:
    """Yield the executions that are asked for.

    Those that are not settled come first, then the settled ones; of each kind the newest
    first: by nominal time, and by when they were settled or last changed.
    """

    def payload_of(record: Record) -> Record | None:
        return payload_in(reader, record)

    unsettled = unsettled_records(reader, now)
    # The journal is looked at after the views, so nothing falls between the two.
    history = reader.history
    seen: set[str] = set()
    found = [record for record in unsettled if wanted.matches(record, payload_of)]
    seen.update(record["id"] for record in found)
    yield from found
    if not wanted.may_be_settled:
        return
    for record in settled_newest_first(history, wanted.needles(), wanted.since):
        if record["id"] not in seen and wanted.matches(record, payload_of):
            yield record


def unsettled_records(reader: Reader, now: int) -> list[Record]:
    """Return what is open or waits, with its live status, the newest nominal time first."""
    live = Live(reader.home, now)
    found: list[Record] = []
    for name in _unsettled_names(reader):
        record = _read(reader, name)
        if record is not None and record.get("status") not in FINAL:
            found.append(live.of(record))
    # An id begins with its nominal time.
    found.sort(key=lambda record: str(record["id"]), reverse=True)
    return found


def _read(reader: Reader, name: str) -> Record | None:
    try:
        record = reader.read(f"open/{name}")
        return reader.read(f"waiting/{name}") if record is None else record
    except BadView as error:
        message = f"the record of execution '{name.removesuffix('.json')}' is damaged"
        raise StateError(message, hint="see: cuectl fsck") from error


def live_record(reader: Reader, record: Record, now: int) -> Record:
    """Return a record with its live status."""
    return Live(reader.home, now).of(record)


def payload_in(reader: Reader, record: Record) -> Record | None:
    """Return the payload of an execution, None when it was kept in a file that is gone."""
    digest = record.get("payload_ref")
    if not digest:
        payload = record.get("payload")
        return payload if isinstance(payload, dict) else {}
    from cuectl.store import payload_files

    try:
        return payload_files.read(reader.home, digest)
    except (OSError, ValueError) as error:
        reader.notes.append(f"the payload of '{record['id']}' can't be read: {error}")
        return None


def public(reader: Reader, record: Record) -> Record:
    """Return the public form of an execution (contracts.md, "JSON")."""
    whole = record
    if record.get("payload_ref"):
        whole = {**record, "payload": payload_in(reader, record)}
    return execution_view(whole, output_path(reader.home, record))


def output_path(home: str, record: Record) -> str | None:
    """Return where the output of the newest attempt is, None when there is none."""
    if not has_begun(record):
        return None
    path = paths.run_file(home, record["id"], record.get("attempt", 1), "out")
    return path if os.path.exists(path) else None
