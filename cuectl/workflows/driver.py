"""The outside of a run: the work of its calls, on asyncio's own loop in the main thread.

1. The inside (inside.py) is stepped in a thread of its own, in lockstep; here
   events are queued.
2. A new engine call is one method in `engine_*.py`. It runs inside and touches nothing outside:
   `value = await self._inside.call("bash", given(cmd=cmd), act)`, where
   `async def act(call: EngineCall)` runs here and returns JSON, or raises WorkflowError.
3. Its line `call` is synced before `act` begins; its end is written before the procedure sees it.
   Another exception of `act` (a full disk) is no end: the run crashes, and a resume tries again.
4. `call.is_old`: an earlier process of the run has begun it; adopt what it
   has left, repeat nothing.
5. Cancelled inside, the task of `act` is cancelled here; its end is `{"cancelled": true}`.
   Where a process that died had cancelled it, `act` does not run again: its tree is ended,
   and `driver.undo[name]` does what else there is to end.
6. An `act` that waits for what only a later process may see says so, in a loop:
   `while (found := look()) is None: await self._driver.park(call, {"kind": "event", ...})`.
7. When nothing else is under way, the run is parked with these `waits`, and with its timers.
8. `driver.end(call, value)` ends an open call from outside, as `close` does with turns.
9. Time inside is that of the last event; waits for a time are timers of the inside's loop.
10. SIGINT and the like, and the run's limit, are events too: `request_stop`.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections import deque
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from cuectl.values.times import to_text
from cuectl.workflows.inside import NOT_THE_AUTHORS
from cuectl.workflows.rules.history import WorkflowError, error_record
from cuectl.workflows.steps import end_tree

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cuectl.store.workflow_files import RunHistory
    from cuectl.values.records import Record
    from cuectl.workflows.inside import Act, Inside
    from cuectl.workflows.rules.history import EngineCall

PARK_AFTER_S = 60.0
LOOK_EVERY_S = 0.25
BLOCKED_S = 10.0
_LONGEST_NAP_S = 3600.0


class Stuck(Exception):
    """The procedure waits for something that nothing can bring about any more."""


class Abandoned(Exception):
    """The procedure did not come to an end in the time that it was given for that."""


class InsideThread:
    """The thread in which the inside is stepped."""

    def __init__(self) -> None:
        self._work: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._thread = threading.Thread(target=self._live, name="procedure", daemon=True)
        self._thread.start()

    def _live(self) -> None:
        while True:
            self._work.get()()

    def run(self, work: Callable[[], None]) -> asyncio.Future[None]:
        """Run a function there; what is returned is done when it is over."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def run() -> None:
            try:
                work()
            # It is raised again where the work was asked for.
            except BaseException as error:  # noqa: BLE001
                loop.call_soon_threadsafe(done.set_exception, error)
            else:
                loop.call_soon_threadsafe(done.set_result, None)

        self._work.put(run)
        return done

    def is_current(self) -> bool:
        """Tell whether it is the thread that asks."""
        return threading.current_thread() is self._thread

    def place(self) -> str:
        """Return where it is now, as `file:line`, the innermost place first."""
        import traceback

        frame = sys._current_frames().get(self._thread.ident or 0)
        stack = traceback.extract_stack(frame)
        theirs = [one for one in stack if not one.filename.startswith(NOT_THE_AUTHORS)] or stack
        return ", called from ".join(f"{one.filename}:{one.lineno}" for one in theirs[:-4:-1])


