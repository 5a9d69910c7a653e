"""`gc`: packing closed segments, dropping what is older than it is kept, sweeping leftovers.

Every step can be interrupted and leaves the store whole: a packed segment is read back before the
raw one goes, a base stands before the segments that it replaces are dropped, and nothing that is
undecided names what is removed (store-protocol.md, hole A33). Small records whose executions are
no longer in the journal go with it.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING

from cuectl.cues.rules.record import AT_REST
from cuectl.store import files, paths
from cuectl.store.home import named_lock
from cuectl.store.journal.check import Replay
from cuectl.store.journal.checkpoint import checkpoint
from cuectl.store.journal.lines import JournalEntry, Position, read_applied
from cuectl.store.journal.segments import (
    LARGEST,
    base_file,
    base_name,
    blocks,
    first_at,
    number_of,
    segment_files,
    write_base,
)
from cuectl.store.output import KEEP
from cuectl.store.repair.fsck import run_files, temporary_files
from cuectl.store.views import FOLDERS, BadView, read_view
from cuectl.values.errors import StateError
from cuectl.values.ids import time_of
from cuectl.values.records import dataclass, field
from cuectl.values.times import DAY, days_from_civil, from_text, to_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cuectl.store.journal.lines import Views
    from cuectl.store.store import Store, Transaction
    from cuectl.values.records import Record

LOCK_NAME = "gc"
_PACKING_LEVEL = 6
_KEPT_RAW = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How long what a run has left in `runs/` is kept, and the journal with its executions."""

    output_s: float
    journal_s: float


@dataclass(slots=True, kw_only=True)
class Collected:
    """What was done, or would be; `base` stands for what was dropped."""

    packed: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    freed_bytes: int = 0
    base: str | None = None
    forgotten: int = 0


