"""Runs whose history has the first format: they continue with the matcher of the first version.

Calls are found by their place in a branch, finished ones are answered at once, and timers are not
recorded. New lines are written in the first format, too.
"""

from __future__ import annotations

import asyncio
import json
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from cuectl.values.records import dataclass
from cuectl.values.times import from_text, to_text
from cuectl.workflows.engine import WorkflowEngine
from cuectl.workflows.engine_flow import given
from cuectl.workflows.engine_flow import seconds as in_seconds
from cuectl.workflows.inside import Inside, Pending
from cuectl.workflows.rules.first_history import Past
from cuectl.workflows.rules.history import (
    EngineCall,
    HistoryMismatch,
    TimedOut,
    WorkflowError,
    error_record,
    shown_call,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from cuectl.values.records import Record
    from cuectl.workflows.inside import Act, Outside
    from cuectl.workflows.rules.records import InboxMessage

T = TypeVar("T")


@dataclass(slots=True)
class _Branch:
    path: str
    task: asyncio.Task[Any] | None
    count: int = 0
    children: int = 0


_BRANCH: ContextVar[_Branch | None] = ContextVar("branch", default=None)


class FirstInside(Inside):
    """The inside of such a run."""

    def __init__(self, records: list[Record], outside: Outside, *, began_at: int) -> None:
        super().__init__([], outside, began_at=began_at)
        self.past = Past(records)
        self.steps = self.past.steps
        self.is_live = True
        self._unrecorded = 0
        self._at = {r["step"]: from_text(r["at"]) for r in records if r.get("type") == "call"}

    def advance(self, event: Record | None = None) -> None:
        """Deliver an event and run until nothing is ready."""
        super().advance(event)
        if self.main.done() and not self.main.cancelled() and self.main.exception() is None:
            left = self.past.first_untaken()
            if left is not None:
                was = shown_call(left.name, left.arguments)
                self.stop(HistoryMismatch(f"call {left.place} was {was} and is not made any more"))

    def branch(self, path: str = "") -> _Branch:
        """Return the branch that runs in the current task, a new one when a path is given."""
        branch, task = _BRANCH.get(), asyncio.current_task(self.loop)
        if path or branch is None:
            branch = _Branch(path, task)
        elif branch.task is not task:
            parent = branch
            branch = _Branch(f"{parent.path}{parent.count}.{parent.children}/", task)
            parent.children += 1
        _BRANCH.set(branch)
        return branch

    def fork(self, count: int) -> list[str]:
        """Return the paths of branches that start now."""
        base = self.branch()
        first, base.children = base.children, base.children + count
        return [f"{base.path}{base.count}.{first + index}/" for index in range(count)]

    def enter(self, name: str, arguments: Record, result: Record | None = None) -> EngineCall:
        """Find a call in the past, or record it; a mismatch is raised and stops the inside."""
        self._check()
        if self.stopped is not None:
            raise self.stopped
        branch = self.branch()
        place = f"{branch.path}{branch.count}"
        branch.count += 1
        arguments = self.outside.masked(arguments)
        try:
            old = self.past.match(place, name, arguments)
        except HistoryMismatch as error:
            self.stop(error)
            raise
        if old is not None:
            old.n, old.at = old.step, self._at[old.step]
            return old
        self.steps += 1
        made: Record = {"step": self.steps, "place": place, "name": name, "arguments": arguments}
        made |= {} if result is None else {"result": result}
        now = self.outside.now()
        self.write({"type": "call", "at": to_text(now), **made}, sync=result is None)
        return EngineCall(n=self.steps, at=now, **made)

    def leave(self, call: EngineCall, result: Record) -> None:
        """Record the end of a call that needed no work outside."""
        line: Record = {"type": "call.ended", "at": to_text(self.outside.now()), "step": call.step}
        line |= {"name": call.name, "result": self.outside.masked(result)}
        self.write(line, sync=True)

    def begin(self, name: str, arguments: Record, act: Act) -> Pending:
        """Make a call, which ends at once when its end is in the past."""
        if name == "close":
            self._unrecorded += 1
            call = EngineCall(step=0, n=-self._unrecorded, name=name, arguments=arguments)
        else:
            try:
                call = self.enter(name, arguments)
            except HistoryMismatch:
                return Pending(self, EngineCall(step=0, name=name, arguments={}), act)
        pending = Pending(self, call, act)
        if call.result is not None:
            pending.end(call.result)
        else:
            self.pending[call.n] = pending
            self.outside.begin(call, act, cancelled=False)
        return pending

    def cancel(self, pending: Pending) -> None:
        """Cancel a call that has not ended."""
        self.outside.cancel(pending.call)

    def value(self, name: str, arguments: Record, make: Callable[[], Any]) -> Any:
        """Return the value of a call that ends at once."""
        if name == "find_session":
            return self.outside.ask(make)
        branch = self.branch()
        known = self.past.calls.get(f"{branch.path}{branch.count}")
        is_known = known is not None and known.name == name
        result = {"value": None if is_known else self.outside.ask(make)}
        return self.enter(name, arguments, json.loads(json.dumps(result))).answer()

    def checkpoint(self, name: str, payload: Any) -> None:
        """Record a state to resume from."""
        line: Record = {"type": "checkpoint", "at": to_text(self.outside.now())}
        self.write(line | {"step": self.steps, "name": name, "payload": payload}, sync=True)

    def resume_state(self) -> Any:
        """Return the newest checkpoint, from where on calls are matched by their content."""
        newest = self.past.resume_from_checkpoint() if self.past.resumes else None
        return None if newest is None else newest["payload"]

    def patched(self, name: str) -> bool:
        """Return False: such a run started before the change."""
        return False


class FirstEngine(WorkflowEngine):
    """The engine of such a run: things that are no longer calls are calls here."""

    _inside: FirstInside

    async def parallel(self, coros: Iterable[Awaitable[T]]) -> list[T]:
        """Run branches at once and return their results in order."""
        branches = list(coros)

        async def branch(path: str, coro: Awaitable[T]) -> T:
            self._inside.branch(path)
            return await coro

        paths = self._inside.fork(len(branches))
        return await super().parallel([branch(*x) for x in zip(paths, branches, strict=True)])

    async def sleep(self, seconds: float | str) -> None:
        """Wait; during a long sleep the run is parked, without a process."""
        call = self._inside.enter("sleep", {"seconds": seconds})
        if call.result is None:
            span = in_seconds(seconds) or 0
            await asyncio.sleep(call.at / 1000 + span - self._inside.loop.time())
            self._inside.leave(call, {"value": None})

    async def drain(
        self, handle: str | None = None, *, timeout: float | str | None = None, check: bool = True
    ) -> list[InboxMessage]:
        """Wait until everything that was sent to a session is answered; return the answers."""
        if handle is not None:
            self._box(handle)
        call = self._inside.enter("drain", given(handle=handle, timeout=in_seconds(timeout)))
        if call.result is not None:
            call.answer()
            return await super().drain(handle, check=check)
        try:
            found = await super().drain(handle, timeout=timeout, check=check)
        except WorkflowError as error:
            if isinstance(error, TimedOut):
                self._inside.leave(call, error_record(error))
            raise
        self._inside.leave(call, {"value": len(found)})
        return found

    def now(self) -> str:
        """Return the time, RFC 3339 in UTC; the same one in a resumed run."""
        return str(self._inside.value("now", {}, lambda: to_text(self._driver.now())))
