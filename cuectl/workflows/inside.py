"""The inside of a run: the procedure on its loop, its commands compared with or added to a history.

It is stepped by `advance`, with one event or none, and runs until nothing is ready. The work of a
call happens outside, see driver.py; the inside knows neither store nor processes.
"""

from __future__ import annotations

import asyncio
import atexit
import gc
import json
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from cuectl.values.times import from_text, to_text
from cuectl.workflows.loop import Loop
from cuectl.workflows.rules.history import (
    Checkpoints,
    Cursor,
    EngineCall,
    HistoryMismatch,
    NotDurable,
    WorkflowError,
    error_record,
    matched_lines,
    own_notes_at_the_end,
)
from cuectl.workflows.rules.rewind import counting_lines, results_at_hand

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator
    from types import FrameType

    from cuectl.values.records import Record
    from cuectl.workflows.loop import Future, Task

    Act = Callable[[EngineCall], Awaitable[Any]]

# Procedures that are left where they stand: collected, they would run their clean-up, at any time
# and in the middle of others.
ABANDONED: list[Inside] = []
_OURS = os.path.dirname(os.path.dirname(__file__))
NOT_THE_AUTHORS = (f"{_OURS}/", f"{os.path.dirname(os.__file__)}/", "<frozen")


class Outside(Protocol):
    """What does the work of the calls."""

    def now(self) -> int:
        """Return the time, in milliseconds."""

    def write(self, record: Record, *, sync: bool = False) -> None:
        """Add a line to the history."""

    def begin(self, call: EngineCall, act: Act, *, cancelled: bool) -> None:
        """Start what a call asks for; its end becomes an event later."""

    def settle(self, call: EngineCall, result: Record) -> None:
        """Give a call the end that it had before; that becomes an event."""

    def cancel(self, call: EngineCall) -> None:
        """Stop what a call started; its end still becomes an event."""

    def ask(self, make: Callable[[], Any]) -> Any:
        """Call a function outside and return what it gives."""

    def masked(self, value: Any) -> Any:
        """Return a JSON value with secrets hidden."""


class Pending:
    """A call that was made; awaited, it gives the value, and cancelled, it cancels the call."""

    def __init__(self, inside: Inside, call: EngineCall, act: Act) -> None:
        self.call = call
        self.act = act
        self.is_cancelled = self.is_anew = False
        self._inside = inside
        self._is_done = False
        self._waiting: list[Future] = []
        # Histories of a future for each call depend on the numbers of all that follow.
        inside.loop.next_number()

    def done(self) -> bool:
        """Tell whether it has ended."""
        return self._is_done

    def end(self, result: Record) -> None:
        """Note how it has ended."""
        self.call.result = result
        self._is_done = True
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    def _future(self) -> Future:
        """Return what is done when the call has ended; cancelled, only the waiting for it is."""
        future = self._inside.loop.create_future()
        self._waiting.append(future)
        return future

    async def wait(self) -> None:
        """Wait for its end; cancelled, it stops waiting, and the call continues."""
        if not self._is_done:
            await self._future()

    def __await__(self) -> Generator[Any, None, Any]:
        """Wait for its value, or raise the WorkflowError that it ended with."""
        try:
            if not self._is_done:
                yield from self._future()
        except asyncio.CancelledError:
            if not self._is_done:
                self._inside.cancel(self)
                yield from self._over()
            raise
        return self.call.answer()

    def _over(self) -> Generator[Any, None, None]:
        # A loser of a race has really ended before the procedure continues.
        while not self._is_done:
            with suppress(asyncio.CancelledError):
                yield from self._future()


