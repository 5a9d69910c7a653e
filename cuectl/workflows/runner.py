"""One run from its first call to its record: the life of a workflow's process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import TYPE_CHECKING, Any

from cuectl.alerts.alerts import raise_alert, sinks_now
from cuectl.store.pass_files import PassFile
from cuectl.store.workflow_files import RunHistory, history_path, last_notes, read_history
from cuectl.values.errors import HistoryDamaged
from cuectl.values.records import replace
from cuectl.values.times import from_text
from cuectl.workflows import loop
from cuectl.workflows.again.code import code_of
from cuectl.workflows.driver import Abandoned, Driver
from cuectl.workflows.engine import WorkflowEngine
from cuectl.workflows.inside import ABANDONED, Inside, abandon
from cuectl.workflows.printed import kept_output
from cuectl.workflows.rules.accounts import failures, sums_of
from cuectl.workflows.rules.history import (
    FORMAT,
    HistoryMismatch,
    StepInterrupted,
    TurnInterrupted,
    WorkflowError,
    active_ms,
    refused,
    steps_before_this_boot,
)
from cuectl.workflows.rules.mismatch import changed_code, told
from cuectl.workflows.rules.records import RunStatus, WorkflowRun
from cuectl.workflows.rules.rewind import before_line, counting_lines
from cuectl.workflows.rules.signature import plain, values_of_record
from cuectl.workflows.runs import read_run, save_run, stage_run, wait_in_place
from cuectl.workflows.steps import Steps, end_tree
from cuectl.workflows.turns import FailedText, Ledger, SessionTurns

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from cuectl.definitions.in_force import InForce
    from cuectl.process.runtime import Runtime
    from cuectl.store.store import Transaction
    from cuectl.values.records import Record
    from cuectl.workflows.catalogue import Workflow
    from cuectl.workflows.rules.history import EngineCall

DRAIN_S = 30.0
CLEAN_UP_S = 10.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Runner:
    """Runs one run in this process.

    Attributes:
        stay: whether it waits for answers and times here, instead of parking.
        signal: the signal that has ended the run.
    """

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
        self.in_force = in_force
        self.workflow = workflow
        self.narrate = narrate
        self.stay = stay
        self.file = PassFile(runtime.store.home, f"{runtime.now()}-{os.getpid()}-0")
        mark, boot = self.file.id, runtime.store.boot
        self._has_begun = run.pass_id is not None
        again = replace(run, error=None, ended_at=None, waits=())
        self.run = replace(again, status=RunStatus.RUNNING, pass_id=mark, boot=boot)
        self.signal: int | None = None
        self._limit_hit = False
        self._grace: asyncio.TimerHandle | None = None

    def go(self) -> WorkflowRun:
        """Run until the procedure has ended or the run is parked; return its record."""
        # Not asyncio.run, which would cancel a parked procedure and so run its clean-up.
        outer = asyncio.new_event_loop()
        asyncio.set_event_loop(outer)
        loop.install(watch=True)
        try:
            with kept_output(self._take_line):
                found = outer.run_until_complete(self._main())
        finally:
            self.file.remove()
        if not ABANDONED:
            asyncio.set_event_loop(None)
            outer.close()
        return found

    def _take_line(self, line: str) -> None:
        if self.inside.note({"type": "print", "message": line}):
            self.narrate(str(self.driver.masked(line)))

    async def _main(self) -> WorkflowRun:
        try:
            records = read_history(self.runtime.home, self.run.id)
            if self._has_begun and not records:
                path = history_path(self.runtime.home, self.run.id)
                raise HistoryDamaged(path, 1, "is missing")
            history = RunHistory(self.runtime.home, self.run.id)
        except HistoryDamaged as error:
            return self._hold("history", error)
        steps = Steps(self.runtime.home, self.run.id, self.file, self.runtime.now)
        steps.before_boot = steps_before_this_boot(records, self.runtime.store.boot)
        turns = SessionTurns(self.runtime, self.in_force, steps, self.run.id)
        now, narrate = self.runtime.now, self.narrate
        driver = self.driver = Driver(self.run.id, history, now, turns.masked_json, narrate)
        try:
            resumes = sum(each.get("type") == "run.started" for each in records)
            driver.note(self._started(records, resumes), sync=True)
            results = [each for each in records if each.get("type") == "step.result"]
            driver.step_results = {each["step"]: each["result"] for each in results}
            self._go_back_to_before_its_end(records)
            began_at = from_text(records[0]["at"]) if records else now()
            inside: type[Inside] = Inside
            engine: type[WorkflowEngine] = WorkflowEngine
            if records and "line" not in records[0]:
                from cuectl.workflows.again.first_format import FirstEngine, FirstInside

                inside, engine, began_at = FirstInside, FirstEngine, now()
            self.inside = driver.inside = inside(records, driver, began_at=began_at)
            self.engine = engine(self.run, turns, driver, self.inside, narrate=narrate)
            self.engine.strict = self.workflow.strict
            most = self.workflow.max_turns
            self.ledger = Ledger(
                self.run, most, sums_of(records), driver.tell, self._alert_of_budget
            )
            turns.ledger = self.ledger
            driver.undo["delegate"] = self.engine.undo_delegate
            driver.undo["await_workflow"] = self.engine.undo_child
            if self.stay:
                driver.look_again = self._look_again
            save_run(self.runtime, "resumed" if resumes else "started", self.run)
            return await self._live()
        finally:
            inside_left = getattr(self, "inside", None)
            if inside_left is not None and not inside_left.is_over:
                abandon(inside_left)
            steps.close()
            history.close()

    def _alert_of_budget(self, message: str) -> None:
        self.driver.tell(message)
        with self.runtime.store.transaction(self.runtime.now(), limit_s=300.0) as tx:
            self._alert(tx, "budget", message, f"{self.run.id} budget")

    def _alert(self, tx: Transaction, kind: str, what: str, subject: str) -> None:
        whose = f"workflow '{self.run.workflow}' ({self.run.id})"
        raise_alert(
            tx, tx.now, type=kind, message=f"{whose}: {what}",
            execution_id=self.run.execution, subject=subject,
            sinks=sinks_now(self.in_force, tx.now, lambda: self.runtime.zone, kind),
            randomness=self.runtime.random(9),
        )  # fmt: skip

    def _started(self, records: list[Record], resumes: int) -> Record:
        started: Record = {"type": "run.started", "format": FORMAT, "run": self.run.id}
        started |= {"workflow": self.run.workflow, "kwargs": self.run.kwargs}
        started |= {"cwd": self.run.cwd, "caller": self.run.caller}
        started |= self._code(records)
        started["boot"] = self.runtime.store.boot
        limit = self.run.timeout_s
        self._left_s = None if limit is None else limit - active_ms(records) / 1000
        if self._left_s is not None:
            started["active_left_s"] = round(self._left_s, 3)
        return started | ({"resumes": resumes} if resumes else {})

    def _code(self, records: list[Record]) -> Record:
        """Return which code this process of the run is, and report what changed in it."""
        code = code_of(self.workflow.path)
        known = [each for each in records if each.get("type") == "run.started" and "code" in each]
        self.changes = changed_code(known[-1], code) if known else []
        if self.changes:
            step = max((each.get("step", 0) for each in records), default=0)
            names = ", ".join(self.changes)
            self.narrate(f"the code has changed since step {step} ({names}); replaying")
        return code

    def _go_back_to_before_its_end(self, records: list[Record]) -> None:
        """Continue a run that was stopped from outside as if it had not been."""
        if not records or "line" not in records[0]:
            return
        lines = counting_lines(records)
        no_budget = refused([each for each in lines if "n" in each])
        stop = next((each for each in lines if each["type"] == "stop"), None) or no_budget
        if stop is not None:
            free = 1 + max(each.get("step", 0) for each in records)
            again = {stop["n"]} if stop is no_budget else set()
            back = lines.index(stop)
            found = before_line(lines, back, again, [], free, was_ended=True)
            note = found.line("resume")
            self.driver.note(note, sync=True)
            records.append(note | {"line": records[-1]["line"] + 2})

    async def _look_again(self, what: Record) -> None:
        self.engine.run = await wait_in_place(self.runtime, self.engine.run, what)

    async def _live(self) -> WorkflowRun:
        outer = asyncio.get_running_loop()
        self.abandoned: asyncio.Future[bool] = outer.create_future()
        for number in _SIGNALS:
            # What `nohup` ignores stays ignored.
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                outer.add_signal_handler(number, self._signalled, number)
        if self._left_s is not None:
            outer.call_later(max(0.0, self._left_s), self._over_its_limit)
        self.failure: BaseException | None = None
        if not await self._finish(self._drive()) and not self._is_broken_off:
            return self._park()
        if isinstance(self.inside.stopped, HistoryMismatch):
            return self._hold("code", self.inside.stopped)
        await self._clean_up()
        return self._end()

    async def _drive(self) -> bool:
        self.inside.start(self._procedure())
        return await self.driver.drive(is_done=self._is_over)

    def _is_over(self) -> bool:
        if self.inside.main.done():
            self._begin_grace()
        return self.inside.is_over

    async def _finish(self, work: Coroutine[Any, Any, bool]) -> bool:
        """Wait for some work, or until it is given up; tell whether the run is not parked."""
        task = asyncio.ensure_future(work)
        await asyncio.wait([task, self.abandoned], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            try:
                return task.result()
            except Exception as error:  # noqa: BLE001  (it ends the run, and is recorded)
                self.failure = error
        else:
            self.inside.stop(Abandoned(f"it did not end within {CLEAN_UP_S:g} s"))
            task.cancel()
        return True

    def _signalled(self, number: int) -> None:
        if self._is_broken_off:
            # A second request means: do not wait.
            self._give_up()
        self.signal = self.signal or number
        self._stop(signal.Signals(number).name)

    def _over_its_limit(self) -> None:
        if not self._is_broken_off:
            self._limit_hit = True
            self._stop("its time limit")

    @property
    def _is_broken_off(self) -> bool:
        return self.signal is not None or self._limit_hit

    def _stop(self, why: str) -> None:
        self.driver.request_stop(why)
        self._begin_grace()

    def _begin_grace(self) -> None:
        if self._grace is None:
            self._grace = asyncio.get_running_loop().call_later(CLEAN_UP_S, self._give_up)

    def _give_up(self) -> None:
        if not self.abandoned.done():
            self.abandoned.set_result(True)

    async def _procedure(self) -> Any:
        values = values_of_record(self.workflow.signature, self.run.kwargs, self.workflow.name)
        try:
            result = await self.workflow.function(self.engine, **values)
        except (SystemExit, KeyboardInterrupt) as error:
            raise RuntimeError(f"the workflow has ended its process: {error!r}") from error
        # A run that asked for what can't be repeated is no success, even if it has caught that.
        if self.inside.loop.refused is not None:
            raise self.inside.loop.refused
        if isinstance(result, FailedText):
            raise result.error()
        return result

    def _park(self) -> WorkflowRun:
        seen = self.engine.seen
        waits = tuple(
            {**wait, "seen": seen[wait["step"]]} if wait["step"] in seen else wait
            for wait in self.driver.parked_for()
        )
        self.driver.note({"type": "run.parked", "waits": list(waits)}, sync=True)
        return self._wait_for(waits, "parked")

    def _wait_for(self, waits: tuple[Record, ...], kind: str) -> WorkflowRun:
        with self.runtime.store.transaction(self.runtime.now(), limit_s=300.0) as tx:
            known = read_run(tx, self.run.id) or self.run
            parked = replace(self.run, answers=known.answers, cancel=known.cancel, waits=waits)
            self.run = self._with_counts(replace(parked, status=RunStatus.WAITING))
            stage_run(tx, kind, self.run)
            if kind == "held":
                self._alert(tx, "interrupted", f"can't continue: {self.run.error}", self.run.id)
        return self.run

    def _hold(self, kind: str, error: Exception) -> WorkflowRun:
        """Park the run until a person resolves why it can't be replayed."""
        wait: Record = {"kind": kind, "step": 0, "told": [str(error)]}
        if isinstance(error, HistoryMismatch):
            cursor = self.inside.cursor
            wait["told"] = told(error, cursor.lines[: cursor.place], self.changes, self.run.id)
            wait |= code_of(self.workflow.path)
            self.driver.note({"type": "run.held", **wait}, sync=True)
        self.run = replace(self.run, error=wait["told"][0])
        return self._wait_for((wait,), "held")

    def _with_counts(self, run: WorkflowRun) -> WorkflowRun:
        inside = getattr(self, "inside", None)
        if inside is None:
            return run
        interrupted = run.interrupted + self.driver.interrupted
        told = last_notes(self.runtime.home, run.id)
        spent = self.ledger.spent
        return replace(
            run, steps=inside.steps, interrupted=interrupted, usage=spent if spent["turns"] else {},
            progress=told.get("progress"), values=told["set"],
        )  # fmt: skip

    async def _clean_up(self) -> None:
        if self._is_whole and not self._is_broken_off:
            await self._drain()
        await self.driver.leave()
        sessions = dict.fromkeys([*self.engine.spawned, *self.engine.opened])
        for handle in sessions:
            self.engine.close_session(handle)
        main = self.inside.main
        if not self._is_whole or self._is_broken_off or main.cancelled() or main.exception():
            await end_tree(self.run.id)

    @property
    def _is_whole(self) -> bool:
        """Whether the procedure has come to its end, whichever."""
        return self.failure is None and self.inside.stopped is None and self.inside.main.done()

    def _sends(self) -> list[EngineCall]:
        return [one.call for one in self.inside.pending.values() if one.call.name == "send"]

    async def _drain(self) -> None:
        """Wait for the answers that the procedure did not wait for."""
        if not self._sends():
            return
        if self._grace is not None:
            self._grace.cancel()
        self._grace = asyncio.get_running_loop().call_later(DRAIN_S, self._give_up)
        answered = self.driver.drive(is_done=lambda: self._is_broken_off or not self._sends())
        task = asyncio.ensure_future(answered)
        await asyncio.wait([task, self.abandoned], return_when=asyncio.FIRST_COMPLETED)
        task.cancel()
        if left := self._sends():
            handles = ", ".join(sorted({each.arguments["handle"] for each in left}))
            self.driver.note({"type": "drain_timeout", "handles": handles})
            if not self._is_broken_off:
                self.narrate(f"session '{handles}' did not answer within {DRAIN_S:g} s")

    def _end(self) -> WorkflowRun:
        with self.runtime.store.locked():
            known = read_run(self.runtime.store, self.run.id) or self.run
        self.run = replace(self.run, answers=known.answers, cancel=known.cancel)
        status, said = self._outcome()
        self.driver.note({"type": "run.ended", "status": status.value, **said}, sync=True)
        result, error = (self.driver.masked(said.get(name)) for name in ("result", "error"))
        ended = replace(self.run, status=status, result=result, error=error)
        self.run = self._with_counts(replace(ended, ended_at=self.runtime.now()))
        with self.runtime.store.transaction(self.runtime.now(), limit_s=300.0) as tx:
            stage_run(tx, "ended", self.run)
            if status is RunStatus.INTERRUPTED:
                self._alert(tx, "interrupted", str(error), self.run.id)
        if status is RunStatus.SUCCEEDED and (words := failures(self.ledger.spent)):
            self.narrate(f"succeeded, but {words}")
        return self.run

    def _outcome(self) -> tuple[RunStatus, Record]:
        """Return how the run ended, and its result, or its error with a traceback."""
        if self._limit_hit:
            why = f"the run took longer than {self.run.timeout_s:g} s"
            return RunStatus.TIMED_OUT, {"error": why}
        if self.signal is not None:
            name = signal.Signals(self.signal).name
            return RunStatus.CANCELLED, {"error": self.run.cancel or f"ended by {name}"}
        main = self.inside.main
        if self.failure is not None or not main.done():
            error: BaseException | None = self.failure or self.inside.stopped
        elif main.cancelled():
            error = asyncio.CancelledError("the procedure was cancelled")
        else:
            error = main.exception()
        if error is None:
            return self._returned(plain(main.result()))
        name = type(error).__name__
        if isinstance(error, TurnInterrupted | StepInterrupted):
            return RunStatus.INTERRUPTED, {"error": str(error)}
        if isinstance(error, WorkflowError):
            return RunStatus.FAILED, {"error": str(error) or name}
        trace = authors_traceback(error)
        text = f"{name}: {error}" if str(error) else name
        return RunStatus.CRASHED, {"error": text, "traceback": trace}

    def _returned(self, result: Any) -> tuple[RunStatus, Record]:
        try:
            json.dumps(result, allow_nan=False)
        except ValueError:
            why = "the workflow has returned a number that JSON does not have: NaN or infinity"
            return RunStatus.FAILED, {"error": why}
        return RunStatus.SUCCEEDED, {"result": result}


def authors_traceback(error: BaseException) -> str:
    """Return the traceback of an error without the frames of ours and of asyncio, if others are."""
    import traceback

    ours = (os.path.dirname(os.path.dirname(loop.__file__)), os.path.dirname(asyncio.__file__))
    found = traceback.TracebackException.from_exception(error)
    each: traceback.TracebackException | None = found
    while each is not None:
        theirs = [frame for frame in each.stack if not frame.filename.startswith(ours)]
        if theirs:
            each.stack = traceback.StackSummary.from_list(theirs)
        each = each.__cause__ or each.__context__
    return "".join(found.format())
