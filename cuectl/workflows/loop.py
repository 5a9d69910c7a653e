"""The event loop that a procedure runs on: without I/O, without a clock, the same each time.

Time stands still until someone delivers an event; a timer is due, never fires by itself. Tasks
and futures hash by a number, so that sets of them have an order. See driver.py for the rest.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import deque
from typing import TYPE_CHECKING, Any

from cuectl.workflows.rules.history import NotDurable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable
    from contextvars import Context

_KEPT_TASKS = 1000
_WAY_OUT = "put it into a function and call that with engine.step(...), or use engine.bash(...)"
_WATCHED = frozenset({"open", "subprocess.Popen", "socket.connect", "os.system", "time.sleep"})
_NOT_AUTHORS = ("<frozen", os.path.dirname(os.__file__), os.path.dirname(os.path.dirname(__file__)))
# What a loop can do and ours must not: nothing of it would come again in a resumed run.
_REFUSED = (
    "run_forever run_until_complete stop close call_soon_threadsafe run_in_executor "
    "set_default_executor getaddrinfo getnameinfo create_connection create_server sendfile "
    "start_tls create_unix_connection create_unix_server connect_accepted_socket "
    "create_datagram_endpoint connect_read_pipe connect_write_pipe subprocess_shell "
    "subprocess_exec add_reader remove_reader add_writer remove_writer sock_recv sock_recv_into "
    "sock_recvfrom sock_recvfrom_into sock_sendall sock_sendto sock_connect sock_accept "
    "sock_sendfile add_signal_handler remove_signal_handler set_task_factory"
).split()


class Future(asyncio.Future[Any]):
    """A future with a number."""

    def __init__(self, loop: Loop) -> None:
        self.number = loop.next_number()
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self.number


class Task(asyncio.Task[Any]):
    """A task with a number."""

    def __init__(self, coro: Coroutine[Any, Any, Any], loop: Loop, **options: Any) -> None:
        # Before the base registers the task in a set.
        self.number = loop.next_number()
        name = options.pop("name", None) or f"Task-{self.number}"
        super().__init__(coro, loop=loop, name=name, **options)

    def __hash__(self) -> int:
        return self.number


class Timer(asyncio.TimerHandle):
    """A timer with a number; they are counted apart from tasks."""

    __slots__ = ("number",)
    number: int


class Loop(asyncio.AbstractEventLoop):
    """What is ready, and what is due when; `tell` gets errors that would go unheard.

    Attributes:
        now: the time of the last event, in seconds.
        refused: the first request that can't be repeated.
        stopped: nothing is run any more.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.ready: deque[asyncio.Handle] = deque()
        self.timers: dict[int, Timer] = {}
        self.now = 0.0
        self.refused: NotDurable | None = None
        self.stopped = False
        self._tell = tell
        self._numbers = 0
        self._timer_numbers = 0
        self._tasks: list[Task] = []
        self._tidy_at = _KEPT_TASKS
        self._places: set[str] = set()

    def next_number(self) -> int:
        """Return the number of the next task or future."""
        self._numbers += 1
        return self._numbers

    def run_ready(self) -> None:
        """Run until nothing is ready."""
        before = asyncio._get_running_loop()
        hooks = sys.get_asyncgen_hooks()
        asyncio._set_running_loop(self)
        sys.set_asyncgen_hooks(finalizer=self._forget_generator)
        try:
            ready = self.ready
            while ready and not self.stopped:
                handle = ready.popleft()
                if not handle.cancelled():
                    self._run(handle)
        finally:
            asyncio._set_running_loop(before)
            sys.set_asyncgen_hooks(*hooks)

    def _run(self, handle: asyncio.Handle) -> None:
        try:
            handle._run()
        except (SystemExit, KeyboardInterrupt):
            # The task has it, too.
            return

    def _forget_generator(self, generator: AsyncGenerator[Any, Any]) -> None:
        # Its clean-up would run whenever it is collected, at another place each time.
        self._tell(f"an async generator was left open, its 'finally' does not run: {generator!r}")

    def open_tasks(self) -> list[Task]:
        """Return the tasks that have not ended, the oldest first."""
        self._tasks = [task for task in self._tasks if not task.done()]
        return self._tasks

    def next_timer(self) -> Timer | None:
        """Return the timer that is due first."""
        return min(self.timers.values(), key=lambda one: (one.when(), one.number), default=None)

    def time(self) -> float:
        """Return the time of the last event, in seconds."""
        return self.now

    def call_soon(  # type: ignore[override]  # any callback
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Run a callback when what is ready by now has run."""
        handle = asyncio.Handle(callback, args, self, context)
        self.ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]  # any callback
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run a callback after so many seconds."""
        return self.call_at(self.now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]  # any callback
        self, when: float, callback: Callable[..., object], *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:  # fmt: skip
        """Run a callback at a time. Raises ValueError: NaN is none, and would never come."""
        if when != when:  # noqa: PLR0124  (true of NaN alone)
            raise ValueError("NaN is not a time to wait for")
        timer = Timer(when, callback, args, self, context)
        self._timer_numbers += 1
        timer.number = self._timer_numbers
        self.timers[timer.number] = timer
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        if isinstance(handle, Timer):
            self.timers.pop(handle.number, None)

    def create_future(self) -> Future:
        """Return a new future."""
        return Future(self)

    def create_task(
        self, coro: Any, *, name: str | None = None, context: Context | None = None, **more: Any
    ) -> Task:
        """Run a coroutine as a task."""
        if len(self._tasks) >= self._tidy_at:
            self._tidy_at = len(self.open_tasks()) + _KEPT_TASKS
        task = Task(coro, self, name=name, context=context, **more)
        self._tasks.append(task)
        return task

    def get_debug(self) -> bool:
        """Return False."""
        return False

    def set_debug(self, enabled: bool) -> None:
        """Do nothing."""

    def is_running(self) -> bool:
        """Tell whether it is the loop that runs in this thread."""
        return asyncio._get_running_loop() is self

    def is_closed(self) -> bool:
        """Return False."""
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Report an error that no task awaits."""
        error = context.get("exception")
        said = context.get("message", "an error that was never awaited")
        self._tell(said if error is None else f"{said}: {error!r}")

    default_exception_handler = call_exception_handler

    def saw(self, what: str) -> None:
        """Report, once per place, what was done without the engine."""
        frame = sys._getframe(2)
        while frame.f_back is not None and frame.f_code.co_filename.startswith(_NOT_AUTHORS):
            if "importlib" in frame.f_code.co_filename:
                return
            frame = frame.f_back
        place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        if place not in self._places and not place.startswith(_NOT_AUTHORS):
            self._places.add(place)
            self._tell(f"{what} at {place} is done again by each process of the run: {_WAY_OUT}")

    def refuse(self, what: str) -> NotDurable:
        """Remember a request that can't be repeated; return the error."""
        error = NotDurable(
            f"{what} is not recorded, so a resumed run could not repeat it: {_WAY_OUT}"
        )
        self.refused = self.refused or error
        return error


def _refusal(name: str) -> Callable[..., Any]:
    def refused(self: Loop, *_: Any, **__: Any) -> Any:
        raise self.refuse(f"loop.{name}()")

    return refused


for _name in _REFUSED:
    setattr(Loop, _name, _refusal(_name))
Loop.__abstractmethods__ = frozenset()  # type: ignore[attr-defined]

_wait_for = asyncio.wait_for
_as_completed = asyncio.as_completed


async def wait_for(fut: Awaitable[Any], timeout: float | None) -> Any:
    """Wait for something with a limit, by the same ticks in every version of Python.

    That of 3.11 takes other ticks than its followers, so that its histories would not fit them.
    """
    if not isinstance(asyncio.get_running_loop(), Loop):
        return await _wait_for(fut, timeout)
    if timeout is not None and timeout <= 0:
        task = asyncio.ensure_future(fut)
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
        try:
            return task.result()
        except asyncio.CancelledError as error:
            raise TimeoutError from error
    async with asyncio.timeout(timeout):
        return await fut


def as_completed(fs: Iterable[Awaitable[Any]], *, timeout: float | None = None) -> Any:
    """Return what has ended, one after the other, from tasks that are made in the given order.

    asyncio's own makes them in the order of a set of coroutines, another one in each process.
    """
    if isinstance(asyncio._get_running_loop(), Loop):
        fs = [asyncio.ensure_future(each) for each in dict.fromkeys(fs)]
    return _as_completed(fs, timeout=timeout)


def _number_of(future: Any) -> int:
    loop = future._loop
    if not isinstance(loop, Loop):
        return object.__hash__(future)
    number: int | None = getattr(future, "number", None)
    if number is None:
        number = future.number = loop.next_number()
    return number


async def _leave_group(self: Any, kind: Any, error: Any, trace: Any) -> Any:
    """Leave a TaskGroup with the cancellations of others intact, as from Python 3.13 on."""
    was_asked = self._parent_cancel_requested
    try:
        return await _group_exit(self, kind, error, trace)
    except BaseExceptionGroup:
        task = self._parent_task
        if self._parent_cancel_requested and not was_asked:
            task.uncancel()
        if task.cancelling():
            task.uncancel()
            task.cancel()
        raise


async def _leave_limit(self: Any, kind: Any, error: Any, trace: Any) -> None:
    """Leave a timeout() in a task that was cancelled before it, as from Python 3.12 on."""
    is_expired = self._state.value == "expiring"
    await _limit_exit(self, kind, error, trace)
    if is_expired and kind is asyncio.CancelledError and self._task.cancelling() <= self._before:
        raise TimeoutError from error


async def _enter_limit(self: Any) -> Any:
    found = await _limit_enter(self)
    self._before = self._task.cancelling()
    return found


_group_exit, _limit_exit = asyncio.TaskGroup.__aexit__, asyncio.Timeout.__aexit__
_limit_enter = asyncio.Timeout.__aenter__


def _audit(event: str, _: Any) -> None:
    if event in _WATCHED and isinstance(found := asyncio._get_running_loop(), Loop):
        found.saw(event)


def install(*, watch: bool = False) -> None:
    """Put our own in the place of what asyncio does in another order each time, or version.

    With `watch`, report what procedures open and start by themselves.
    """
    if watch:
        sys.addaudithook(_audit)
    if "cancelling" not in _group_exit.__code__.co_names:
        asyncio.TaskGroup.__aexit__ = _leave_group  # type: ignore[assignment, method-assign]
    if "_cancelling" not in _limit_exit.__code__.co_names:
        asyncio.Timeout.__aenter__ = _enter_limit  # type: ignore[method-assign]
        asyncio.Timeout.__aexit__ = _leave_limit  # type: ignore[assignment, method-assign]
    for module in (asyncio, asyncio.tasks):
        vars(module)["wait_for"] = wait_for
        vars(module)["as_completed"] = as_completed
    asyncio.tasks._GatheringFuture.__hash__ = _number_of  # type: ignore[attr-defined]
