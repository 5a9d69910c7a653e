"""Where a sweep can put a fault: one point for each call of a recorded run, and each variant."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .operations import CRASH_KINDS, FAIL_KINDS, Kind, Op
from .plans import SHORTABLE, Crash, Fail, plausible

if TYPE_CHECKING:
    from .runs import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One place for a fault, with a label for people."""

    label: str
    plan: Crash | Fail


@dataclass(frozen=True, slots=True, kw_only=True)
class Crashes:
    """SIGKILL at every state change, of the process alone and of its whole tree."""

    trees: tuple[bool, ...] = (False, True)
    kinds: frozenset[Kind] = CRASH_KINDS

    def points(self, recorded: Result) -> list[Point]:
        """Return one point for each call that counts and each variant.

        Before the first process is created the tree is the process, and one variant is enough.
        """
        ops = recorded.points(self.kinds | {Kind.SPAWN})
        spawns = [at for at, op in enumerate(ops) if op.kind is Kind.SPAWN]
        alone_until = ops[spawns[0]] if spawns else None
        trees, found = self.trees[:1], []
        for at, op in enumerate(recorded.points(self.kinds)):
            for tree in trees:
                label = f"crash of the {'tree' if tree else 'process'} at {at} {op}"
                found.append(Point(label=label, plan=Crash(at=at, tree=tree, kinds=self.kinds)))
            if op is alone_until:
                trees = self.trees
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """An error in place of every call for which it is plausible, once and for good.

    `short` adds, for each write and ENOSPC, half a write first. With `Kind.READ` among the kinds
    reads fail too; with `Kind.OUTPUT`, what the command prints.
    """

    errnos: tuple[int, ...] = (errno.ENOSPC, errno.EIO, errno.EMFILE, errno.EACCES)
    persist: tuple[bool, ...] = (False, True)
    short: bool = True
    kinds: frozenset[Kind] = FAIL_KINDS

    def points(self, recorded: Result) -> list[Point]:
        """Return one point for each call that counts, each plausible error and each variant."""
        return [
            self._point(at, op, number, short=short, persist=persist)
            for at, op in enumerate(recorded.points(self.kinds))
            for number in self.errnos
            if plausible(number, op)
            for short in self._manners(op, number)
            for persist in self.persist
        ]

    def _manners(self, op: Op, number: int) -> tuple[bool, ...]:
        shortable = self.short and number == errno.ENOSPC and op.call in SHORTABLE
        return (False, True) if shortable else (False,)

    def _point(self, at: int, op: Op, number: int, *, short: bool, persist: bool) -> Point:
        manner = ("short write, then " if short else "") + errno.errorcode[number]
        return Point(
            label=f"{manner} {'for good' if persist else 'once'} at {at} {op}",
            plan=Fail(at=at, errno=number, persist=persist, short=short, kinds=self.kinds),
        )
