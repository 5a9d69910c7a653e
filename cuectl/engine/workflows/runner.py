"""One run from its first call to its record: the life of a workflow's process."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Any

from cuectl.engine.clock import monotonic_s
from cuectl.engine.surroundings import context_of
from cuectl.engine.workflows.calls import Calls
from cuectl.engine.workflows.engine import WorkflowEngine
from cuectl.engine.workflows.parking import Parking
from cuectl.engine.workflows.runs import read_run, save_run
from cuectl.engine.workflows.sessions import close_session
from cuectl.engine.workflows.steps import Steps, end_tree
from cuectl.engine.workflows.turns import Turns
from cuectl.model.values import replace
from cuectl.model.workflow_errors import WorkflowError
from cuectl.model.workflow_history import Past
from cuectl.model.workflow_run import RunStatus, WorkflowRun
from cuectl.model.workflow_signature import plain, values_of_record
from cuectl.store.passes import PassFile
from cuectl.store.run_history import RunHistory, read_history

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.engine.definitions_in_force import InForce
    from cuectl.engine.runtime import Runtime
    from cuectl.engine.workflows.registration import Workflow

Record = dict[str, Any]

DRAIN_S = 30.0
CLEAN_UP_S = 10.0
PARK_AFTER_S = 60.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Runner:
    """Runs one run in this process."""

    def __init__(
        self,
        runtime: Runtime,
        in_force: InForce,
        workflow: Workflow,
        run: WorkflowRun,
        *,
        narrate: Callable[[str], None],
        stay: bool,
    ) -> None:
        self.runtime = runtime
        self.workflow = workflow
        self.narrate = narrate
        self.stay = stay
        self.file = PassFile(runtime.store.home, f"{runtime.now()}-{os.getpid()}-0")
        self.context = context_of(runtime, in_force, None, self.file.id)
        self.run = replace(
            run,
            status=RunStatus.RUNNING,
            pass_id=self.file.id,
            boot=runtime.store.boot,
            error=None,
            ended_at=None,
            waits=(),
        )
        self.signal: int | None = None
        self._limit_hit = False

    def go(self) -> WorkflowRun:
        """Run until the procedure is over or the run is parked; return its record."""
        # Not asyncio.run, which would cancel a parked procedure and so run its clean-up.
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            found = loop.run_until_complete(self._main())
        finally:
            self.file.remove()
        if not found.is_live:
            asyncio.set_event_loop(None)
            loop.close()
        return found

    async def _main(self) -> WorkflowRun:
        home = self.runtime.home
        records = read_history(home, self.run.id)
        past = Past(records)
        history = RunHistory(home, self.run.id)
        calls = Calls(history, past, self.runtime.now, self._masked)
        started: Record = {"type": "run.started", "run": self.run.id}
        started |= {"workflow": self.run.workflow, "kwargs": self.run.kwargs}
        calls.note(started | ({"resumes": past.resumes} if past.resumes else {}))
        save_run(self.runtime, "resumed" if past.resumes else "started", self.run)
        steps = Steps(home, self.run.id, self.file)
        parking = Parking()
        turns = Turns(runtime=self.runtime, context=self.context, steps=steps, run_id=self.run.id)
        engine = WorkflowEngine(
            self.run,
            turns,
            calls,
            parking,
            narrate=self.narrate,
            park_after_s=None if self.stay else PARK_AFTER_S,
        )
        engine.know_limits(records)
        try:
            return await self._live(engine, calls, parking)
        finally:
            steps.close()
            history.close()

    def _masked(self, value: Any) -> Any:
        return self.context.masker.mask_json(value) if self.context.masker else value

    async def _live(self, engine: WorkflowEngine, calls: Calls, parking: Parking) -> WorkflowRun:
        # Kept: an abandoned procedure must not be collected, which would run its clean-up.
        self.task = asyncio.get_running_loop().create_task(self._procedure(engine, calls))
        self._listen()
        limit = self.run.timeout_s
        began = monotonic_s()
        while not self.task.done() and not parking.parked.done():
            left = None if limit is None else limit - (monotonic_s() - began)
            if left is not None and left <= 0:
                self._limit_hit = True
                self.task.cancel()
                limit = None
                continue
            await asyncio.wait(
                [self.task, parking.parked], timeout=left, return_when=asyncio.FIRST_COMPLETED
            )
        if not self.task.done() and not (self.signal or self._limit_hit):
            return self._park(calls, parking)
        await self._clean_up(engine, calls)
        return self._end(calls)

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._cancel, number)

    def _cancel(self, number: int) -> None:
        if self.signal is None:
            self.signal = number
            self.task.cancel()

    async def _procedure(self, engine: WorkflowEngine, calls: Calls) -> Any:
        calls.begin_branch()
        values = values_of_record(self.workflow.signature, self.run.kwargs, self.workflow.name)
        try:
            result = await self.workflow.function(engine, **values)
        except (SystemExit, KeyboardInterrupt) as error:
            raise RuntimeError(f"the workflow has ended its process: {error!r}") from error
        finally:
            # Whatever the procedure made of it, a run that went another way is no success.
            if calls.mismatch is not None:
                raise calls.mismatch
        left = calls.past.first_untaken()
        if left is not None:
            from cuectl.model.workflow_errors import HistoryMismatch

            raise HistoryMismatch(f"call {left.place} was {left.shown} and is not made any more")
        return result

    def _park(self, calls: Calls, parking: Parking) -> WorkflowRun:
        waits = tuple(parking.waits.values())
        calls.note({"type": "run.parked", "waits": list(waits)}, sync=True)
        with self.runtime.store.transaction(self.runtime.now(), limit_s=300.0) as tx:
            from cuectl.engine.workflows.runs import stage_run

            known = read_run(tx, self.run.id) or self.run
            self.run = replace(
                self.run,
                status=RunStatus.WAITING,
                waits=waits,
                answers=known.answers,
                cancel=known.cancel,
                steps=calls.steps,
                interrupted=self.run.interrupted + calls.interrupted,
            )
            stage_run(tx, "parked", self.run)
        return self.run

    async def _clean_up(self, engine: WorkflowEngine, calls: Calls) -> None:
        if not self.task.done():
            await asyncio.wait([self.task], timeout=CLEAN_UP_S)
        broken_off = self.signal is not None or self._limit_hit
        boxes = list(engine.boxes.values())
        busy = [box for box in boxes if box.is_busy]
        if busy and not broken_off:
            waits = [asyncio.ensure_future(box.idle()) for box in busy]
            await asyncio.wait(waits, timeout=DRAIN_S)
            for wait in waits:
                wait.cancel()
        for box in boxes:
            if box.is_busy:
                if not broken_off:
                    message = f"session '{box.handle}' did not answer within {DRAIN_S:g} s"
                    calls.note({"type": "drain_timeout", "handle": box.handle})
                    self.narrate(message)
                await box.stop("ended with the run")
        for handle in list(engine.spawned):
            close_session(self.runtime, handle)
            calls.note({"type": "session.closed", "handle": handle})
        if broken_off or not self._worked():
            await end_tree(self.run.id, 0, None, None)

    def _worked(self) -> bool:
        return self.task.done() and not self.task.cancelled() and self.task.exception() is None

    def _end(self, calls: Calls) -> WorkflowRun:
        status, result, error, trace = self._outcome()
        line: Record = {"type": "run.ended", "status": status.value}
        if status is RunStatus.SUCCEEDED:
            line["result"] = result
        if error is not None:
            line["error"] = error
        if trace:
            line["traceback"] = trace
        calls.note(line, sync=True)
        self.run = replace(
            self.run,
            status=status,
            result=self._masked(result),
            error=None if error is None else self._masked(error),
            ended_at=self.runtime.now(),
            steps=calls.steps,
            interrupted=self.run.interrupted + calls.interrupted,
        )
        save_run(self.runtime, "ended", self.run)
        return self.run

    def _outcome(self) -> tuple[RunStatus, Any, str | None, str]:
        limit = self.run.timeout_s
        if self._limit_hit:
            return RunStatus.TIMED_OUT, None, f"the run took longer than {limit:g} s", ""
        if self.signal is not None:
            name = signal.Signals(self.signal).name
            return RunStatus.CANCELLED, None, f"ended by {name}", ""
        error: BaseException | None
        try:
            error = self.task.exception()
        except asyncio.CancelledError as cancelled:
            error = cancelled
        if error is None:
            return RunStatus.SUCCEEDED, plain(self.task.result()), None, ""
        if isinstance(error, WorkflowError):
            return RunStatus.FAILED, None, str(error) or type(error).__name__, ""
        import traceback

        trace = "".join(traceback.format_exception(error))
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return RunStatus.CRASHED, None, text, trace


def resume_record(run: WorkflowRun, now: int) -> WorkflowRun:
    """Return the record of a run that is gone on with."""
    return replace(run, resumes=run.resumes + 1, started_at=now)
