"""The outside of a run: the work of its calls, on asyncio's own loop in the main thread.

1. The inside (inside.py) is stepped by one thread at a time, that which holds `_stepping`, never
   by this one. It takes one event after the other, and runs the plain function of a step itself:
   the main thread is woken only for work that needs it.
2. A new engine call is one method in `engine_*.py`. It runs inside and touches nothing outside:
   `value = await self._inside.call("bash", given(cmd=cmd), act)`, where
   `async def act(call: EngineCall)` runs here and returns JSON, or raises WorkflowError.
3. Its line `call` is synced before `act` starts; its end is written before the procedure sees it.
   Another exception of `act` (a full disk) is no end: the run crashes, and a resume tries again.
4. `call.is_old`: an earlier process of the run has started it; adopt what it
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
import json
import sys
from _thread import allocate_lock, get_ident
from collections import deque
from contextvars import copy_context
from functools import partial
from math import inf
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from cuectl.process.runtime import monotonic_s
from cuectl.values.times import to_text
from cuectl.workflows.function_steps import FunctionStep, run_in_thread, who
from cuectl.workflows.inside import NOT_THE_AUTHORS
from cuectl.workflows.rules.history import WorkflowError, error_record
from cuectl.workflows.steps import end_tree

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from contextvars import Context

    from cuectl.store.workflow_files import RunHistory
    from cuectl.values.records import Record
    from cuectl.workflows.inside import Act, Inside
    from cuectl.workflows.rules.history import EngineCall

PARK_AFTER_S = 60.0
LOOK_EVERY_S = 0.25
BLOCKED_S = 10.0
_LONGEST_NAP_S = 3600.0
# Values of which JSON gives back the same.
_AS_READ = frozenset((type(None), bool, int, float, str))


class Stuck(Exception):
    """The procedure waits for something that can no longer happen."""


class Abandoned(Exception):
    """The procedure did not finish in the time that it had for that."""


class Driver:
    """Gives the inside of one run its events, and does the work of its calls.

    Attributes:
        waits: what the calls wait for that only a later process may see, by step.
        stops: reasons to stop the procedure, not delivered yet.
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
        self._main = get_ident()
        self._acts: dict[int, asyncio.Task[Record]] = {}
        # On the way to the main thread; to be started when the inside is quiet; in other threads.
        self._coming: dict[int, EngineCall] = {}
        self._steps: dict[int, tuple[EngineCall, FunctionStep, Context]] = {}
        self._running: dict[int, EngineCall] = {}
        self._early: dict[int, Any] = {}
        self._ended: deque[tuple[EngineCall, Record]] = deque()
        self._was_stopped = False
        self._failure: BaseException | None = None
        self._stepping = allocate_lock()
        self._stepper = 0
        self._step_began: float | None = None
        self._is_driven = self._has_begun = self._main_waits = False
        self._wake = asyncio.Event()
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = inf

    def write(self, record: Record, *, sync: bool = False) -> None:
        """Add a line to the history."""
        self._history.append(record, sync=sync)

    def note(self, record: Record, *, sync: bool = False) -> None:
        """Add a note to the history."""
        self.write({"at": to_text(self.now()), **self.masked(record)}, sync=sync)

    def begin(self, call: EngineCall, act: Act, *, cancelled: bool) -> None:
        """Start what a call asks for; its end becomes an event."""
        if isinstance(act, FunctionStep) and not cancelled:
            self._steps[call.n] = (call, act, copy_context())
        else:
            self._hand_over(call, act, cancelled=cancelled)

    def _hand_over(
        self, call: EngineCall, act: Act, context: Context | None = None, *, cancelled: bool = False
    ) -> None:
        self._coming[call.n] = call
        self._loop.call_soon_threadsafe(self._begin, call, act, cancelled, context=context)

    def settle(self, call: EngineCall, result: Record) -> None:
        """Give a call the end that it had before; that becomes an event."""
        self._ended.append((call, result))

    def cancel(self, call: EngineCall) -> None:
        """Stop what a call started; its end still becomes an event."""
        if self._steps.pop(call.n, None) is not None or self._give_up(call):
            self._ended.append((call, {"cancelled": True}))
        else:
            self._loop.call_soon_threadsafe(self._cancel, call)

    def _give_up(self, call: EngineCall) -> bool:
        """Take the end of a function for cancelled, if that did not come before."""
        if self._running.pop(call.n, None) is None:
            return False
        self.tell(f"{who(call)} can't be ended and continues in its thread")
        return True

    def ask(self, make: Callable[[], Any]) -> Any:
        """Call a function in the main thread, which alone works with the store."""
        if get_ident() == self._main:
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
        self._work_on(call, self._undo(call) if cancelled else self._act(call, act))
        del self._coming[call.n]

    def _work_on(self, call: EngineCall, work: Coroutine[Any, Any, Record]) -> None:
        task = self._acts[call.n] = self._loop.create_task(work)
        task.add_done_callback(partial(self._take, call))

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
        if done.cancelled() and call.is_old and self._is_driven:
            # It may not have reached the point where it stops what an earlier process left.
            self._work_on(call, self._undo(call))
            return
        result: Record = {"cancelled": True}
        if call.n in self._early:
            result = {"value": self._early.pop(call.n)}
        elif not done.cancelled():
            if (error := done.exception()) is not None:
                self._failure = self._failure or error
                self._wake.set()
                return
            result = done.result()
        if self._add(call, result):
            run_in_thread(self._go_on)
        elif self._is_for_main:
            self._wake.set()

    def _add(self, call: EngineCall, result: Record) -> bool:
        """Add the end of a call; tell whether it is for the caller to see that it is delivered."""
        has_turn = self._take_turn()
        if call.name == "step" and "cancelled" not in result and not (has_turn and self._is_next):
            # Its effects are there, whenever the procedure learns of its end.
            self.note({"type": "step.result", "step": call.step, "result": result})
        self._ended.append((call, result))
        return has_turn or self._take_turn()

    @property
    def _is_next(self) -> bool:
        return not (self._ended or self.stops)

    def _take_turn(self) -> bool:
        """Take the turn to step the inside. Its holder looks for events that came meanwhile."""
        return self._is_driven and not self._is_for_main and self._stepping.acquire(blocking=False)

    @property
    def _is_for_main(self) -> bool:
        """Whether the procedure has reached a point where the main thread decides."""
        inside = self.inside
        return self._failure is not None or inside.stopped is not None or inside.main.done()

    def _cancel(self, call: EngineCall) -> None:
        if call.n in self._acts:
            self._acts[call.n].cancel()

    async def end(self, calls: list[EngineCall], value: Any) -> None:
        """End open calls with a value, however their work ended."""
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
        self._is_driven = True
        watch = self._loop.create_task(self._watch())
        try:
            while True:
                self._wake.clear()
                if self._is_my_turn() and (found := self._look(is_done)) is not None:
                    return found
                await self._wake.wait()
        finally:
            self._is_driven = False
            watch.cancel()
            self._set_alarm(inf)

    def _is_my_turn(self) -> bool:
        if self._stepping.acquire(blocking=False):
            return True
        # Its holder may have released it before it could see this.
        self._main_waits = True
        return self._stepping.acquire(blocking=False)

    def _look(self, is_done: Callable[[], bool]) -> bool | None:
        """Decide what follows while the inside rests; None: it continues."""
        self._main_waits = is_handed_on = False
        try:
            if self._failure is not None:
                raise self._failure
            if self._has_begun and (is_done() or self.inside.stopped is not None):
                self._is_driven = False
                return True
            if not self._has_begun or self._has_event():
                run_in_thread(self._go_on)
                is_handed_on = True
                return None
            due = min(
                [self._timer_due(), *(each.get("until", inf) for each in self.waits.values())]
            )
            if self._is_idle and not self._is_ending:
                if due == inf and not self.waits:
                    raise Stuck("the procedure waits for something that nothing can bring about")
                if self.look_again is None and due - self.now() > PARK_AFTER_S * 1000:
                    self._is_driven = False
                    return False
            self._set_alarm(due)
        finally:
            if not is_handed_on:
                self._stepping.release()
        if not self._is_next:
            self._wake.set()
        return None

    @property
    def _is_idle(self) -> bool:
        """Whether nothing is under way but waits for what a later process may see."""
        return len(self._acts) == len(self.waits) and not (self._coming or self._running)

    def _go_on(self) -> None:
        """Step the inside, having the turn, and do in this thread what can be done here."""
        has_turn = True
        while has_turn:
            try:
                self._step_through()
            except BaseException as error:  # noqa: BLE001  (it ends the run, and is recorded)
                self._failure = self._failure or error
            begun, self._steps = [*self._steps.values()], {}
            here = [one for one in begun if one[1].is_plain(one[0])]
            apart = [one for one in begun if not one[1].is_plain(one[0])]
            self._running |= {call.n: call for call, _, _ in here}
            self._coming |= {call.n: call for call, _, _ in apart}
            for_main = self._is_for_main or self._is_idle or self._timer_due() < self._alarm_at
            self._stepping.release()
            for call, act, context in apart:
                self._hand_over(call, act, context)
            for one in here[1:]:
                run_in_thread(partial(self._run_and_go_on, *one))
            if for_main or self._main_waits:
                self._wake_main()
            has_turn = self._run(*here[0]) if here else not self._is_next and self._take_turn()

    def _step_through(self) -> None:
        """Step the inside through the events that are there, or until the main thread decides."""
        self._stepper = get_ident()
        while not self._has_begun or self._has_event():
            event = self._written(self._event()) if self._has_begun else None
            self._has_begun = True
            self._step_began = monotonic_s()
            self.inside.advance(event)
            self._step_began = None
            for text in self.inside.told:
                self.warn(text)
            self.inside.told.clear()
            if self._is_for_main:
                return

    def _run(self, call: EngineCall, step: FunctionStep, context: Context) -> bool:
        """Run the function of a step; tell whether this thread has the turn to continue."""
        found = context.run(step.run, call)
        # Until its end is among those that came, the main thread must not think that all is quiet.
        self._coming[call.n] = call
        has_turn = False
        if self._running.pop(call.n, None) is not None:
            if not isinstance(found, dict):
                self._hand_over(call, found, context)
                return False
            try:
                has_turn = self._add(call, found)
            except OSError as error:
                self._failure = error
        del self._coming[call.n]
        if not has_turn and (self._is_for_main or self._is_idle):
            self._wake_main()
        return has_turn

    def _run_and_go_on(self, call: EngineCall, step: FunctionStep, context: Context) -> None:
        if self._run(call, step, context):
            self._go_on()

    def _wake_main(self) -> None:
        # The loop is closed when the run ended before a function.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._wake.set)

    async def _watch(self) -> None:
        """Warn, once each time, of a procedure that does not yield."""
        told = None
        while True:
            began, left = self._step_began, BLOCKED_S
            if began is not None and began != told:
                left += began - monotonic_s()
                if left <= 0:
                    told, left = began, BLOCKED_S
                    where = self._place()
                    self.warn(f"the procedure has blocked for {BLOCKED_S:g} s at {where}")
            await asyncio.sleep(left)

    def _place(self) -> str:
        """Return where the procedure is now, as `file:line`, the innermost place first."""
        import traceback

        stack = traceback.extract_stack(sys._current_frames().get(self._stepper))
        theirs = [one for one in stack if not one.filename.startswith(NOT_THE_AUTHORS)] or stack
        return ", called from ".join(f"{one.filename}:{one.lineno}" for one in theirs[:-4:-1])

    def _timer_due(self) -> float:
        timer = self.inside.loop.next_timer()
        return inf if timer is None else timer.when() * 1000

    def _set_alarm(self, due: float) -> None:
        """Let the main thread look again at a time, in milliseconds."""
        if due != self._alarm_at:
            if self._alarm is not None:
                self._alarm.cancel()
            left_s = min(max(0.0, (due - self.now()) / 1000), _LONGEST_NAP_S)
            self._alarm = None if due == inf else self._loop.call_later(left_s, self._ring)
            self._alarm_at = due

    def _ring(self) -> None:
        self._alarm_at = inf
        self._wake.set()

    @property
    def _is_ending(self) -> bool:
        return self._was_stopped or self.inside.main.done()

    def _has_event(self) -> bool:
        return not self._is_next or self._timer_due() <= self.now()

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
        made = {"at": to_text(self.now()), **self.masked(event)}
        self.write(made, sync=event["type"] != "timer")
        if type(made.get("result", {}).get("value")) not in _AS_READ:
            # In the form in which a later process will read it.
            made["result"] = json.loads(json.dumps(made["result"]))
        return made

    def parked_for(self) -> list[Record]:
        """Return what a parked run waits for."""
        timer = self.inside.loop.next_timer()
        waits = list(self.waits.values())
        if timer is not None:
            waits.append({"kind": "time", "step": 0, "until": round(timer.when() * 1000)})
        return waits

    def warn(self, text: str) -> None:
        """Record a warning, and print it."""
        self.tell(f"warning: {text}", kind="warning")

    def tell(self, text: str, *, kind: str = "log") -> None:
        """Record a text of the outside, and print it."""
        self.note({"type": kind, "message": text, "by": "cuectl"})
        self.narrate(self.masked(text))

    async def leave(self) -> None:
        """Stop the work of all calls, without an event for the procedure."""
        for call in [*self._running.values()]:
            self._give_up(call)
        tasks = list(self._acts.values())
        for task in tasks:
            task.cancel()
        if tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait(tasks)
