"""Finding executions, and showing them as they are now, with what they printed.

The record of a claim does not say whether its process was started, because that would cost a
commit; the pass that claimed it notes it in its spawn log (store-protocol.md, hole A14).
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache, partial
from itertools import islice

from cuectl.executions.rules.filter import ExecutionFilter, execution_view, has_begun
from cuectl.executions.rules.placement import executor_name, refusal_in_words
from cuectl.executions.rules.record import (
    FINAL,
    Execution,
    ExecutionStatus,
    Phase,
    execution_from_record,
    process_key,
)
from cuectl.executions.rules.reference import Reference, parse_reference
from cuectl.executions.rules.verdict import telling_line
from cuectl.process import process_tree
from cuectl.process.runtime import since_boot_ns
from cuectl.store import executor_memory, idle, output, pass_files, paths
from cuectl.store.history import settled_by_id, settled_newest_first
from cuectl.store.reading import Reader, open_reader
from cuectl.store.views import BadView
from cuectl.values.errors import NotFound, StateError
from cuectl.values.ids import (
    EXECUTION_PREFIX,
    LEAST_SUFFIX,
    by_start,
    is_start_of_id,
    nearest,
    not_found,
    quoted,
)
from cuectl.values.records import dataclass
from cuectl.values.times import from_text, span_in_words, to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.process.runtime import Runtime
    from cuectl.store.pass_files import Spawned
    from cuectl.values.records import Record
    from cuectl.values.safe_text import Masker

STARTS_AGAIN = "its pass died; the next one starts it"
RUNS_ON = "its pass died; it is still running"
LOST = "its process is gone; the next pass settles it"
ENDED = "it has ended and is being settled"
CHECKING = "its outcome is being checked"
_ID_LETTERS = len(EXECUTION_PREFIX) + 24
_NEAR_AMONG = 200
_SAY_NOTHING = frozenset({ExecutionStatus.TIMED_OUT, ExecutionStatus.INTERRUPTED})
_END_BYTES = 4096
_UNTAKEN_MS = 60_000


class Live:
    """Reads the passes once, and shows any number of executions."""

    def __init__(self, home: str, now: int) -> None:
        self.home = home
        self.now = now
        self._boot = idle.boot_id()
        self._log = cache(partial(pass_files.read_spawn_log, home))
        self._executors = cache(partial(executor_memory.read, home))
        self._is_alive = cache(partial(pass_files.is_alive, home))

    def of(self, record: Record) -> Record:
        """Return a record of `open/` or `waiting/` with its live status, start and reason."""
        if record.get("executor") and record.get("status") == "queued":
            return self._untaken(record)
        if record.get("status") not in ("pending", "running") or not record.get("pass_id"):
            return record
        changed = dict(record)
        if record.get("boot") != self._boot or self._boot == "-":
            return changed | {"status": ExecutionStatus.RUNNING.value, "reason": LOST}
        self._set(changed)
        return changed

    def _untaken(self, record: Record) -> Record:
        """Say for how long no worker has taken what is elsewhere, or could be sent there."""
        since = from_text(
            record.get("published_at") or record.get("created_at") or record["scheduled_for"]
        )
        known = self._executors().get(executor_name(record["executor"]), {})
        if record.get("published_at") is None:
            why = f": {known['why']}" if "why" in known else ""
            return (
                {**record, "reason": f"{record['reason']}, which can't be reached{why}"}
                if why
                else record
            )
        phase = Phase(record.get("phase") or Phase.MAIN)
        key = process_key(record["id"], record.get("attempt", 1), phase)
        refused = known.get("keys", {}).get(key, {}).get("refused")
        words = f"; {refusal_in_words(refused)}" if refused else ""
        words += f"; it can't be reached: {known['why']}" if "why" in known else ""
        waited_ms = self.now - since
        if waited_ms >= _UNTAKEN_MS:
            words = f"; no worker has taken it for {span_in_words(waited_ms / 1000)}{words}"
        return {**record, "reason": f"{record['reason']}{words}"}

    def _set(self, record: Record) -> None:
        phase = Phase(record.get("phase") or Phase.MAIN)
        key = process_key(record["id"], record.get("attempt", 1), phase)
        log = self._log(record["pass_id"])
        spawned = (log or {}).get(key)
        if log is not None and spawned is None:
            alive = self._is_alive(record["pass_id"])
            record["reason"] = record.get("reason") if alive else STARTS_AGAIN
            return
        record["status"] = ExecutionStatus.RUNNING.value
        record["reason"] = self._reason(record, spawned, phase)
        if spawned is not None and phase is Phase.MAIN:
            age_ms = (since_boot_ns() - spawned.started_ns) // 1_000_000
            record["started_at"] = to_text(self.now - age_ms)

    def _reason(self, record: Record, spawned: Spawned | None, phase: Phase) -> str | None:
        if spawned is None:
            return LOST
        if spawned.status is not None:
            return ENDED
        if self._is_alive(record["pass_id"]):
            return CHECKING if phase is Phase.CHECK else None
        return RUNS_ON if self._has_process(record, spawned) else LOST

    def _has_process(self, record: Record, spawned: Spawned) -> bool:
        attempt = record.get("attempt", 1)
        if output.is_leased(paths.run_file(self.home, record["id"], attempt, "out")):
            return True
        if spawned.pid and process_tree.is_alive(spawned.pid, spawned.started_ns):
            return True
        return process_tree.any_carries(record["id"], attempt)


def get_execution(runtime: Runtime, ref: str) -> Execution:
    """Return the execution that a person means, as recorded."""
    return execution_from_record(find_record(open_reader(runtime.existing_store), ref))


def find_record(reader: Reader, ref: str) -> Record:
    """Return the newest record of the execution that a person means.

    By its id, the start of one or its last letters, or as `reference.py` says. Raises NotFound.
    """
    found: Record | None = None
    if is_start_of_id(ref, EXECUTION_PREFIX):
        found = record_of(reader, ref) if len(ref) == _ID_LETTERS else _with_start(reader, ref)
    for find in () if found else (_of_cue, _with_suffix, _of_cue_gone):
        if found := find(reader, ref):
            break
    if found is None:
        raise _not_found(reader, ref)
    return found


def _of_cue(reader: Reader, ref: str) -> Record | None:
    """Return the run that is meant by the name of a cue; an exact name comes first."""
    for meant in (Reference(ref), parse_reference(ref)):
        if key := reader.read(paths.name_key(meant.name)):
            wanted = ExecutionFilter(cue_ids=(key["cue"],))
            found = _picked(reader, meant, wanted)
            if found is None:
                before = "no such run" if meant != Reference(meant.name) else "not run yet"
                message = f"cue '{meant.name}' has {before}"
                hint = f"its runs: cuectl executions list --cue {quoted(meant.name)}"
                raise NotFound(message, hint=hint)
            return found
    return None


def _of_cue_gone(reader: Reader, ref: str) -> Record | None:
    meant = parse_reference(ref)
    return _picked(reader, meant, ExecutionFilter(cue_name=meant.name))


def _picked(reader: Reader, meant: Reference, wanted: ExecutionFilter) -> Record | None:
    found = meant.pick(list_records(reader, wanted, 0), _local)
    return record_of(reader, found["id"]) if found else None


def _local(record: Record) -> str:
    import time

    seconds = from_text(record["scheduled_for"]) // 1000
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(seconds))


def _with_suffix(reader: Reader, ref: str) -> Record | None:
    if len(ref) < LEAST_SUFFIX or not (ref.isascii() and ref.isalnum() and ref == ref.lower()):
        return None
    ids = {name.removesuffix(".json") for name in _unsettled_names(reader)}
    needle = ((f'{ref}"'.encode("ascii"),),)
    ids.update(record["id"] for record in settled_newest_first(reader.history, needle))
    found = by_start(ref, f"{EXECUTION_PREFIX}{ref}", ids)
    return record_of(reader, found) if found else None


def record_of(reader: Reader, execution_id: str) -> Record | None:
    """Return the record of an execution by its whole id, None when there is none."""
    waiting = paths.waiting_execution(execution_id)
    # Waiting ones become open ones and the other way round, so one of the two is read twice.
    views = (waiting, paths.open_execution(execution_id), waiting)
    for path in (*views, paths.revised_execution(execution_id)):
        record = reader.read(path)
        if record is not None:
            return record
    return settled_by_id(reader.history, execution_id).get(execution_id)


def _with_start(reader: Reader, start: str) -> Record | None:
    ids = {name.removesuffix(".json") for name in _unsettled_names(reader)}
    ids.update(name.removesuffix(".json") for name in reader.names("revised"))
    found = by_start(start, start, ids.union(settled_by_id(reader.history, start)))
    return record_of(reader, found) if found else None


def _unsettled_names(reader: Reader) -> list[str]:
    waiting = reader.names("waiting")
    opened = reader.names("open")
    return [*dict.fromkeys([*waiting, *opened, *reader.names("waiting")])]


def no_execution(ref: str, near: str | None = None) -> NotFound:
    """Return the error for an id that no execution has."""
    return not_found("execution", ref, near, "all executions: cuectl executions list")


def _not_found(reader: Reader, ref: str) -> NotFound:
    known = [name.removesuffix(".json") for name in _unsettled_names(reader)]
    settled = settled_newest_first(reader.history, ())
    known += [record["id"] for record in islice(settled, max(0, _NEAR_AMONG - len(known)))]
    # Times in ids are alike, so only very near ones are worth naming.
    near = nearest(ref, known, cutoff=0.8)
    return no_execution(ref, near)


def list_records(reader: Reader, wanted: ExecutionFilter, now: int) -> Iterator[Record]:
    """Yield the executions that are asked for: first those not settled, then the settled ones.

    Of each kind the newest come first: by nominal time, and by when they were last changed.
    """

    def payload_of(record: Record) -> Record | None:
        return payload_in(reader, record)

    unsettled = unsettled_records(reader, now)
    # The journal is looked at after the views, so nothing falls between the two.
    history = reader.history
    found = [record for record in unsettled if wanted.matches(record, payload_of)]
    seen = {record["id"] for record in found}
    yield from found
    if not wanted.may_be_settled:
        return
    for record in settled_newest_first(history, wanted.needles(), wanted.since):
        if record["id"] not in seen and wanted.matches(record, payload_of):
            yield record


def unsettled_records(reader: Reader, now: int) -> list[Record]:
    """Return what is open or waits, with its live status, the newest nominal time first."""
    live = Live(reader.home, now)
    records = [_read(reader, name) for name in _unsettled_names(reader)]
    found = [live.of(one) for one in records if one and one.get("status") not in FINAL]
    # An id starts with its nominal time.
    return sorted(found, key=lambda record: str(record["id"]), reverse=True)


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
    from cuectl.store import handler_files

    try:
        return handler_files.read(reader.home, digest)
    except (OSError, ValueError) as error:
        reader.notes.append(f"the payload of '{record['id']}' can't be read: {error}")
        return None


def public(reader: Reader, record: Record) -> Record:
    """Return the public form of an execution (contracts.md, "JSON")."""
    is_kept = bool(record.get("payload_ref"))
    whole = {**record, "payload": payload_in(reader, record)} if is_kept else record
    path = output_path(reader.home, record)
    if path and record["status"] in _SAY_NOTHING and not record.get("last_line"):
        # Records of old have no line of it.
        with suppress(OSError):
            end = output.read_end(path, _END_BYTES).decode("utf-8", "replace")
            whole = {**whole, "last_line": telling_line(end)}
    return execution_view(whole, path)


def output_path(home: str, record: Record) -> str | None:
    """Return where the output of the newest attempt is, None when there is none."""
    if not has_begun(record):
        return None
    path = paths.run_file(home, record["id"], record.get("attempt", 1), "out")
    return path if os.path.exists(path) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutput:
    """The output files of one attempt; an agent's standard error and second turn have own ones."""

    execution_id: str
    attempt: int
    files: tuple[str, ...]


