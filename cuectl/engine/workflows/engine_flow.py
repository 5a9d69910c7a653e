"""The part of the engine that waits, branches and remembers."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, TypeVar

from cuectl.engine.workflows.engine_state import EngineState, given
from cuectl.model.instants import to_text
from cuectl.model.workflow_errors import TimedOut, WorkflowError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Sequence

    from cuectl.engine.workflows.calls import Call

T = TypeVar("T")
Record = dict[str, Any]


class FlowCalls(EngineState):
    """Branches, waits, states, and what must be the same when a run is resumed."""

    async def parallel(self, coros: Iterable[Awaitable[T]]) -> list[T]:
        """Run branches at once and return their results in order.

        The first error ends the others and is raised.
        """
        branches = list(coros)
        enters = self._calls.fork(len(branches))

        async def branch(index: int) -> T:
            enters[index]()
            return await branches[index]

        tasks = [asyncio.ensure_future(branch(index)) for index in range(len(branches))]
        if not tasks:
            return []
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            left = [task for task in tasks if not task.done()]
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left)
        failed = [t for t in tasks if not t.cancelled() and t.exception() is not None]
        if failed:
            raise failed[0].exception() or WorkflowError("a branch failed")
        return [task.result() for task in tasks]

    async def sleep(self, seconds: float) -> None:
        """Wait; a long sleep outlives this process, which goes away meanwhile."""
        call = self._calls.begin("sleep", {"seconds": seconds})
        if call.result is not None:
            return
        now = self._turns.runtime.now
        until = self._until(call, seconds)
        if self._park_after_s is not None and (until - now()) / 1000 > self._park_after_s:
            await self._parking.wait_for_ever(call.step, {"kind": "time", "until": until})
        with self._parking.active():
            while (left := until - now()) > 0:
                await asyncio.sleep(min(left / 1000, 3600))
        self._calls.end(call, None)

    def _until(self, call: Call, seconds: float | None) -> int:
        known = self._untils.get(call.step)
        if known is None:
            known = self._turns.runtime.now() + round((seconds or 0) * 1000)
            self._untils[call.step] = known
            line = {"type": "until", "step": call.step, "until": known}
            self._calls.note(line, sync=True)
        return known

    async def ask_human(
        self,
        question: str,
        *,
        options: Sequence[str] | None = None,
        timeout: float | None = None,
    ) -> str:
        """Ask a person and return the answer; the run is parked meanwhile.

        Args:
            question: what is asked.
            options: the answers that are taken; any when None.
            timeout: how long to wait for an answer, in seconds.

        Raises:
            TimedOut: nobody has answered in time.
        """
        asked = given(
            question=question, options=list(options) if options else None, timeout=timeout
        )
        call = self._calls.begin("ask_human", asked)
        if call.result is not None:
            return str(call.answer())
        until = None if timeout is None else self._until(call, timeout)
        if not call.is_old:
            self._narrate(f"question {call.step}: {question}")
        what = {"kind": "answer", "question": question, "options": asked.get("options")}
        what = {key: value for key, value in what.items() if value is not None}
        while (answer := self.run.answers.get(str(call.step))) is None:
            now = self._turns.runtime.now()
            if until is not None and now >= until:
                error = TimedOut(f"nobody has answered within {timeout:g} s: {question}")
                raise self._calls.fail(call, error)
            if self._park_after_s is not None:
                wait = what if until is None else {**what, "until": until}
                await self._parking.wait_for_ever(call.step, wait)
            await self._look_for_answers(call.step, what)
        return str(self._calls.end(call, answer))

    async def _look_for_answers(self, step: int, what: Record) -> None:
        from cuectl.engine.workflows.runs import wait_in_place

        with self._parking.active():
            self.run = await wait_in_place(self._turns.runtime, self.run, {**what, "step": step})

    def checkpoint(self, name: str, payload: Any) -> None:
        """Keep a state that `resume_state` gives to a resumed run.

        Raises:
            TypeError: it is not JSON.
        """
        json.dumps(payload, allow_nan=False)
        self._calls.checkpoint(name, payload)

    def resume_state(self) -> Any:
        """Return the newest checkpoint's payload in a run that is resumed, else None.

        What the run did after that checkpoint is matched by its content from here on.
        """
        if self._calls.past.resumes == 0:
            return None
        newest = self._calls.past.go_on_from_checkpoint()
        return None if newest is None else newest["payload"]

    def now(self) -> str:
        """Return the time, RFC 3339 in UTC; the same one in a resumed run."""
        clock = self._turns.runtime.now
        return str(self._calls.value("now", {}, lambda: to_text(clock())))

    def random(self) -> float:
        """Return a number from 0 up to 1; the same one in a resumed run."""
        make = self._turns.runtime.random
        number: float = self._calls.value(
            "random", {}, lambda: (int.from_bytes(make(7), "big") >> 3) / (1 << 53)
        )
        return number

    def uuid(self) -> str:
        """Return a random UUID; the same one in a resumed run."""
        import uuid

        make = self._turns.runtime.random
        return str(self._calls.value("uuid", {}, lambda: str(uuid.UUID(bytes=make(16), version=4))))
