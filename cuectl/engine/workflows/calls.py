"""The calls of a run: each gets a place and a number, is written down, or answered from before."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from cuectl.model import workflow_errors
from cuectl.model.instants import to_text
from cuectl.model.values import dataclass
from cuectl.model.workflow_errors import HistoryMismatch, WorkflowError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.model.workflow_history import Past
    from cuectl.store.run_history import RunHistory

Record = dict[str, Any]

_ERRORS = {
    name: getattr(workflow_errors, name)
    for name in ("WorkflowError", "PredicateFailed", "TimedOut", "TurnFailed")
}


@dataclass(slots=True, kw_only=True)
class Call:
    """One call of the procedure.

    Attributes:
        step: its number in the run.
        is_old: an earlier process of the run has begun it.
        result: what came of it, None while that is open.
    """

    step: int
    name: str
    is_old: bool = False
    result: Record | None = None

    def answer(self) -> Any:
        """Return the value that it had.

        Raises:
            WorkflowError: it ended so.
        """
        result = self.result or {}
        if "error" in result:
            raise _ERRORS.get(result.get("kind", ""), WorkflowError)(result["error"])
        return result.get("value")


@dataclass(slots=True)
class _Branch:
    path: str
    task: asyncio.Task[Any] | None
    count: int = 0
    children: int = 0


_BRANCH: ContextVar[_Branch | None] = ContextVar("branch", default=None)


class Calls:
    """The calls of the run that this process is.

    Attributes:
        mismatch: what a resumed run did otherwise; it can't go on after that.
        interrupted: how many calls were found whose end nobody saw.
    """

    def __init__(
        self,
        history: RunHistory,
        past: Past,
        now: Callable[[], int],
        masked: Callable[[Any], Any],
    ) -> None:
        self.past = past
        self.mismatch: HistoryMismatch | None = None
        self.interrupted = 0
        self.steps = past.steps
        self._history = history
        self._now = now
        self.masked = masked

    def begin_branch(self) -> None:
        """Take the current task for the one that the procedure runs in."""
        _BRANCH.set(_Branch("", asyncio.current_task()))

    def fork(self, count: int) -> list[Callable[[], None]]:
        """Return what each of several tasks calls first, so that they are told apart."""
        base = self._branch()
        base.children += count
        first = base.children - count

        def enter(index: int) -> Callable[[], None]:
            path = f"{base.path}{base.count}.{first + index}/"
            return lambda: (_BRANCH.set(_Branch(path, asyncio.current_task())), None)[1]

        return [enter(index) for index in range(count)]

    def _branch(self) -> _Branch:
        branch = _BRANCH.get()
        if branch is None:
            raise WorkflowError("the engine is for the procedure that it was given to")
        task = asyncio.current_task()
        if branch.task is not task:
            parent = branch
            branch = _Branch(f"{parent.path}{parent.count}.{parent.children}/", task)
            parent.children += 1
            _BRANCH.set(branch)
        return branch

    def begin(self, name: str, arguments: Record, *, result: Record | None = None) -> Call:
        """Return a call that is written down, durable, before anything is done for it.

        Args:
            name: of the engine's method.
            arguments: JSON, compared with those of the past.
            result: of a call that is over at once; it is durable with the next one.

        Raises:
            HistoryMismatch: the past knows another call here.
        """
        if self.mismatch is not None:
            raise self.mismatch
        branch = self._branch()
        place = f"{branch.path}{branch.count}"
        branch.count += 1
        arguments = self.masked(arguments)
        try:
            old = self.past.match(place, name, arguments)
        except HistoryMismatch as error:
            self.mismatch = error
            raise
        if old is not None:
            return Call(step=old.step, name=name, is_old=True, result=old.result)
        self.steps += 1
        line: Record = {"type": "call", "at": to_text(self._now()), "step": self.steps}
        line |= {"place": place, "name": name, "arguments": arguments}
        if result is not None:
            line["result"] = result
        self._history.append(line, sync=result is None)
        return Call(step=self.steps, name=name, result=result)

    def value(self, name: str, arguments: Record, make: Callable[[], Any]) -> Any:
        """Return what a call that is over at once gives, or has given."""
        if self.mismatch is not None:
            raise self.mismatch
        branch = self._branch()
        known = self.past.calls.get(f"{branch.path}{branch.count}")
        made = None if known is not None and known.name == name else {"value": make()}
        call = self.begin(name, arguments, result=made or {"value": None})
        return call.answer()

    def end(self, call: Call, value: Any) -> Any:
        """Write down what came of a call, and return it."""
        return self._end(call, {"value": self.masked(value)})

    def fail(self, call: Call, error: WorkflowError) -> WorkflowError:
        """Write down that a call has failed, and return the error to be raised."""
        kind = type(error).__name__
        self._end(call, {"error": self.masked(str(error)), "kind": kind})
        return error

    def _end(self, call: Call, result: Record) -> Any:
        call.result = result
        line: Record = {"type": "call.ended", "at": to_text(self._now()), "step": call.step}
        self._history.append(line | {"name": call.name, "result": result}, sync=True)
        return result.get("value")

    def checkpoint(self, name: str, payload: Any) -> None:
        """Write down a state to go on from."""
        line: Record = {"type": "checkpoint", "at": to_text(self._now()), "step": self.steps}
        self._history.append(line | {"name": name, "payload": payload}, sync=True)

    def note(self, record: Record, *, sync: bool = False) -> None:
        """Write down anything else."""
        self._history.append({"at": to_text(self._now()), **self.masked(record)}, sync=sync)
