"""`gc`: packing closed segments, dropping what is older than it is kept, sweeping leftovers.

Every step can be interrupted and leaves the store whole: a packed segment is read back before
the raw one goes, a base stands before the segments that it replaces are dropped, and what is
removed is named by nothing that is still undecided (store-protocol.md, hole A33).
"""

from __future__ import annotations

import os
import sys
from itertools import pairwise
from typing import TYPE_CHECKING

from cuectl.model.errors import StateError
from cuectl.model.instants import to_text
from cuectl.model.values import dataclass, field
from cuectl.store import files
from cuectl.store.base import base_name, write_base
from cuectl.store.checkpoint import checkpoint
from cuectl.store.forgetting import forget
from cuectl.store.history import first_at
from cuectl.store.history_blocks import number_of
from cuectl.store.journal_check import Replay
from cuectl.store.named_lock import named_lock
from cuectl.store.position import Position, read_applied
from cuectl.store.segments import segment_files
from cuectl.store.sweep import Sweep

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.store.store import Store

LOCK_NAME = "gc"
PACKING_LEVEL = 6
KEPT_RAW = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How long things are kept.

    Attributes:
        output_s: what a run has left in `runs/`.
        journal_s: the journal, and with it the records of executions.
    """

    output_s: float
    journal_s: float


@dataclass(slots=True, kw_only=True)
class Collected:
    """What was done, or would be.

    Attributes:
        packed, dropped: names of segments.
        freed_bytes: by packing, dropping and removing together.
        removed: paths below the home of outputs, payloads and leftovers.
        base: the name of the base that stands for what was dropped.
        forgotten: how many cues at rest, acknowledged alerts and the like were let go.
    """

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

    Raises:
        StateError: the journal is damaged; nothing is dropped from it.
        LockTimeout: another `gc` is at work, or the store lock was not free.
        OSError: interrupted; the rest is done by the next one.
    """
    done = Collected()
    with named_lock(store.home, LOCK_NAME):
        if not dry_run:
            # After it nobody begins to read the journal in a segment that is packed now.
            checkpoint(store)
        journal_limit = now - round(keep.journal_s * 1000)
        sealed = _sealed(store)
        old = _old(sealed, journal_limit)
        if old:
            _drop(store, old, done, to_text(now), dry_run=dry_run)
        to_pack = sealed[len(old) : max(len(old), len(sealed) - KEPT_RAW)]
        for number, path in enumerate(to_pack):
            progress("packing the journal", number, len(to_pack))
            _pack(path, done, dry_run=dry_run)
        output_limit = now - round(keep.output_s * 1000)
        swept = Sweep(store, now=now, output_limit=output_limit, journal_limit=journal_limit)
        done.removed, freed = swept.run(dry_run=dry_run)
        done.freed_bytes += freed
        done.forgotten = forget(store, now, journal_limit, dry_run=dry_run)
    return done


def _sealed(store: Store) -> list[str]:
    """Return the segments before the one where everybody would begin, oldest first."""
    known = read_applied(f"{store.home}/journal/checkpoint")
    first = number_of(known.position.segment) if known else 0
    return [path for path in segment_files(store.home) if number_of(path) < first]


def _old(sealed: list[str], limit: int) -> list[str]:
    """Return the segments all of whose lines were written before `limit`.

    The last sealed one stays, so that there is always something to look back at.
    """
    old = []
    for path, later in pairwise(sealed):
        ends = first_at(later)
        if ends is None or ends >= limit:
            break
        old.append(path)
    return old


# --- packing --------------------------------------------------------------------------------


def _pack(path: str, done: Collected, *, dry_run: bool) -> None:
    packed = path.removesuffix(".gz") + ".gz"
    if path == packed:
        return
    done.packed.append(os.path.basename(path))
    if dry_run:
        return
    import gzip

    raw = files.read_file(path, limit=1 << 34) or b""
    files.replace_file(packed, gzip.compress(raw, PACKING_LEVEL, mtime=0), durable=True)
    back = files.read_file(packed, limit=1 << 34) or b""
    if gzip.decompress(back) != raw:
        files.remove_file(packed)
        raise OSError(5, "what was packed can't be read back", packed)
    files.remove_file(path)
    done.freed_bytes += len(raw) - len(back)


# --- dropping -------------------------------------------------------------------------------


def _drop(store: Store, old: list[str], done: Collected, at: str, *, dry_run: bool) -> None:
    replay = Replay(store.home)
    last = os.path.basename(old[-1]).removesuffix(".gz")
    replay.run(Position(segment=last, size=sys.maxsize))
    if replay.damage:
        first = replay.damage[0]
        words = f"'journal/{first.file}' is damaged: {first.reason}"
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
