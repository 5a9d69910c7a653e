"""Calls of a workflow about other runs and events, and reports of its progress."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import TYPE_CHECKING, Any

from cuectl.events.emit import event_in
from cuectl.events.lines import RECORDED
from cuectl.events.rules.event import check_type, event_from_record
from cuectl.events.rules.filters import compile_filter
from cuectl.store.reading import Follower, open_reader
from cuectl.values.errors import CuectlError
from cuectl.workflows.beginnings import cancel_apart, start_child
from cuectl.workflows.engine_flow import FlowCalls, given, seconds, text_of
from cuectl.workflows.rules.function_step import json_form
from cuectl.workflows.rules.history import ChildFailed, TimedOut, WorkflowError
from cuectl.workflows.rules.records import RunStatus
from cuectl.workflows.rules.signature import plain
from cuectl.workflows.runs import read_run

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from cuectl.store.store import Store
    from cuectl.values.records import Record
    from cuectl.workflows.rules.history import EngineCall
    from cuectl.workflows.rules.records import WorkflowRun

# A run stays in its process while it waits for another one that ends soon.
_STAYS_MS = 60_000
_NAP_S = 0.05


class ChildRun:
    """A run that this one has started, by its `id`; awaited, it gives what that returns."""

    def __init__(self, engine: RunCalls, run_id: str, on_end: str | None) -> None:
        self.id = run_id
        self._engine = engine
        self._on_end = on_end

    def __await__(self) -> Generator[Any, None, Any]:
        """Wait for its end and return its result, or raise ChildFailed.

        When cancelled, it ends the run, unless `on_end` is `leave`.
        """
        return self._engine.child_end(self.id, self._on_end).__await__()

    async def cancel(self) -> None:
        """End the run, and return when it has ended."""
        await self._engine.cancel_child(self.id)


class RunCalls(FlowCalls):
    """Children, events, and progress."""

    async def start_workflow(
        self,
        name: str,
        kwargs: Mapping[str, Any] | None = None,
        *,
        run_id: str | None = None,
        on_end: str = "cancel",
    ) -> ChildRun:
        """Start another workflow as a run of its own, which may be awaited.

        Args:
            name: of a workflow of the same modules.
            kwargs: its arguments.
            run_id: its id; made of this run's and the step's when None.
            on_end: `cancel` when it ends with this run, `leave` when it does not.

        Raises WorkflowError: there is no such workflow, or it does not take these arguments.
        """
        if on_end not in ("cancel", "leave"):
            raise ValueError(f"on_end is 'cancel' or 'leave', not {on_end!r}")
        left = None if on_end == "cancel" else on_end
        values = plain(dict(kwargs or {})) or None
        asked = given(workflow=text_of("name", name), kwargs=values, run_id=run_id, on_end=left)
        made = await self._inside.call("start_workflow", asked, self._start_child)
        return ChildRun(self, str(made), left)

    async def run_workflow(self, name: str, kwargs: Mapping[str, Any] | None = None) -> Any:
        """Run another workflow as a run of its own, and return what it returns.

        Raises:
            ChildFailed: it has not succeeded.
            WorkflowError: there is no such workflow, or it does not take these arguments.
        """
        return await (await self.start_workflow(name, kwargs))

    async def _start_child(self, call: EngineCall) -> str:
        ledger = self._turns.ledger
        left = ledger.left_usd if ledger is not None else None
        asked, runtime = call.arguments, self._turns.runtime
        try:
            return start_child(runtime, self.run, call.step, **asked, left_usd=left)
        except CuectlError as error:
            raise WorkflowError(error.message) from None

    async def child_end(self, run_id: str, on_end: str | None) -> Any:
        """Wait for a child, see `ChildRun`."""
        asked = given(run=run_id, on_end=on_end)
        return await self._inside.call("await_workflow", asked, self._await_child)

    async def _await_child(self, call: EngineCall) -> Any:
        run_id = call.arguments["run"]
        try:
            while (run := self._child(run_id)).is_live:
                if self._driver.now() - call.at < _STAYS_MS:
                    await asyncio.sleep(_NAP_S)
                else:
                    await self._driver.park(call, {"kind": "child", "run": run_id})
        except asyncio.CancelledError:
            await self.undo_child(call)
            raise
        if run.usage and self._turns.ledger is not None:
            call.usage = run.usage
            self._turns.ledger.take(run.usage)
        if run.status is RunStatus.SUCCEEDED:
            return run.result
        why = f"the run '{run.id}' of '{run.workflow}' {run.status.value}"
        words = f"{why}: {run.error}" if run.error else why
        raise ChildFailed(words, run=run.id, status=run.status.value)

    async def undo_child(self, call: EngineCall) -> None:
        """End the child whose wait was cancelled, unless it may be left."""
        if "on_end" not in call.arguments:
            await self._end_child(call)

    def _child(self, run_id: str) -> WorkflowRun:
        store = self._turns.runtime.store
        with store.locked():
            run = read_run(store, run_id)
        if run is None:
            raise WorkflowError(f"the run '{run_id}' is gone")
        return run

    async def cancel_child(self, run_id: str) -> None:
        """End a child, see `ChildRun`."""
        await self._inside.call("cancel_workflow", {"run": run_id}, self._end_child)

    async def _end_child(self, call: EngineCall) -> None:
        run_id = call.arguments["run"]
        if self._child(run_id).is_live:
            cancel_apart(self._turns.runtime, run_id, f"its parent '{self.run.id}' has ended it")
        while self._child(run_id).is_live:
            await asyncio.sleep(_NAP_S)

    async def wait_event(
        self,
        type: str,  # noqa: A002  (as the attribute of an event is called)
        *,
        where: Mapping[str, object] | None = None,
        timeout: float | str | None = None,
        since: str = "run",
    ) -> Record:
        """Wait for an event and return it, a CloudEvent; the run is parked meanwhile.

        One that was recorded since this run started counts, too. Each is returned once to the waits
        with its type and filter.

        Args:
            type: such as `deploy.done`.
            where: the filter, as that of a subscription.
            timeout: how long to wait, in seconds, or as `5m`.
            since: `now` when only what comes from now on counts.

        Raises TimedOut: none came in time.
        """
        try:
            check_type(text_of("type", type))
            holds = compile_filter(where or {}).matches
        except CuectlError as error:
            raise WorkflowError(f"wait_event({type!r}): {error}") from None
        except ValueError as error:
            raise WorkflowError(f"wait_event({type!r}): a value of 'where' {error}") from None
        if since not in ("run", "now"):
            raise ValueError(f"since is 'run' or 'now', not {since!r}")
        asked = given(type=type, where=dict(where or {}) or None, timeout=seconds(timeout))
        key = json.dumps(asked | {"timeout": None}, sort_keys=True)
        if since == "now":
            asked["after"] = self._inside.value("journal", {}, self._journal_seq)
        pending = self._inside.begin("wait_event", asked, partial(self._look, key, holds))
        try:
            event: Record = await pending
        finally:
            self._claims.pop(pending.call.n, None)
        self._got.add((key, event["id"]))
        return event

    def _journal_seq(self) -> int:
        return open_reader(self._turns.runtime.store).place.seq

    async def _look(self, key: str, holds: Callable[[Record], bool], call: EngineCall) -> Record:
        asked, runtime = call.arguments, self._turns.runtime
        until = None if "timeout" not in asked else call.at + round(asked["timeout"] * 1000)
        wait = given(kind="event", type=asked["type"], where=asked.get("where"), until=until)
        after = asked.get("after", self.run.seq)
        for line in _lines(runtime.store, asked["type"], after, self.run.created_at):
            if isinstance(line, int):
                if until is not None and runtime.now() >= until:
                    break
                self.seen[call.step] = line
                await self._driver.park(call, wait)
                continue
            event = event_in(line, asked["type"], runtime.home)
            if event is None or (key, event["id"]) in self._got.union(self._claims.values()):
                continue
            read = event_from_record(event)
            if holds(read.fields):
                if until is not None and read.at > until:
                    break
                self._claims[call.n] = (key, read.id)
                return event
        raise TimedOut(f"no event '{asked['type']}' came within {asked['timeout']:g} s")

    def progress(self, done: float, total: float, note: str = "") -> None:
        """Report how far the run is."""
        told = {"done": float(done), "total": float(total), "note": str(note)}
        json.dumps(told, allow_nan=False)
        self._inside.note({"type": "progress", **told})

    def set(self, key: str, value: Any) -> None:
        """Show a value, which is JSON, in the record of the run.

        Raises WorkflowError: JSON has no form for it.
        """
        try:
            found = json_form(value, "the value")
        except (TypeError, RecursionError) as error:
            raise WorkflowError(f"set('{text_of('key', key)}'): {error}") from None
        self._inside.note({"type": "set", "key": key, "value": found})


def _lines(store: Store, kind: str, after: int, since: int) -> Iterator[Record | int]:
    """Yield the lines of the journal that may hold an event of a type, then the last line's number.

    Asked again after that, it yields what has come since.
    """
    reader = open_reader(store)
    query = ((f'"type":{json.dumps(kind)}'.encode(),), (f'"type":"{RECORDED}"'.encode(),))
    found = reader.history.oldest_first([query], since)
    yield from (line for line in found if line["seq"] > after)
    follower = Follower(store, reader.place)
    while True:
        yield follower.place.seq
        yield from follower.new_lines()
