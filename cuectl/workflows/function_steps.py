"""Steps of any function: run outside of the procedure, their result kept before it is recorded."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from _thread import start_new_thread
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from cuectl.values.records import dataclass
from cuectl.workflows.rules.function_step import error_result, pause_s, value_result
from cuectl.workflows.rules.history import StepFailed, StepInterrupted, TimedOut

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.values.records import Record
    from cuectl.workflows.driver import Driver
    from cuectl.workflows.rules.history import EngineCall


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionStep:
    """A function with its arguments, and how it may be tried."""

    function: Callable[[], Any]
    is_async: bool
    idempotent: bool
    retries: int
    backoff: float
    timeout: float | None

    async def run(self, driver: Driver, call: EngineCall) -> Any:
        """Run the function and return its value, or that of an earlier process of the run.

        Raises:
            StepFailed: its function has raised, or returned what JSON has no form for.
            StepInterrupted: an earlier process began it, and its end is not known.
            TimedOut: it took longer than it may.
        """
        result = driver.step_results.get(call.step)
        if result is None:
            if call.is_old and not self.idempotent:
                driver.interrupted += 1
                why = "its process was lost before its end, so it may have had its effects"
                raise StepInterrupted(f"{_who(call)}: {why}")
            result = await self._tried(driver, call)
            # Its effects are there, whenever the procedure can be told of its end.
            driver.note({"type": "step.result", "step": call.step, "result": result})
        if "error" in result:
            raise {"TimedOut": TimedOut}.get(result["kind"], StepFailed)(result["error"])
        return result["value"]

    async def _tried(self, driver: Driver, call: EngineCall) -> Record:
        """Try the function as often as it may be, and return the result of the last try."""
        tried = 0
        while True:
            thread = None if self.is_async else _start(self.function)
            tried += 1
            try:
                result = await self._once(call, thread)
            finally:
                is_left = thread is not None and not thread.done()
                if is_left:
                    driver.tell(f"{_who(call)} can't be ended and continues in its thread")
            if "error" not in result or is_left or tried > self.retries:
                return result
            driver.note({"type": "step.tried", "of": call.step, "try": tried, **result})
            await asyncio.sleep(pause_s(self.backoff, tried))

    async def _once(self, call: EngineCall, thread: asyncio.Future[Any] | None) -> Record:
        limit = asyncio.timeout(self.timeout)
        try:
            async with limit:
                value = await (self.function() if thread is None else asyncio.shield(thread))
                if inspect.isawaitable(value):
                    value = await value
            return value_result(value)
        except BaseException as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task and task.cancelling():
                raise
            if isinstance(error, TimeoutError) and limit.expired():
                text = f"{_who(call)} took longer than {self.timeout:g} s"
                return {"error": text, "kind": "TimedOut"}
            call.cause = error.args[0] if isinstance(error, _Raised) else error
            return error_result(type(call.cause).__name__, str(call.cause))


def _who(call: EngineCall) -> str:
    return f"step {call.step} ({call.arguments['name']})"


# What gives work to the threads that have none.
_IDLE: list[SimpleQueue[Callable[[], None]]] = []


class _Raised(Exception):
    """What a function in a thread has raised; a future does not take each exception as it is."""


def _live(work: SimpleQueue[Callable[[], None]]) -> None:
    while True:
        work.get()()


def _start(function: Callable[[], Any]) -> asyncio.Future[Any]:
    """Run a function in a thread that has nothing to do; all end with the process at the latest."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Any] = loop.create_future()
    # What comes after its time limit is of no interest.
    ended.add_done_callback(lambda done: done.exception())
    context = contextvars.copy_context()
    if not _IDLE:
        _IDLE.append(SimpleQueue())
        start_new_thread(_live, (_IDLE[-1],))
    thread = _IDLE.pop()

    def run() -> None:
        try:
            finish = partial(ended.set_result, context.run(function))
        except BaseException as error:  # noqa: BLE001
            finish = partial(ended.set_exception, _Raised(error))
        _IDLE.append(thread)
        # The loop is closed when the run was over before the function.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(finish)

    thread.put(run)
    return ended
