"""Checkpoint and rotation: how far the views are known to be on the disk."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cuectl.model.instants import to_text
from cuectl.store import files
from cuectl.store.position import Applied, read_applied, write_applied

if TYPE_CHECKING:
    from cuectl.store.store import Store


def rotate_if_large(store: Store, now: int) -> None:
    """Go on in a new segment when this one is large; locked and flushed."""
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

    Raises:
        OSError: the views may be lost; `applied` is removed, so that they are written anew
            (a failed fsync is never tried again, hole A8).
    """
    with store.locked():
        store.flush()
        place = store.journal.place
    if store.behind or store.unapplied:
        # After a reboot nobody would know that these views are not written; and `applied` is
        # never older than the checkpoint, behind which segments are packed away.
        return
    try:
        sync_views(store.home)
    except OSError:
        files.remove_file(f"{store.home}/journal/applied")
        raise
    applied = Applied(position=place, boot=store.boot)
    write_applied(f"{store.home}/journal/checkpoint", applied, durable=True)


def sync_views(home: str) -> None:
    """Bring all files of the state directory to the disk.

    Raises:
        OSError: some of them may not be there.
    """
    if os.uname().sysname == "Linux":
        _sync_file_system(home)
        return
    for folder, _, names in os.walk(home):
        for name in names:
            fd = os.open(f"{folder}/{name}", files.READ_FLAGS)
            try:
                files.sync(fd)
            finally:
                os.close(fd)
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