class Inside:
    """One procedure, from its first step to its last.

    Attributes:
        main: the task of the procedure itself.
        stopped: why it can no longer be stepped.
        is_live: whether everything recorded was replayed.
        pending: the calls that have not ended, by number.
    """

    main: Task

    def __init__(self, records: list[Record], outside: Outside, *, began_at: int) -> None:
        self.loop = Loop(self.tell)  # type: ignore[abstract]  # the rest is refused
        self.loop.now = began_at / 1000
        self.cursor = Cursor(matched_lines(records))
        counting = counting_lines(records)
        self._at_hand = results_at_hand(counting)
        self.outside = outside
        # A call that is done again has a number that no line has had before.
        numbered = (each["step"] for each in (*records, *counting) if "step" in each)
        self.steps = max(numbered, default=0)
        self.stopped: Exception | None = None
        self.is_live = False
        self.pending: dict[int, Pending] = {}
        self.told: list[str] = []
        self.spent_usd = 0.0
        self._n = 0
        self._notes_left = own_notes_at_the_end(records)
        self._checkpoints = Checkpoints(records)
        self._segment: Record | None = None
        self._is_closing = False
        self._patches: dict[str, bool] = {}

    @property
    def now_ms(self) -> int:
        """The time of the last event."""
        return round(self.loop.now * 1000)

    @property
    def is_replaying(self) -> bool:
        """Whether what happens now has happened before."""
        return not self.cursor.at_end

    @property
    def is_over(self) -> bool:
        """Whether the procedure has ended, with all that it has started on its loop."""
        return self._is_closing and not self.loop.ready and not self.loop.open_tasks()

    def tell(self, text: str) -> None:
        """Keep a message until the inside is quiet; it may come from anywhere."""
        self.told.append(text)

    def start(self, procedure: Coroutine[Any, Any, Any]) -> None:
        """Make the task of the procedure; `advance` runs it."""
        self.main = self.loop.create_task(procedure)

    def advance(self, event: Record | None = None) -> None:
        """Deliver an event, and run, past all events that are recorded, until nothing is ready."""
        try:
            if event is not None:
                self._deliver(event)
            while True:
                self.loop.run_ready()
                self._cancel_what_is_left()
                if self.stopped is not None:
                    return
                recorded = self.cursor.event()
                if recorded is None:
                    break
                self._deliver(recorded)
        except HistoryMismatch as error:
            error.place = _awaiting_place(self.main)
            self.stop(error)
        else:
            self._go_live()

    def _cancel_what_is_left(self) -> None:
        """Cancel, once, the tasks that the procedure left behind."""
        if not self._is_closing and self.main.done():
            self._is_closing = True
            for task in self.loop.open_tasks():
                task.cancel()
            self.loop.run_ready()

    def _deliver(self, event: Record) -> None:
        at = from_text(event["at"]) / 1000
        match event["type"]:
            case "call.ended":
                found = self.pending.pop(event["n"], None)
                if found is None:
                    raise HistoryMismatch(f"call {event['n']} ended and was not made")
                self.spent_usd += event.get("usage", {}).get("cost_usd", 0.0)
                found.end(event["result"])
            case "timer":
                timer = self.loop.timers.pop(event["n"], None)
                if timer is None:
                    words = f"wait {event['n']} was over here and is not made any more"
                    raise HistoryMismatch(words, was=event)
                at = max(at, timer.when())
                self.loop.ready.append(timer)
            case _:
                self.main.cancel()
        self.loop.now = max(self.loop.now, at)

    def stop(self, why: Exception) -> None:
        """Step no further: neither `except` nor `finally` of the procedure sees it."""
        self.stopped = self.stopped or why
        self.loop.stopped = True

    def _go_live(self) -> None:
        """Start what was open when the last process of the run ended."""
        if self.is_live:
            return
        self.is_live = True
        for n, known in self._at_hand.items():
            if n in self.pending:
                call = self.pending[n].call
                call.usage = known.get("usage")
                self.outside.settle(call, known["result"])
        for n, pending in self.pending.items():
            if n in self._at_hand:
                continue
            if pending.is_anew:
                at = to_text(self.outside.now())
                self.write({"type": "begun", "at": at, "step": pending.call.step}, sync=True)
            self.outside.begin(pending.call, pending.act, cancelled=pending.is_cancelled)

    def _check(self) -> None:
        if asyncio._get_running_loop() is not self.loop:
            words = "the engine is for the procedure that it was given to, in its own thread"
            raise NotDurable(words)

    def begin(self, name: str, arguments: Record, act: Act) -> Pending:
        """Make a call: written durably before `act` is called outside, or found in the history."""
        self._check()
        made = self._made(name, arguments)
        line = self._compared(made)
        if self.stopped is not None:
            # It no longer leads anywhere, and must leave no trace.
            return Pending(self, EngineCall(step=0, name=name, arguments={}), act)
        is_new = line is None
        known = self._checkpoints.take_call(made) if self._segment and is_new else None
        line = line or made | self._new(None if known is None else known[0])
        is_old = known is not None or not (is_new or line.get("anew"))
        call = self._call_of(line, is_old=is_old)
        pending = self.pending[call.n] = Pending(self, call, act)
        pending.is_anew = bool(line.get("anew"))
        if is_new:
            self.write(line, sync=True)
            begun = act if known is None or known[1] is None else _answer_of(known[1])
            self.outside.begin(call, begun, cancelled=False)
        return pending

    def _made(self, name: str, arguments: Record) -> Record:
        self._n += 1
        masked = self.outside.masked(arguments)
        return {"type": "call", "n": self._n, "name": name, "arguments": masked}

    def _new(self, step: int | None = None) -> Record:
        if step is None:
            step = self.steps = self.steps + 1
        return {"step": step, "at": to_text(self.outside.now())}

    def _call_of(self, line: Record, *, is_old: bool) -> EngineCall:
        return EngineCall(
            n=line["n"], step=line["step"], name=line["name"], arguments=line["arguments"],
            at=from_text(line["at"]), is_old=is_old,
        )  # fmt: skip

    def _compared(self, made: Record) -> Record | None:
        """Return the line of a command, None when it is new or no more lines count."""
        if self.stopped is not None:
            return None
        try:
            line = self.cursor.command(made)
        except HistoryMismatch as error:
            error.place = _place(sys._getframe())
            self.stop(error)
            return None
        if line is None:
            self._go_live()
        return line

    def write(self, record: Record, *, sync: bool = False) -> None:
        """Add a line to the history; when that fails, step the inside no further."""
        try:
            self.outside.write(record, sync=sync)
        except OSError as error:
            self.stop(error)
            raise

    async def call(self, name: str, arguments: Record, act: Act) -> Any:
        """Make a call and return its value, or raise the WorkflowError that it ended with."""
        return await self.begin(name, arguments, act)

    def cancel(self, pending: Pending) -> None:
        """Cancel a call that has not ended; its end comes as an event."""
        if pending.is_cancelled:
            return
        pending.is_cancelled = True
        line = self._compared({"type": "cancel", "n": pending.call.n})
        if line is None and self.stopped is None:
            made = {"type": "cancel", "at": to_text(self.outside.now()), "n": pending.call.n}
            self.write(made, sync=True)
            self.outside.cancel(pending.call)

    def value(self, name: str, arguments: Record, make: Callable[[], Any]) -> Any:
        """Return the value of a call that ends at once, the same one in a resumed run.

        It is durable with the next line that is. Raises WorkflowError when `make` has.
        """
        self._check()
        made = self._made(name, arguments)
        line = self._compared(made)
        if self.stopped is not None:
            raise self.stopped
        if line is None:
            try:
                found = self.outside.ask(make)
                result: Record = {"value": json.loads(json.dumps(found, allow_nan=False))}
            except WorkflowError as error:
                result = error_record(error)
            line = made | self._new() | {"result": result}
            self.write(line)
        call = self._call_of(line, is_old=False)
        call.result = line["result"]
        return call.answer()

    def note(self, record: Record, *, sync: bool = False) -> bool:
        """Add to the history what is never compared; tell whether it was new, not a replay's."""
        if not self._is_new_note():
            return False
        at = to_text(self.outside.now())
        self.write({"at": at, **self.outside.masked(record)}, sync=sync)
        return True

    def _is_new_note(self) -> bool:
        if not self.cursor.at_end or self.stopped is not None:
            return False
        self._notes_left -= 1
        return self._notes_left < 0

    def checkpoint(self, name: str, payload: Any) -> None:
        """Note a state that a resumed run can start from."""
        self._check()
        at = to_text(self.outside.now())
        made = {"type": "checkpoint", "at": at, "name": name, "payload": payload}
        if self._is_new_note():
            self.write(made, sync=True)

    def resume_state(self) -> Any:
        """Return the newest checkpoint of the processes before this one, None for none.

        The procedure goes another way from here, so a segment of the history starts, which later
        processes replay, unless there is a newer checkpoint. Calls after the checkpoint that are
        made again, in whatever order, are taken over.
        """
        self._check()
        newest = self._checkpoints.newest
        if newest is None or self.stopped is not None:
            return None
        line = self.cursor.peek()
        while line is not None and line["type"] == "segment":
            self._segment = self.cursor.command(line)
            line = self.cursor.peek()
        segment = self._segment
        if segment is None or segment["checkpoint"] < newest["line"]:
            segment = self._begin_segment(newest)
        return segment["state"]

    def _begin_segment(self, newest: Record) -> Record:
        left = self.cursor.cut()
        self._notes_left = 0
        for pending in self.pending.values():
            self._checkpoints.forget(pending.call.step)
        self._go_live()
        before = left[0]["line"] if left else None
        made = {"type": "segment", "at": to_text(self.outside.now()), "before": before}
        self._segment = made | {"checkpoint": newest["line"], "state": newest["payload"]}
        self.write(self._segment, sync=True)
        return self._segment

    def patched(self, name: str) -> bool:
        """Tell whether a run takes the new path where the procedure changed; the answer stays."""
        self._check()
        known = self._patches.get(name)
        if known is None and self.stopped is None:
            found = self.cursor.patched(name)
            if found is None:
                self._go_live()
                self.write({"type": "patch", "at": to_text(self.outside.now()), "name": name})
            known = self._patches[name] = found is not False
        return bool(known)


def abandon(inside: Inside) -> None:
    """Leave a procedure where it is, for as long as this process lives."""
    if not ABANDONED:
        # At the end, too: what its clean-up calls, as asyncio in C, is taken down before it then.
        atexit.register(gc.freeze)
    ABANDONED.append(inside)


def _place(frame: FrameType | None) -> str | None:
    """Return where the author's code is, as `tdd.py:31`."""
    while frame is not None:
        path = frame.f_code.co_filename
        if not path.startswith(NOT_THE_AUTHORS):
            return f"{os.path.basename(path)}:{frame.f_lineno}"
        frame = frame.f_back
    return None


def _awaiting_place(task: Task) -> str | None:
    """Return the innermost place of the author's code at which a task waits."""
    place: str | None = None
    awaited: Any = task.get_coro()
    while awaited is not None:
        place = _place(getattr(awaited, "cr_frame", None)) or place
        awaited = getattr(awaited, "cr_await", None)
    return place


def _answer_of(result: Record) -> Act:
    """Return work that ends in the recorded way."""

    async def answer(call: EngineCall) -> Any:
        call.result = result
        return call.answer()

    return answer