class Driver:
    """Gives the inside of one run its events, and does the work of its calls.

    Attributes:
        waits: what the calls wait for that only a later process may see, by step.
        stops: why the procedure is to end, those that it was not told yet.
        look_again: for a run that does not park: records what it waits for, and waits a moment.
        interrupted: how many calls ended unseen.
        step_results: of functions, by step; those that earlier processes of the run have seen.
        undo: what ends calls of a name, beside their processes, that a dead process had cancelled.
    """

    inside: Inside

    def __init__(
        self, run_id: str, history: RunHistory, now: Callable[[], int],
        masked: Callable[[Any], Any], narrate: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.run_id = run_id
        self.now = now
        self.masked = masked
        self.narrate = narrate
        self.look_again: Callable[[Record], Awaitable[None]] | None = None
        self.interrupted = 0
        self.step_results: dict[int, Record] = {}
        self.undo: dict[str, Callable[[EngineCall], Awaitable[None]]] = {}
        self.waits: dict[int, Record] = {}
        self.stops: deque[str] = deque()
        self._history = history
        self._loop = asyncio.get_running_loop()
        self._acts: dict[int, asyncio.Task[Record]] = {}
        self._early: dict[int, Any] = {}
        self._ended: deque[tuple[EngineCall, Record]] = deque()
        self._was_stopped = False
        self._failure: BaseException | None = None
        self._thread = InsideThread()
        self._wake = asyncio.Event()

    def write(self, record: Record, *, sync: bool = False) -> None:
        """Add a line to the history."""
        self._history.append(record, sync=sync)

    def note(self, record: Record, *, sync: bool = False) -> None:
        """Add a note to the history."""
        self.write({"at": to_text(self.now()), **self.masked(record)}, sync=sync)

    def begin(self, call: EngineCall, act: Act, *, cancelled: bool) -> None:
        """Begin what a call asks for; its end becomes an event."""
        self._here(self._begin, call, act, cancelled)

    def settle(self, call: EngineCall, result: Record) -> None:
        """Let a call end as it has ended before; that becomes an event."""
        self._here(self._settle, call, result)

    def _settle(self, call: EngineCall, result: Record) -> None:
        self._ended.append((call, result))
        self._wake.set()

    def cancel(self, call: EngineCall) -> None:
        """End what a call has begun; its end still becomes an event."""
        self._here(self._cancel, call)

    def _here(self, what: Callable[..., None], *words: Any) -> None:
        if self._thread.is_current():
            self._loop.call_soon_threadsafe(what, *words)
        else:
            what(*words)

    def ask(self, make: Callable[[], Any]) -> Any:
        """Call a function in the main thread, which alone works with the store."""
        if not self._thread.is_current():
            return make()
        answer: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

        def work() -> None:
            try:
                answer.put((make(), None))
            # It is raised again where the answer was asked for.
            except BaseException as error:  # noqa: BLE001
                answer.put((None, error))

        self._loop.call_soon_threadsafe(work)
        value, error = answer.get()
        if error is not None:
            raise error
        return value

    def _begin(self, call: EngineCall, act: Act, cancelled: bool) -> None:
        work = self._undo(call) if cancelled else self._act(call, act)
        task = self._acts[call.n] = self._loop.create_task(work)
        task.add_done_callback(lambda done: self._take(call, done))

    async def _act(self, call: EngineCall, act: Act) -> Record:
        try:
            return {"value": await act(call)}
        except WorkflowError as error:
            return error_record(error)

    async def _undo(self, call: EngineCall) -> Record:
        await end_tree(self.run_id, call.step)
        if call.name in self.undo:
            await self.undo[call.name](call)
        return {"cancelled": True}

    def _take(self, call: EngineCall, done: asyncio.Task[Record]) -> None:
        del self._acts[call.n]
        if call.n in self._early:
            self._ended.append((call, {"value": self._early.pop(call.n)}))
        elif done.cancelled():
            self._ended.append((call, {"cancelled": True}))
        elif (error := done.exception()) is not None:
            self._failure = self._failure or error
        else:
            self._ended.append((call, done.result()))
        self._wake.set()

    def _cancel(self, call: EngineCall) -> None:
        if call.n in self._acts:
            self._acts[call.n].cancel()

    async def end(self, calls: list[EngineCall], value: Any) -> None:
        """End open calls with a value, whatever their work has come to."""
        tasks = [self._acts[call.n] for call in calls if call.n in self._acts]
        self._early |= {call.n: value for call in calls if call.n in self._acts}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def park(self, call: EngineCall, what: Record) -> None:
        """Wait for what only a later process may see; with `--wait`, look again in a moment."""
        what = {**what, "step": call.step}
        if self.look_again is not None:
            await self.look_again(what)
            return
        self.waits[call.step] = what
        self._wake.set()
        try:
            # While other calls are under way the run is not parked, and what it waits for may come.
            await asyncio.sleep(LOOK_EVERY_S)
        finally:
            del self.waits[call.step]

    def request_stop(self, why: str) -> None:
        """Let the procedure be cancelled by the next event."""
        self.stops.append(why)
        self._wake.set()

    async def drive(self, *, is_done: Callable[[], bool]) -> bool:
        """Give the inside its events until it is done, or stopped, or only parked: then False.

        Raises Stuck; and what the work of a call has raised that is no WorkflowError.
        """
        while not is_done() and self.inside.stopped is None:
            event = await self._next()
            if event is None:
                return False
            await self.step(event)
        return True

    async def _next(self) -> Record | None:
        """Wait for the next event and write it; None when the run is to be parked."""
        while True:
            if self._failure is not None:
                raise self._failure
            if self._has_event():
                return self._written(self._event())
            timer = self.inside.loop.next_timer()
            dues = [wait["until"] for wait in self.waits.values() if "until" in wait]
            due = min([*dues, *([] if timer is None else [timer.when() * 1000])], default=None)
            if len(self._acts) == len(self.waits) and not self._is_ending:
                if due is None and not self.waits:
                    raise Stuck("the procedure waits for something that nothing can bring about")
                if self.look_again is None and (
                    due is None or due - self.now() > PARK_AFTER_S * 1000
                ):
                    return None
            self._wake.clear()
            await self.idle(due)

    @property
    def _is_ending(self) -> bool:
        return self._was_stopped or self.inside.main.done()

    def _has_event(self) -> bool:
        timer = self.inside.loop.next_timer()
        is_due = timer is not None and timer.when() * 1000 <= self.now()
        return bool(self.stops or self._ended or is_due)

    def _event(self) -> Record:
        if self.stops:
            self._was_stopped = True
            return {"type": "stop", "by": self.stops.popleft()}
        if self._ended:
            call, result = self._ended.popleft()
            used = {} if call.usage is None else {"usage": call.usage}
            return {"type": "call.ended", "n": call.n, "step": call.step, "name": call.name,
                    "result": result, **used}  # fmt: skip
        timer = self.inside.loop.next_timer()
        return {"type": "timer", "n": timer.number if timer else 0}

    def _written(self, event: Record) -> Record:
        import json

        made = {"at": to_text(self.now()), **self.masked(event)}
        self.write(made, sync=event["type"] != "timer")
        # In the form in which a later process will read it.
        found: Record = json.loads(json.dumps(made))
        return found

    async def idle(self, due_ms: float | None) -> None:
        """Wait until something has come, or it is time."""
        timer = None
        if due_ms is not None:
            left_s = max(0.0, (due_ms - self.now()) / 1000)
            timer = self._loop.call_later(min(left_s, _LONGEST_NAP_S), self._wake.set)
        await self._wake.wait()
        if timer is not None:
            timer.cancel()

    def parked_for(self) -> list[Record]:
        """Return what a parked run waits for."""
        timer = self.inside.loop.next_timer()
        waits = list(self.waits.values())
        if timer is not None:
            waits.append({"kind": "time", "step": 0, "until": round(timer.when() * 1000)})
        return waits

    async def step(self, event: Record | None = None) -> None:
        """Let the inside run until it is quiet; warn when it does not come to that."""
        done = self._thread.run(lambda: self.inside.advance(event))
        watch = self._loop.call_later(BLOCKED_S, self._warn_of_block)
        try:
            await asyncio.shield(done)
        finally:
            watch.cancel()
        for text in self.inside.told:
            self.warn(text)
        self.inside.told.clear()

    def _warn_of_block(self) -> None:
        self.warn(f"the procedure has blocked for {BLOCKED_S:g} s at {self._thread.place()}")

    def warn(self, text: str) -> None:
        """Note a warning, and tell it."""
        self.tell(f"warning: {text}", kind="warning")

    def tell(self, text: str, *, kind: str = "log") -> None:
        """Note a text of the outside, and tell it."""
        self.note({"type": kind, "message": text, "by": "cuectl"})
        self.narrate(self.masked(text))

    async def leave(self) -> None:
        """End the work of all calls, without telling the procedure."""
        tasks = list(self._acts.values())
        for task in tasks:
            task.cancel()
        if tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait(tasks)
