"""Steps of any function: run outside the procedure, their result kept before it is recorded."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from _thread import start_new_thread
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol

from cuectl.values.records import dataclass
from cuectl.workflows.rules.function_step import error_result, pause_s, value_result
from cuectl.workflows.rules.history import StepInterrupted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cuectl.values.records import Record
    from cuectl.workflows.inside import Act
    from cuectl.workflows.rules.history import EngineCall


class StepWorld(Protocol):
    """What steps need from the driver."""

    interrupted: int
    step_results: dict[int, Record]

    def note(self, record: Record) -> None:
        """Add a note to the history."""

    def tell(self, text: str) -> None:
        """Record a text of the outside, and print it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionStep:
    """A function with its arguments, and how it may be tried."""

    driver: StepWorld
    function: Callable[[], Any]
    is_async: bool
    idempotent: bool
    retries: int
    backoff: float
    timeout: float | None

    def is_plain(self, call: EngineCall) -> bool:
        """Tell whether the step only calls its function, once, in any thread."""
        is_one_try = not self.is_async and self.timeout is None and self.retries == 0
        return is_one_try and not call.is_old and call.step not in self.driver.step_results

    def run(self, call: EngineCall) -> Record | Act:
        """Call the function of a plain step; return its result, or what is still to be awaited."""
        try:
            value = self.function()
        except BaseException as error:  # noqa: BLE001  (it is recorded)
            call.cause = error
            return error_result(type(error).__name__, str(error))
        return partial(self._awaited, value) if inspect.isawaitable(value) else value_result(value)

    async def _awaited(self, value: Awaitable[Any], call: EngineCall) -> Any:
        call.result = await self._once(call, value)
        return call.answer()

    async def __call__(self, call: EngineCall) -> Any:
        """Run the function and return its value, or that of an earlier process of the run.

        Raises:
            StepFailed: its function has raised, or returned what JSON has no form for.
            StepInterrupted: an earlier process started it, and its end is not known.
            TimedOut: it took longer than it may.
        """
        call.result = self.driver.step_results.get(call.step)
        if call.result is None:
            if call.is_old and not self.idempotent:
                self.driver.interrupted += 1
                why = "its process was lost before its end, so it may have had its effects"
                raise StepInterrupted(f"{who(call)}: {why}")
            call.result = await self._tried(call)
        return call.answer()

    async def _tried(self, call: EngineCall) -> Record:
        """Try the function as often as it may be, and return the result of the last try."""
        tried = 0
        while True:
            thread = None if self.is_async else _start(self.function)
            tried += 1
            try:
                result = await self._once(call, asyncio.shield(thread) if thread else None)
            finally:
                is_left = thread is not None and not thread.done()
                if is_left:
                    self.driver.tell(f"{who(call)} can't be ended and continues in its thread")
            if "error" not in result or is_left or tried > self.retries:
                return result
            self.driver.note({"type": "step.tried", "of": call.step, "try": tried, **result})
            await asyncio.sleep(pause_s(self.backoff, tried))

    async def _once(self, call: EngineCall, begun: Awaitable[Any] | None) -> Record:
        limit = asyncio.timeout(self.timeout)
        try:
            async with limit:
                value = await (self.function() if begun is None else begun)
                if inspect.isawaitable(value):
                    value = await value
            return value_result(value)
        except BaseException as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task and task.cancelling():
                raise
            if isinstance(error, TimeoutError) and limit.expired():
                text = f"{who(call)} took longer than {self.timeout:g} s"
                return {"error": text, "kind": "TimedOut"}
            call.cause = error.args[0] if isinstance(error, _Raised) else error
            return error_result(type(call.cause).__name__, str(call.cause))


def who(call: EngineCall) -> str:
    """Return a step as people know it."""
    return f"step {call.step} ({call.arguments['name']})"


# What gives work to the threads that have none.
_IDLE: list[SimpleQueue[Callable[[], None]]] = []


class _Raised(Exception):
    """What a function in a thread has raised; a future does not take each exception as it is."""


def run_in_thread(work: Callable[[], None]) -> None:
    """Do some work in an idle thread; all end with the process at the latest."""
    try:
        thread = _IDLE.pop()
    except IndexError:
        thread = SimpleQueue()
        start_new_thread(_live, (thread,))
    thread.put(work)


def _live(thread: SimpleQueue[Callable[[], None]]) -> None:
    while True:
        thread.get()()
        _IDLE.append(thread)


def _start(function: Callable[[], Any]) -> asyncio.Future[Any]:
    """Run a function in another thread."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Any] = loop.create_future()
    # Anything after its time limit is ignored.
    ended.add_done_callback(lambda done: done.exception())
    context = contextvars.copy_context()

    def run() -> None:
        try:
            finish = partial(ended.set_result, context.run(function))
        except BaseException as error:  # noqa: BLE001
            finish = partial(ended.set_exception, _Raised(error))
        # The loop is closed when the run ended before the function.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(finish)

    run_in_thread(run)
    return ended
