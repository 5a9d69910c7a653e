"""A run whose outside is played by fakes, in a time that only their events move."""

from __future__ import annotations

import json
import math
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from cuectl.testing.fakes import NEVER, Unexpected, World
from cuectl.values.times import from_text, to_text
from cuectl.workflows import loop
from cuectl.workflows.engine import WorkflowEngine
from cuectl.workflows.inside import Inside, abandon
from cuectl.workflows.rules.history import (
    COMMANDS,
    EngineCall,
    HistoryMismatch,
    TurnInterrupted,
    WorkflowError,
    matched_lines,
    shown_call,
    shown_command,
)
from cuectl.workflows.rules.signature import plain
from cuectl.workflows.turns import FailedText

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.values.records import Record
    from cuectl.workflows.inside import Act
    from cuectl.workflows.rules.records import WorkflowRun

BEGIN_MS = from_text("2026-01-01T00:00:00Z")


class _RehearsedInside(Inside):
    def value(self, name: str, arguments: Record, make: Callable[[], Any]) -> Any:
        outside: Any = self.outside
        return super().value(name, arguments, lambda: outside.value_of(name, arguments, make))


class Rehearsal:
    """The outside of a run, from a history on; without a world it only replays that.

    Attributes:
        log: what the procedure has logged.
    """

    def __init__(
        self, procedure: Callable[..., Any], run: WorkflowRun, values: Record,
        history: list[Record], world: World | None,
    ) -> None:  # fmt: skip
        loop.install()
        self.history = list(history)
        self.log: list[str] = []
        self._world = world
        self._ms = from_text(history[-1]["at"])
        self._open: dict[int, tuple[float, EngineCall, Record]] = {}
        for line in matched_lines(history) if world else ():
            self._meet_again(line)
        self.inside = _RehearsedInside(history, self, began_at=from_text(history[0]["at"]))
        agents = {} if world is None else {each.pattern: each for each in world.scripts}
        turns: Any = SimpleNamespace(
            runtime=SimpleNamespace(random=lambda size: Random(len(self.history)).randbytes(size)),
            context=SimpleNamespace(in_force=SimpleNamespace(agents=agents)),
        )
        driver: Any = self
        engine = WorkflowEngine(run, turns, driver, self.inside, narrate=self.log.append)
        self.inside.start(procedure(engine, **values))
        self.inside.advance()
        if world is None:
            self._leave()

    def _leave(self) -> None:
        if not self.inside.is_over:
            abandon(self.inside)

    def _meet_again(self, line: Record) -> None:
        """Let the fakes come as far as they had come with a line."""
        match line["type"]:
            case "call" if "result" not in line:
                names = ("n", "step", "name", "arguments")
                self._begin(EngineCall(**{k: line[k] for k in names}, at=from_text(line["at"])))
            case "cancel":
                self._cancelled(line["n"], from_text(line["at"]))
            case "call.ended":
                self._open.pop(line["n"], None)

    def _begin(self, call: EngineCall) -> None:
        if self._world is not None:
            due, result = self._world.answer(call)
            self._open[call.n] = (due, call, result)

    def _cancelled(self, n: int, at: int) -> None:
        if self._world is not None and n in self._open:
            self._world.release(n)
            self._open[n] = (at, self._open[n][1], {"cancelled": True})

    def now(self) -> int:
        """Return the time of the last event."""
        return self._ms

    def masked(self, value: Any) -> Any:
        """Return a value as it is."""
        return value

    def write(self, record: Record, *, sync: bool = False) -> None:
        """Add a line to the history; a mere replay stops before the first command that is new."""
        if self._world is None:
            if record["type"] in COMMANDS:
                what = f"the run was over here and continues now with {shown_command(record)}"
                self.inside.stop(HistoryMismatch(what, was=self.history[-1]))
            return
        self.history.append(json.loads(json.dumps({"line": len(self.history) + 1, **record})))

    def begin(self, call: EngineCall, act: Act, *, cancelled: bool) -> None:
        """Start what a call asks for, unless that was started by then."""
        try:
            if call.n not in self._open:
                self._begin(call)
        except Unexpected as error:
            self.inside.stop(error)
        for _, other, ended in [*self._open.values()]:
            is_open = other.name == "send" and call.name == "close"
            if is_open and other.arguments["handle"] == call.arguments["handle"]:
                said = {"body": "the session was closed", "status": "error"}
                self._open[other.n] = (self._ms, other, {"value": ended["value"] | said})

    def settle(self, call: EngineCall, result: Record) -> None:
        """Let a call end as it has ended before."""
        self._open[call.n] = (self._ms, call, result)

    def cancel(self, call: EngineCall) -> None:
        """End what a call has started."""
        self._cancelled(call.n, self._ms)

    def ask(self, make: Callable[[], Any]) -> Any:
        """Return what a function gives."""
        return make()

    def value_of(self, name: str, arguments: Record, make: Callable[[], Any]) -> Any:
        """Return the value of a call that ends at once."""
        handles = self._world.handles if self._world is not None else {}
        if name == "find_session" and arguments["handle"] not in handles:
            raise WorkflowError(f"the session '{arguments['handle']}' is not there")
        match name:
            case "journal":
                return self._ms
            case "find_session":
                return None
            case "list_sessions":
                return [{"handle": handle, "agent": agent, "state": "ready", "turns": turns}
                        for handle, (agent, turns, _) in handles.items()]  # fmt: skip
            case _:
                return make()

    def finish(self) -> None:
        """Go on to the end of the procedure and its turns, and write the last line.

        Raises Unexpected, HistoryMismatch, and what the procedure raises but WorkflowErrors.
        """
        inside = self.inside
        try:
            while inside.stopped is None and not (inside.is_over and not self._has_turns()):
                self.write(self._next())
                inside.advance(self.history[-1])
        finally:
            self._leave()
        if inside.stopped is not None:
            raise inside.stopped
        self.write({"at": to_text(self._ms), **self._end()})

    def _end(self) -> Record:
        end: Record = {"type": "run.ended", "status": "succeeded"}
        try:
            if self.inside.loop.refused is not None:
                raise self.inside.loop.refused
            result = self.inside.main.result()
            if isinstance(result, FailedText):
                raise result.error()
            return end | {"result": plain(result)}
        except WorkflowError as error:
            status = "interrupted" if isinstance(error, TurnInterrupted) else "failed"
            return end | {"status": status, "error": str(error) or type(error).__name__}

    def check_end(self) -> None:
        """Compare what a mere replay has come to. Raises HistoryMismatch."""
        why, last = self.inside.stopped, self.history[-1]
        is_over = last["type"] == "run.ended"
        if isinstance(why, HistoryMismatch) and (why.was is not last or is_over):
            line = f"line {why.was['line']}: " if why.was else ""
            raise HistoryMismatch(f"{line}{why}", n=why.n, was=why.was, now=why.now) from None
        if is_over:
            now = self._end() if self.inside.is_over else {"status": "waiting"}
            for name in ("status", "result", "error"):
                if name in last and now.get(name) != last[name]:
                    words = f"the {name} was {last[name]!r} and is now {now.get(name)!r}"
                    raise HistoryMismatch(f"line {last['line']}: {words}", was=last, now=now)

    def _has_turns(self) -> bool:
        return any(call.name == "send" for _, call, _ in self._open.values())

    def _next(self) -> Record:
        due, call, result = min(
            self._open.values(), key=lambda one: (one[0], one[1].n), default=(NEVER, None, {})
        )
        timer = self.inside.loop.next_timer()
        if timer is not None and timer.when() * 1000 < due:
            self._ms = max(self._ms, math.ceil(timer.when() * 1000))
            return {"at": to_text(self._ms), "type": "timer", "n": timer.number}
        if call is None or due == NEVER:
            waits = [shown_call(one.name, one.arguments) for _, one, _ in self._open.values()]
            raise Unexpected(f"the workflow waits, and nothing is to come: {', '.join(waits)}")
        self._ms = max(self._ms, math.ceil(due))
        del self._open[call.n]
        used = {} if call.usage is None else {"usage": call.usage}
        return {"at": to_text(self._ms), "type": "call.ended", "n": call.n, "step": call.step,
                "name": call.name, "result": result, **used}  # fmt: skip