def collect(
    store: Store,
    keep: Keep,
    now: int,
    *,
    dry_run: bool = False,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> Collected:
    """Pack, drop and sweep; or say what would be done.

    Raises StateError: the journal is damaged; nothing is dropped from it. Raises LockTimeout.
    Raises OSError: interrupted; the rest is done by the next one.
    """
    done = Collected()
    with named_lock(store.home, LOCK_NAME):
        if not dry_run:
            # After it no process starts to read the journal in a segment that is packed now.
            checkpoint(store)
        journal_limit = now - round(keep.journal_s * 1000)
        sealed = _sealed(store)
        old = _written_before(sealed, journal_limit)
        if old:
            _drop(store, old, done, to_text(now), dry_run=dry_run)
        to_pack = sealed[len(old) : max(len(old), len(sealed) - _KEPT_RAW)]
        for number, path in enumerate(to_pack):
            progress("packing the journal", number, len(to_pack))
            _pack(path, done, dry_run=dry_run)
        output_limit = now - round(keep.output_s * 1000)
        sweep = _Sweep(store, now=now, output_limit=output_limit, journal_limit=journal_limit)
        done.removed, freed = sweep.run(dry_run=dry_run)
        done.freed_bytes += freed
        done.forgotten = _forget(store, now, journal_limit, dry_run=dry_run)
    return done


def _sealed(store: Store) -> list[str]:
    """Return the segments before the one where every process would begin, oldest first."""
    known = read_applied(f"{store.home}/journal/checkpoint")
    first = number_of(known.position.segment) if known else 0
    return [path for path in segment_files(store.home) if number_of(path) < first]


def _written_before(sealed: list[str], limit: int) -> list[str]:
    """Return the segments that were written before `limit`, never the last sealed one."""
    old = []
    for path, later in pairwise(sealed):
        ends = first_at(later)
        if ends is None or ends >= limit:
            break
        old.append(path)
    return old


def _pack(path: str, done: Collected, *, dry_run: bool) -> None:
    packed = path.removesuffix(".gz") + ".gz"
    if path == packed:
        return
    done.packed.append(os.path.basename(path))
    if dry_run:
        return
    import gzip

    raw = files.read_file(path, LARGEST) or b""
    files.replace_file(packed, gzip.compress(raw, _PACKING_LEVEL, mtime=0), durable=True)
    back = files.read_file(packed, LARGEST) or b""
    if gzip.decompress(back) != raw:
        files.remove_file(packed)
        raise OSError(5, "what was packed can't be read back", packed)
    files.remove_file(path)
    done.freed_bytes += len(raw) - len(back)


def _drop(store: Store, old: list[str], done: Collected, at: str, *, dry_run: bool) -> None:
    replay = Replay(store.home)
    last = os.path.basename(old[-1]).removesuffix(".gz")
    replay.run(Position(segment=last, size=sys.maxsize))
    if replay.damage:
        first = replay.damage[0]
        words = f"'{first.subject}' is damaged: {first.message}"
        raise StateError(words, hint="nothing was dropped; see: cuectl fsck")
    done.dropped += [os.path.basename(path) for path in old]
    done.base = base_name(replay.place.seq)
    done.freed_bytes += sum(os.stat(path).st_size for path in old)
    if dry_run:
        return
    write_base(store.home, replay.place.seq, replay.place.sum, replay.views, at)
    for path in old:
        files.remove_file(path)
    for name in files.list_directory(f"{store.home}/journal"):
        if name.startswith("base-") and name < done.base:
            files.remove_file(f"{store.home}/journal/{name}")


_LOCKED_FOLDERS = ("", "due", "journal", *FOLDERS)
_REFERENCE = re.compile(rb'"payload_ref":"([0-9a-f]{64})"')


class _Sweep:
    """Removes files that were kept long enough, and those that dead processes left.

    File times are the machine's, days and limits those of the store.
    """

    def __init__(self, store: Store, *, now: int, output_limit: int, journal_limit: int) -> None:
        self.store = store
        self.home = store.home
        self.now = now
        self.output_limit = output_limit
        self.journal_limit = journal_limit

    def run(self, *, dry_run: bool) -> tuple[list[str], int]:
        """Remove what is to go; return the paths below the home, and how many bytes they had."""
        found = [*self._outputs(), *self._payloads(), *self._temporaries(), *self._put_aside()]
        found += self._beside_views()
        removed = [path for path, _ in found]
        if not dry_run:
            self._remove(removed)
            self._remove_empty_days()
        return removed, sum(size for _, size in found)

    def _remove(self, removed: list[str]) -> None:
        # With the lock no view is being written, so a temporary file of one is a dead one's.
        with self.store.locked():
            undecided = self._undecided()
            for path in removed:
                execution = os.path.basename(path).partition(".")[0]
                if not (path.startswith("runs/") and execution in undecided):
                    files.remove_file(f"{self.home}/{path}")

    def _outputs(self) -> Iterator[tuple[str, int]]:
        with self.store.locked():
            undecided = self._undecided()
        found = [one for one in run_files(self.home) if one[0] not in undecided]
        own = {identity: path for identity, path in found if path.endswith(f".{KEEP}")}
        limits = {identity: self._limit_in(path) for identity, path in own.items()}
        for identity, path in found:
            limit = limits.get(identity, self.output_limit)
            if identity in limits or self._is_over(path.split("/")[1]):
                yield from self._older(path, limit)

    def _limit_in(self, path: str) -> int:
        """Return the limit of an execution whose output is kept for a time of its own."""
        text = (files.read_file(f"{self.home}/{path}") or b"").decode("ascii", "replace")
        return self.now - int(text) * 1000 if text.isdigit() else self.output_limit

    def _undecided(self) -> set[str]:
        names = [*self.store.names("open"), *self.store.names("waiting")]
        live = [name[5:] for name in self.store.names("workflows") if name.startswith("live.")]
        # The files of a child have the name of the run above it before the first dot.
        return {name.partition(".")[0] for name in (*names, *live)}

    def _payloads(self) -> list[tuple[str, int]]:
        old = [
            one
            for name in files.list_directory(f"{self.home}/payloads")
            if name[-1] != "~"
            # A payload is kept a moment before the line that names it is written.
            for one in self._older(f"payloads/{name}", self.now - DAY)
        ]
        named = self._named_payloads() if old else set()
        return [one for one in old if os.path.basename(one[0]).removesuffix(".json") not in named]

    def _named_payloads(self) -> set[str]:
        found: set[bytes] = set()
        base = base_file(self.home)
        for path in [*([base] if base else []), *segment_files(self.home)]:
            for block in blocks(path):
                found.update(_REFERENCE.findall(block))
        return {digest.decode("ascii") for digest in found}

    def _temporaries(self) -> Iterator[tuple[str, int]]:
        for path in temporary_files(self.home):
            is_locked = os.path.dirname(path) in _LOCKED_FOLDERS
            yield from self._older(path, self.now if is_locked else self.now - DAY)

    def _put_aside(self) -> Iterator[tuple[str, int]]:
        for name in files.list_directory(f"{self.home}/journal"):
            if name.startswith("torn-") and name[-1] != "~":
                yield from self._older(f"journal/{name}", self.journal_limit)
        for name in files.list_directory(f"{self.home}/quarantine"):
            yield from self._older(f"quarantine/{name}", self.journal_limit)

    def _beside_views(self) -> Iterator[tuple[str, int]]:
        """Yield the histories and transcripts whose runs and sessions are forgotten."""
        for folder in ("workflows", "sessions"):
            names = files.list_directory(f"{self.home}/{folder}")
            views = [name.removesuffix(".json") for name in names if name.endswith(".json")]
            known = {name.removeprefix("live.") for name in views}
            for name in names:
                beside = not name.endswith((".json", "~"))
                if beside and name.partition(".")[0] not in known:
                    yield from self._older(f"{folder}/{name}", self.journal_limit)

    def _older(self, path: str, limit: int) -> Iterator[tuple[str, int]]:
        try:
            found = os.stat(f"{self.home}/{path}", follow_symlinks=False)
        except FileNotFoundError:
            return
        if found.st_mtime_ns // 1_000_000 < limit:
            yield path, found.st_size

    def _is_over(self, day: str) -> bool:
        """Tell whether the outputs of a day, by the name of its folder, are all old enough."""
        words = day.split("-")
        if len(words) != 3 or not all(word.isascii() and word.isdigit() for word in words):
            return False
        return (days_from_civil(*map(int, words)) + 1) * DAY <= self.output_limit

    def _remove_empty_days(self) -> None:
        for day in files.list_directory(f"{self.home}/runs"):
            if self._is_over(day):
                # A day with something left in it is kept.
                with suppress(OSError):
                    os.rmdir(f"{self.home}/runs/{day}")


_BATCH = 500
_FOLDERS = ("cues", "alerts", "revised", "keys", "workflows", "sessions", "queues")


def _forget(store: Store, now: int, limit: int, *, dry_run: bool) -> int:
    """Let go of records of what ended before `limit`; return how many those are."""
    with store.locked():
        names = {folder: store.names(folder) for folder in _FOLDERS}
    found = list(_old_records(store, names, limit))
    if not dry_run:
        for start in range(0, len(found), _BATCH):
            with store.transaction(now) as tx:
                for folder, identity in found[start : start + _BATCH]:
                    _stage(tx, folder, identity, limit)
    return len(found)


def _old_records(
    store: Store, names: dict[str, list[str]], limit: int
) -> Iterator[tuple[str, str]]:
    for folder, listed in names.items():
        for name in sorted(listed):
            identity = name.removesuffix(".json")
            if folder == "cues" and not identity.endswith(".s"):
                continue
            try:
                record = read_view(store.home, f"{folder}/{name}")
            except BadView:
                continue
            if record is not None and _is_old(folder, identity, record, limit):
                yield folder, identity.removesuffix(".s")


def _is_old(folder: str, identity: str, record: Record, limit: int) -> bool:
    match folder:
        case "cues":
            ended = max(record.get("last_run") or 0, record.get("last_at") or 0)
            return record.get("status") in AT_REST and 0 < ended < limit
        case "alerts":
            text = record.get("resolved_at") or record.get("acknowledged_at")
        case "revised":
            text = record.get("ended_at") or record["scheduled_for"]
        case "workflows" | "queues":
            # A run or a task that has ended; what lives has no end.
            text = record.get("ended_at")
        case "sessions":
            text = record["last_at"] if record.get("closed") else None
        case _ if identity.startswith("http."):
            text = record["at"]
        case _:
            parent = identity.split(".")[1] if identity.startswith("chain.") else ""
            at = time_of(parent)
            return at is not None and at < limit
    return text is not None and from_text(text) < limit


def _stage(tx: Transaction, folder: str, identity: str, limit: int) -> None:
    """Stage the end of a record if it still is what it was without the lock."""
    path = f"{folder}/{identity}.s.json" if folder == "cues" else f"{folder}/{identity}.json"
    try:
        record = tx.read(path)
    except BadView:
        return
    if record is None or not _is_old(folder, identity, record, limit):
        return
    if folder == "cues":
        tx.stage(_cue_event(tx, identity))
    elif folder == "keys":
        parent = identity.split(".")[1]
        if not any(map(tx.read, (paths.open_execution(parent), paths.waiting_execution(parent)))):
            tx.stage(JournalEntry(type="key.forgotten", set={path: None}))
    else:
        tx.stage(JournalEntry(type=f"{folder}.forgotten", set={path: None}))


def _cue_event(tx: Transaction, cue_id: str) -> JournalEntry:
    views: Views = {paths.cue(cue_id): None, paths.state(cue_id): None, paths.fires(cue_id): None}
    name = (tx.read(paths.cue(cue_id)) or {}).get("name")
    if isinstance(name, str):
        key = tx.read(paths.name_key(name))
        if key is not None and key.get("cue") == cue_id:
            views[paths.name_key(name)] = None
    detail = {"name": name} if name else None
    return JournalEntry(type="cue.forgotten", ids={"cue": cue_id}, set=views, detail=detail)
