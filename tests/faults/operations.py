"""What one traced run did to the files below its root: operations and their effects."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a system call is to a store."""

    NAME = "name"  # creates, renames, links or removes a directory entry
    DATA = "data"  # changes the bytes or the size of a file
    META = "meta"  # changes a mode, an owner or a time
    SYNC = "sync"  # asks for durability
    SPAWN = "spawn"  # creates a process
    LOCK = "lock"  # takes or frees a lock
    OUTPUT = "output"  # writes to the standard output or error of the run
    EXIT = "exit"  # ends the process
    READ = "read"  # looks at a file without changing anything


CHANGES = frozenset({Kind.NAME, Kind.DATA, Kind.META})
CRASH_KINDS = CHANGES | {Kind.SYNC, Kind.SPAWN, Kind.EXIT}
FAIL_KINDS = CHANGES | {Kind.SYNC, Kind.SPAWN, Kind.LOCK}
RECORD_KINDS = FAIL_KINDS | {Kind.OUTPUT, Kind.EXIT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One directory entry: a name in a directory, and the inode it leads to (None: no entry)."""

    directory: int
    name: str
    inode: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Born:
    """An inode that was not there before; `kind` is the file type part of its mode."""

    inode: int
    kind: int
    mode: int
    data: bytes = b""
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Directory entries that changed together, in one step.

    `needs_previous` ties the removal half of a rename between two directories to its other half:
    a file system may keep both names over a power cut, but never neither.
    """

    slots: tuple[Slot, ...]
    needs_previous: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrote:
    """Bytes that a call put into a file."""

    inode: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """The size that a truncation or an allocation gave to a file."""

    inode: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Moded:
    """The permission bits that a call gave to an inode."""

    inode: int
    mode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """A sync that worked; no inode means the whole file system."""

    inode: int | None
    data_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncFailed:
    """A sync that failed: what waited for it may be lost whatever a later sync says."""

    inode: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """Bytes that reached the standard output (1) or error (2) of the run."""

    stream: int
    data: bytes


Effect = Born | Named | Wrote | Sized | Moded | Synced | SyncFailed | Printed


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """One system call of interest.

    Attributes:
        pid: the process that made the call.
        main: the process is the traced command itself, not a followed descendant.
        path: relative to the root ('' is the root itself); '-' where there is none or outside.
        other: the new name, of calls that have two.
        result: what the call returned (-errno for an error); None if it was never executed.
        injected: the harness hit this call.
    """

    pid: int
    main: bool
    call: str
    kind: Kind
    path: str
    other: str = ""
    result: int | None = None
    injected: bool = False
    effects: tuple[Effect, ...] = ()

    def __str__(self) -> str:
        where = f"{self.path or '.'}" + (f" -> {self.other}" if self.other else "")
        return f"{self.call} {where}"
