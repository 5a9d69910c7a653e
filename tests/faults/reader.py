"""Say what a call at its entry is about: its kind here, its files, whether it counts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .address_space import AddressSpace, signed_int
from .observer import Attempt
from .operations import Kind, Op
from .syscalls import OPENS, Call, calls_by_number

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_CLONE_THREAD = 0x00010000
_LOCK_COMMANDS = frozenset({6, 7, 37, 38})  # F_SETLK, F_SETLKW and their open file twins
_CREATING = os.O_CREAT | os.O_TRUNC
_TMPFILE = getattr(os, "O_TMPFILE", 0)
_STAYING = os.O_NOFOLLOW | os.O_EXCL
_NOWHERE = "-"


class Reader:
    """Knows the root, the captured streams and the kinds of calls that somebody wants."""

    def __init__(
        self,
        root: str,
        kinds: Collection[Kind],
        streams: Mapping[str, int],
        *,
        reads_anywhere: bool = False,
        start_at: str = "",
        all_opens: bool = False,
    ) -> None:
        """See `runs.How` for `reads_anywhere` and `start_at`; `all_opens` puts them in `calls`."""
        self._root = root
        self._kinds = frozenset(kinds)
        self._streams = streams
        self._reads_anywhere = reads_anywhere
        self._start_at = start_at
        self._all_opens = all_opens
        self.calls = {
            number: call for number, call in calls_by_number().items() if self._wanted(call)
        }

    def _wanted(self, call: Call) -> bool:
        if (self._start_at or self._all_opens) and call.name in OPENS:
            return True
        possible = {call.kind}
        if call.name in OPENS:
            possible.add(Kind.READ)
        if call.kind is Kind.DATA:
            possible.add(Kind.OUTPUT)
        return bool(possible & self._kinds)

    def read(
        self, call: Call, args: tuple[int, ...], space: AddressSpace
    ) -> tuple[Op, Attempt] | None:
        """Return the operation that a call would be, or None if nobody wants to know."""
        kind = self._kind(call, args, space)
        possible = {kind, Kind.OUTPUT} if kind is Kind.DATA else {kind}
        if kind is None or not (self._start_at or possible & self._kinds):
            return None
        fd = signed_int(args[call.fd]) if call.fd is not None else None
        paths = self._paths(call, args, space, fd)
        if kind is Kind.DATA and paths[0] in self._streams:
            kind = Kind.OUTPUT
        if self._start_at:
            if any(self._start_at in path for path in paths):
                self._start_at = ""
            return None
        if kind not in self._kinds or not self._about(kind, call, paths):
            return None
        shown = [self._shown(path) for path in paths] or [_NOWHERE]
        other = shown[1] if len(shown) > 1 else ""
        op = Op(pid=0, main=False, call=call.name, kind=kind, path=shown[0], other=other)
        return op, Attempt(name=call.name, args=args, space=space, paths=paths, fd=fd)

    def _kind(self, call: Call, args: tuple[int, ...], space: AddressSpace) -> Kind | None:
        if call.name in OPENS:
            flags = self._open_flags(call, args, space)
            temporary = bool(_TMPFILE) and flags & _TMPFILE == _TMPFILE
            return Kind.NAME if flags & _CREATING or temporary else Kind.READ
        if call.kind is Kind.SPAWN:
            flags = 0
            if call.name.startswith("clone"):
                flags = space.number(args[0]) if call.name == "clone3" else args[0]
            return None if flags & _CLONE_THREAD else Kind.SPAWN
        if call.name == "fcntl":
            return Kind.LOCK if args[1] in _LOCK_COMMANDS else None
        return call.kind

    def _open_flags(self, call: Call, args: tuple[int, ...], space: AddressSpace) -> int:
        match call.name:
            case "creat":
                return _CREATING
            case "open":
                return args[1]
            case "openat2":
                return space.number(args[2])
            case _:
                return args[2]

    def _paths(
        self, call: Call, args: tuple[int, ...], space: AddressSpace, fd: int | None
    ) -> tuple[str, ...]:
        if fd is not None:
            return (space.descriptor(fd),)
        stay = call.name in OPENS and bool(self._open_flags(call, args, space) & _STAYING)
        return tuple(
            space.resolve(
                None if arg.dirfd is None else args[arg.dirfd],
                args[arg.index],
                follow=arg.follow and not stay,
            )
            for arg in call.paths
        )

    def _about(self, kind: Kind, call: Call, paths: tuple[str, ...]) -> bool:
        if kind in {Kind.SPAWN, Kind.EXIT, Kind.OUTPUT} or call.name == "sync":
            return True
        if kind is Kind.READ and self._reads_anywhere:
            return any(path.startswith("/") for path in paths)
        return any(self._below(path) for path in paths)

    def _below(self, path: str) -> bool:
        return path == self._root or path.startswith(self._root + "/")

    def _shown(self, path: str) -> str:
        if path == self._root:
            return ""
        if path in self._streams:
            return "stdout" if self._streams[path] == 1 else "stderr"
        return path.removeprefix(self._root + "/") or _NOWHERE
