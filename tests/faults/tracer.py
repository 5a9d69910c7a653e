"""The loop that runs one command under ptrace, records its calls and lets a plan strike.

By default only the command itself is traced, with its threads: its children are never attached,
so they have no stop to be left in. A run that follows attaches every descendant.
"""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from . import ptrace
from .address_space import AddressSpace
from .leftovers import kill_tree
from .operations import CHANGES, Effect, Kind, Op, Printed
from .plans import Action, Injector
from .syscalls import OPENS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .observer import Attempt, Observer
    from .reader import Reader

_RESTARTS = frozenset({-512, -513, -514, -516})  # the kernel makes the call again by itself
_GROUP_STOPS = frozenset({signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU})
_SYSCALL_STOP = signal.SIGTRAP | 0x80
_COUNT_ARGUMENT = 2
_SERIAL = CHANGES | {Kind.SYNC}


@dataclass(slots=True)
class _Tracee:
    tid: int
    pid: int
    space: AddressSpace
    op: Op | None = None
    attempt: Attempt | None = None
    action: Action = Action.RUN
    borrowed: tuple[int, bytes] | None = None


@dataclass(slots=True, kw_only=True)
class Tracer:
    """One run. Everything here happens on the thread that forked the command.

    Attributes:
        streams: path of a captured stream to its number (1 or 2).
        observer: works out the effects of calls; None when only the calls count.
        children_first: see `runs.How`, as for `substitute`.
    """

    root: str
    reader: Reader
    injector: Injector
    streams: Mapping[str, int]
    observer: Observer | None = None
    children_first: bool = False
    substitute: Mapping[str, str] = field(default_factory=dict)
    ops: list[Op] = field(default_factory=list)
    hit: Op | None = None
    main: int = 0
    status: int | None = None
    tracees: dict[int, _Tracee] = field(default_factory=dict)
    _held: list[_Tracee] = field(default_factory=list)
    _busy: _Tracee | None = None
    _info: ptrace.SyscallInfo = field(default_factory=ptrace.SyscallInfo)

    def run(self, pid: int, release: Callable[[], None], *, follow: bool) -> None:
        """Trace a waiting command from its first instruction until nobody traced is left."""
        self.main = pid
        try:
            ptrace.seize(pid, follow=follow)
            self.tracees[pid] = _Tracee(pid, pid, AddressSpace(pid))
            release()
            while self.tracees:
                tid, status = os.waitpid(-1, ptrace.WALL | ptrace.WNOTHREAD)
                self._stopped(tid, status)
        finally:
            self._abandon(pid)

    def _abandon(self, pid: int) -> None:
        """Kill and reap what is still traced, and the command even if it never was."""
        if self.status is None:
            self.tracees.setdefault(pid, _Tracee(pid, pid, AddressSpace(pid)))
        for tracee in self.tracees.values():
            tracee.space.close()
            with contextlib.suppress(ProcessLookupError):
                os.kill(tracee.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while self.tracees:
                tid, status = os.waitpid(-1, ptrace.WALL | ptrace.WNOTHREAD)
                if not os.WIFSTOPPED(status):
                    self.tracees.pop(tid, None)

    def _stopped(self, tid: int, status: int) -> None:
        if not os.WIFSTOPPED(status):
            self._ended(tid, status)
            return
        tracee = self._known(tid)
        # A tracee that is killed by others is gone before its stop can be answered.
        with contextlib.suppress(ProcessLookupError):
            number, event = os.WSTOPSIG(status), status >> 16
            if number == _SYSCALL_STOP:
                self._at_call(tracee)
            elif event == ptrace.EVENT_STOP and number in _GROUP_STOPS:
                ptrace.listen(tid)
            elif event:
                if event == ptrace.EVENT_EXEC:
                    tracee.space.close()
                elif event in ptrace.EVENTS_OF_BIRTH:
                    self._known(ptrace.event_message(tid))
                ptrace.resume(tid)
            else:
                ptrace.resume(tid, number)

    def _known(self, tid: int) -> _Tracee:
        """Return the tracee of a thread, which may be new: attached by the kernel."""
        if tid not in self.tracees:
            self.tracees[tid] = _Tracee(tid, _process_of(tid), AddressSpace(tid))
        return self.tracees[tid]

    def _ended(self, tid: int, status: int) -> None:
        tracee = self.tracees.pop(tid, None)
        if tid == self.main:
            self.status = os.waitstatus_to_exitcode(status)
        if tracee is None:
            return
        tracee.space.close()
        if tracee.op is not None:
            self.ops.append(tracee.op)
        if tracee in self._held:
            self._held.remove(tracee)
        self._done_with(tracee)

    def _at_call(self, tracee: _Tracee) -> None:
        info = self._info
        ptrace.syscall_info(tracee.tid, info)
        if info.op == ptrace.ENTRY:
            call = self.reader.calls.get(info.nr)
            if call is not None:
                args = tuple(info.args)
                if self.substitute and call.name in OPENS:
                    self._substitute(tracee, args[call.paths[0].index])
                read = self.reader.read(call, args, tracee.space)
                if read is not None:
                    self._enter(tracee, *read)
                    return
        elif info.op == ptrace.EXIT:
            if tracee.borrowed is not None:
                tracee.space.write(*tracee.borrowed)
                tracee.borrowed = None
            if tracee.op is not None:
                self._leave(tracee, info.returned)
                return
        ptrace.resume(tracee.tid)

    def _substitute(self, tracee: _Tracee, address: int) -> None:
        """Let a call open another file; what its path overwrites comes back at the exit."""
        path = self.substitute.get(tracee.space.text(address))
        if path is not None:
            data = os.fsencode(path) + b"\0"
            tracee.borrowed = (address, tracee.space.read(address, len(data)))
            tracee.space.write(address, data)

    def _enter(self, tracee: _Tracee, op: Op, attempt: Attempt) -> None:
        op = replace(op, pid=tracee.pid, main=tracee.pid == self.main)
        tracee.op, tracee.attempt = op, attempt
        tracee.action = self.injector.action(op)
        if self.observer is not None and op.kind in _SERIAL:
            # One change at a time, or nobody could say which of two came first.
            if not self._may_go(tracee):
                self._held.append(tracee)
                return
            self._busy = tracee
            self.observer.before(attempt)
        self._proceed(tracee, op)

    def _proceed(self, tracee: _Tracee, op: Op) -> None:
        tid = tracee.tid
        if tracee.action is Action.RUN:
            if op.kind is Kind.EXIT:
                self._finish(tracee, replace(op, result=0))
            ptrace.resume(tid)
            return
        op = tracee.op = replace(op, injected=True)
        self.hit = self.hit or op
        if tracee.action is Action.SHORTEN:
            assert tracee.attempt is not None
            count = tracee.attempt.args[_COUNT_ARGUMENT]
            ptrace.set_argument(tid, _COUNT_ARGUMENT, max(1, count // 2))
            ptrace.resume(tid)
            return
        ptrace.cancel_call(tid)
        if tracee.action is Action.FAIL:
            ptrace.resume(tid)
        elif tracee.action is Action.KILL_TREE:
            kill_tree(tracee.pid, Path(self.root))
        else:
            os.kill(tracee.pid, signal.SIGKILL)

    def _leave(self, tracee: _Tracee, returned: int) -> None:
        op, attempt = tracee.op, tracee.attempt
        assert op is not None
        assert attempt is not None
        if tracee.action is Action.FAIL:
            returned = -self.injector.error
            ptrace.set_returned(tracee.tid, returned)
        elif returned in _RESTARTS:
            self.injector.forget(op)
            self._finish(tracee, None)
            ptrace.resume(tracee.tid)
            return
        effects = self._effects(op, attempt, returned)
        self._finish(tracee, replace(op, result=returned, effects=effects))
        ptrace.resume(tracee.tid)

    def _effects(self, op: Op, attempt: Attempt, returned: int) -> tuple[Effect, ...]:
        if op.kind is Kind.OUTPUT and attempt.fd is not None and returned > 0:
            return (self._printed(attempt, returned),)
        if self.observer is None or op.kind not in _SERIAL:
            return ()
        return self.observer.effects(attempt, returned)

    def _printed(self, attempt: Attempt, count: int) -> Printed:
        assert attempt.fd is not None
        position, _ = attempt.space.position(attempt.fd)
        path = attempt.paths[0]
        with open(path, "rb") as file:
            file.seek(position - count)
            return Printed(stream=self.streams[path], data=file.read(count))

    def _finish(self, tracee: _Tracee, op: Op | None) -> None:
        if op is not None:
            self.ops.append(op)
        tracee.op, tracee.attempt, tracee.action = None, None, Action.RUN
        self._done_with(tracee)

    def _may_go(self, tracee: _Tracee) -> bool:
        """Tell whether nobody else is in a change, and no descendant has to come first."""
        if self._busy is not None:
            return False
        waits = self.children_first and tracee.pid == self.main
        return not (waits and any(one.pid != self.main for one in self.tracees.values()))

    def _done_with(self, tracee: _Tracee) -> None:
        """Let the next change happen that waited for this one, or for the end of a process."""
        if self._busy is tracee:
            self._busy = None
        following = next((one for one in self._held if self._may_go(one)), None)
        if following is None:
            return
        assert following.op is not None
        assert following.attempt is not None
        assert self.observer is not None
        self._held.remove(following)
        self._busy = following
        with contextlib.suppress(ProcessLookupError):
            self.observer.before(following.attempt)
            self._proceed(following, following.op)


def _process_of(tid: int) -> int:
    with open(f"/proc/{tid}/status", encoding="ascii", errors="replace") as lines:
        for line in lines:
            if line.startswith("Tgid:"):
                return int(line.split()[1])
    return tid