def output_of(home: str, record: Record, attempt: int | None, *, answer: bool = False) -> RunOutput:
    """Return where the output of an attempt is; of the newest that has one when None.

    With `answer`, only where the final text of an agent's turn is.
    """
    newest = record.get("attempt", 1)
    if attempt is not None and not 1 <= attempt <= newest:
        raise NotFound(f"'{record['id']}' has no attempt {attempt}; its newest is {newest}")
    for number in [attempt] if attempt else range(newest, 0, -1):
        found = tuple(
            path
            for suffix in ("out", "err", "followup.out", "followup.err")
            if os.path.exists(path := paths.run_file(home, record["id"], number, suffix))
        )
        if found and answer:
            # Where the final text is not the output itself, it has a file of its own.
            own = paths.run_file(home, record["id"], number, "answer")
            found = (own,) if os.path.exists(own) else found[:1]
        if found:
            return RunOutput(execution_id=record["id"], attempt=number, files=found)
    raise _no_output(record)


def _no_output(record: Record) -> NotFound:
    status = record["status"]
    if record.get("started_at") is None:
        return NotFound(f"'{record['id']}' has no output: it never started ({status})")
    hint = "how long outputs are kept: settings, retention, in cue.yaml"
    return NotFound(f"the output of '{record['id']}' is no longer kept", hint=hint)


def chunks(path: str, masker: Masker | None, tail: int | None) -> Iterator[bytes]:
    """Yield an output file in pieces, masked; only its last `tail` lines when given."""
    if tail is None:
        yield from _masked(output.pieces(path), masker)
        return
    # A secret may start before the first line that is shown.
    ahead = masker.longest if masker else 0
    start = output.start_of_tail(path, tail)
    data = b"".join(_masked(output.pieces(path, max(0, start - ahead)), masker))
    yield _last_lines(data, tail)


def _masked(pieces: Iterator[bytes], masker: Masker | None) -> Iterator[bytes]:
    if masker is None:
        yield from pieces
        return
    stream = masker.stream()
    for piece in pieces:
        yield stream.feed(piece)
    yield stream.finish()


def _last_lines(data: bytes, count: int) -> bytes:
    if count == 0:
        return b""
    end = len(data) - 1 if data.endswith(b"\n") else len(data)
    for _ in range(count):
        end = data.rfind(b"\n", 0, end)
        if end < 0:
            return data
    return data[end + 1 :]
