"""Which call a run hits, and how: nothing, SIGKILL, an error, a short write."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from .operations import CRASH_KINDS, FAIL_KINDS, Kind, Op
from .syscalls import OPENS

Where = int | Callable[[Op], bool]
"""The k-th call of the watched kinds (from 0), or the first one that satisfies a claim."""

SHORTABLE = frozenset({"write", "pwrite64"})
_GROWING = frozenset({"fallocate", "fsync", "fdatasync", "syncfs"})
_BY_DESCRIPTOR = frozenset(
    {"read", "readv", "pread64", "preadv", "preadv2", "getdents64", "fstat", "fchmod", "fchown"}
)
_SHRINKING = frozenset({"unlink", "unlinkat", "rmdir"})


class Action(Enum):
    """What the tracer does with a call at its entry."""

    RUN = auto()
    KILL = auto()
    KILL_TREE = auto()
    FAIL = auto()
    SHORTEN = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """SIGKILL at the entry of a call, which is not executed; of the process alone or its tree."""

    at: Where
    tree: bool = False
    kinds: frozenset[Kind] = CRASH_KINDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail:
    """An error in place of a call.

    Attributes:
        errno: what the call returns.
        persist: every later call for which the error is plausible fails too.
        short: a write takes half of its bytes, as on a disk that is full, and the error comes
            with the next write, should there be one.
    """

    at: Where
    errno: int
    persist: bool = False
    short: bool = False
    kinds: frozenset[Kind] = FAIL_KINDS


Plan = Crash | Fail | None


class Injector:
    """Follows one run call by call and says when the plan strikes."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._count = 0
        self._struck = False
        self._short_pending = False

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds of calls that the plan counts."""
        return self.plan.kinds if self.plan else frozenset()

    @property
    def error(self) -> int:
        """The error number to inject."""
        return self.plan.errno if isinstance(self.plan, Fail) else 0

    def action(self, op: Op) -> Action:
        """Count a call of the traced command at its entry and decide on it."""
        plan = self.plan
        if plan is None or op.kind not in plan.kinds or not op.main:
            return Action.RUN
        index, self._count = self._count, self._count + 1
        if not self._struck:
            here = plan.at == index if isinstance(plan.at, int) else plan.at(op)
            if not here:
                return Action.RUN
            self._struck = True
            return self._strike(plan, op)
        if not isinstance(plan, Fail):
            return Action.RUN
        if self._short_pending and op.kind is Kind.DATA:
            self._short_pending = False
            return Action.FAIL
        return Action.FAIL if plan.persist and plausible(plan.errno, op) else Action.RUN

    def _strike(self, plan: Crash | Fail, op: Op) -> Action:
        if isinstance(plan, Crash):
            return Action.KILL_TREE if plan.tree else Action.KILL
        if plan.short and op.call in SHORTABLE:
            self._short_pending = True
            return Action.SHORTEN
        return Action.FAIL

    def forget(self, op: Op) -> None:
        """Take back the count of a call that the kernel will start again by itself."""
        if op.kind in self.kinds and op.main:
            self._count -= 1


def plausible(error: int, op: Op) -> bool:
    """Tell whether a kernel can answer this call with this error."""
    opens = op.call in OPENS
    named = op.kind in {Kind.NAME, Kind.META, Kind.READ} and op.call not in _BY_DESCRIPTOR
    match error:
        case errno.ENOSPC | errno.EDQUOT:
            grows = op.kind is Kind.NAME and op.call not in _SHRINKING
            written = op.kind in {Kind.DATA, Kind.OUTPUT} and "truncate" not in op.call
            return grows or written or op.call in _GROWING
        case errno.EMFILE | errno.ENFILE:
            return opens
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return named
        case errno.EAGAIN:
            return op.kind is Kind.SPAWN
        case errno.ENOMEM:
            return op.kind is not Kind.EXIT
        case errno.ENOLCK | errno.ENOSYS:
            return op.kind is Kind.LOCK
        case errno.EINTR:
            return opens or op.kind in {Kind.DATA, Kind.SYNC, Kind.LOCK, Kind.OUTPUT}
        case _:
            return op.kind not in {Kind.SPAWN, Kind.LOCK, Kind.EXIT}
