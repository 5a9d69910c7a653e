"""When a change is safe from a power cut, in two models of a file system.

posix: what the standard promises. The data and the mode of a file are durable after a sync of the
file, a directory entry after a sync of its directory; everything else may be lost or kept in any
mixture. Only a rename inside one directory is one step.

ext4: names, modes and truncations go through one journal, in order, so that a power cut keeps a
prefix of them, and a sync of any file that has such a change waiting commits them all. Data is
durable after a sync of its file, as above. The writing out of data before a rename over an
existing file (auto_da_alloc) is a mount option and is not counted on.

In both, a sync that failed has dropped what waited for it: no later sync makes that durable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from .operations import Moded, Named, Sized, Synced, SyncFailed, Wrote

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .disk import Event

Model = Literal["posix", "ext4"]


def durable_from(events: Sequence[Event], model: Model) -> dict[Event, int]:
    """Return, for each change that becomes durable, the number of the operation that made it so."""
    found = {event: event.at for event in events if event.durable}
    waiting: list[Event] = []
    for event in events:
        match event.effect:
            case Synced() as sync:
                covers = _posix(sync) if model == "posix" else _ext4(sync, waiting)
                done = [one for one in waiting if covers(one)]
                found.update(dict.fromkeys(done, event.at))
                waiting = [one for one in waiting if one not in set(done)]
            case SyncFailed(inode=inode):
                waiting = [one for one in waiting if inode is not None and not _of(one, inode)]
            case _ if not event.durable:
                waiting.append(event)
    return found


def requirements(pending: Sequence[Event], model: Model) -> dict[Event, Event]:
    """Return which waiting change another one cannot be on the disk without.

    A write that came after a truncation of its file needs that: both are in the same inode. The
    removal half of a rename between directories needs the other half, unless that is durable and
    waits no more. On ext4 a journalled change needs the one before.
    """
    found: dict[Event, Event] = {}
    sized: dict[int, Event] = {}
    journalled: Event | None = None
    previous: Event | None = None
    for event in pending:
        effect = event.effect
        if isinstance(effect, Wrote) and effect.inode in sized:
            found[event] = sized[effect.inode]
        elif isinstance(effect, Named) and effect.needs_previous and previous is not None:
            found.update({event: previous} if previous.index == event.index - 1 else {})
        if isinstance(effect, Sized):
            if effect.inode in sized:
                found[event] = sized[effect.inode]
            sized[effect.inode] = event
        if model == "ext4" and not isinstance(effect, Wrote):
            if journalled is not None:
                found[event] = journalled
            journalled = event
        previous = event
    return found


def _of(event: Event, inode: int) -> bool:
    effect = event.effect
    if isinstance(effect, Named):
        return any(slot.directory == inode for slot in effect.slots)
    return not isinstance(effect, (Synced, SyncFailed)) and effect.inode == inode


def _posix(sync: Synced) -> Callable[[Event], bool]:
    inode = sync.inode

    def covers(event: Event) -> bool:
        if inode is None:
            return True
        return _of(event, inode) and not (sync.data_only and isinstance(event.effect, Moded))

    return covers


def _ext4(sync: Synced, waiting: Sequence[Event]) -> Callable[[Event], bool]:
    inode = sync.inode
    if inode is None:
        return lambda _: True
    commits = any(_calls_for_commit(one, inode, sync.data_only) for one in waiting)

    def covers(event: Event) -> bool:
        if isinstance(event.effect, Wrote):
            return event.effect.inode == inode
        return commits

    return covers


def _calls_for_commit(event: Event, inode: int, data_only: bool) -> bool:
    """Tell whether a waiting change makes a sync of this inode commit the journal.

    A write counts although one that stays inside the file's size would not: the journal then
    holds nothing that the writer could have meant to make durable by it.
    """
    effect = event.effect
    if isinstance(effect, Named):
        leads_here = any(inode in {slot.directory, slot.inode} for slot in effect.slots)
        return leads_here and not (data_only and len(effect.slots) > 1)
    return _of(event, inode) and not (data_only and isinstance(effect, Moded))
