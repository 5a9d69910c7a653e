"""Checkpoint and rotation: how far the views are known to be on the disk."""

from __future__ import annotations

import os
from contextlib import suppress

from cuectl.store import files
from cuectl.store.journal.lines import Applied, read_applied, write_applied
from cuectl.values.times import to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.store.store import Store

_NAME = "checkpoint"


def rotate_if_large(store: Store, now: int) -> None:
    """Continue in a new segment when this one is large; locked and flushed."""
    if store.journal.place.size < store.limits.segment_bytes:
        return
    store.journal.rotate(to_text(now))
    store.flush()


def is_due(store: Store, now: int) -> bool:
    """Tell whether enough has happened since the last checkpoint; `now` by the machine's clock."""
    path = f"{store.home}/journal/checkpoint"
    known = read_applied(path)
    done = store.journal.place.seq - (known.position.seq if known else 0)
    if done >= store.limits.checkpoint_events:
        return True
    if done < store.limits.checkpoint_young_events:
        return False
    # A home that was never checkpointed is as old as its first file.
    found = os.stat(path if known else f"{store.home}/FORMAT")
    made = found.st_mtime_ns // 1_000_000
    return abs(now - made) >= store.limits.checkpoint_age_ms


def checkpoint(store: Store) -> None:
    """Make the views durable, then say so; the lock is held only to note the place.

    Raises OSError: the views may be lost; `applied` is removed, so that they are written again
    (a failed fsync is never tried again, hole A8).
    """
    pending = f"{store.home}/journal/{_NAME}.{os.getpid()}~"
    with store.locked():
        store.flush()
        if store.behind or store.unapplied:
            # After a reboot it would not be known that these views are not written; and `applied`
            # is never older than the checkpoint, behind which segments are packed away.
            return
        write_applied(pending, Applied(position=store.journal.place, boot=store.boot))
    try:
        sync_views(store.home)
    except OSError:
        files.remove_file(f"{store.home}/journal/applied")
        files.remove_file(pending)
        raise
    with suppress(FileNotFoundError):
        # It is gone when a rebuild has started meanwhile, whose views were not synced here.
        os.rename(pending, f"{store.home}/journal/{_NAME}")
        files.sync_directory(f"{store.home}/journal")


def withdraw(home: str) -> None:
    """Say durably that no view is known to be on the disk; the lock is held.

    Whoever then writes views of any age is safe: after a power cut all of them are written again.
    """
    for name in sorted(files.list_directory(f"{home}/journal"), reverse=True):
        # Also one that is being made: it would vouch for what is written from here on.
        if name.startswith(_NAME):
            files.remove_file(f"{home}/journal/{name}")
    files.sync_directory(f"{home}/journal")


def sync_views(home: str) -> None:
    """Bring all files of the state directory to the disk. Raises OSError: some may not be."""
    if os.uname().sysname == "Linux":
        _sync_file_system(home)
        return
    for folder, _, names in os.walk(home):
        for name in names:
            with files.opened(f"{folder}/{name}") as fd:
                files.sync(fd)
        files.sync_directory(folder)


def _sync_file_system(home: str) -> None:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    fd = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if libc.syncfs(fd) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), home)
    finally:
        os.close(fd)
