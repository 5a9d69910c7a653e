"""Calls of a workflow that need no agent: run commands, branch, wait, ask, remember."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess  # noqa: TID251  (for the class that users know; nothing is started here)
from functools import partial
from inspect import iscoroutinefunction
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

from cuectl.executions.executors.local import SpawnError
from cuectl.executions.rules.record import Start
from cuectl.store import output, paths
from cuectl.values.errors import UsageError
from cuectl.values.times import parse_duration, to_text
from cuectl.workflows.function_steps import FunctionStep
from cuectl.workflows.rules.function_step import step_arguments, step_name
from cuectl.workflows.rules.history import TimedOut, WorkflowError
from cuectl.workflows.turns import step_environment

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from cuectl.values.records import Record
    from cuectl.workflows.driver import Driver
    from cuectl.workflows.inside import Inside
    from cuectl.workflows.rules.history import EngineCall
    from cuectl.workflows.rules.records import WorkflowRun
    from cuectl.workflows.turns import Mailbox, SessionTurns

T = TypeVar("T")


class CompletedProcess(subprocess.CompletedProcess[str]):
    """A finished command of a workflow; `exit`, `stdout`, `stderr` are keys of it too.

    Attributes:
        interrupted: whether it ended unseen, while the run had no process.
        truncated: whether it printed so much that the middle is left out.
    """

    def __init__(self, args: str, returncode: int, stdout: str, stderr: str, **marks: bool) -> None:
        super().__init__(args, returncode, stdout, stderr)
        self.interrupted = marks.get("interrupted", False)
        self.truncated = marks.get("truncated", False)

    def _values(self) -> Record:
        return {"exit": self.returncode, "stdout": self.stdout, "stderr": self.stderr}

    def get(self, key: str, default: object = None) -> object:
        """Return a value by its key."""
        return self._values().get(key, default)

    def __getitem__(self, key: str) -> object:
        """Return a value by its key."""
        return self._values()[key]

    def to_record(self) -> Record:
        """Return the JSON form, without the command."""
        marks = {"interrupted": self.interrupted, "truncated": self.truncated}
        return self._values() | {name: True for name, is_so in marks.items() if is_so}


class FlowCalls:
    """The base of the engine: its run, commands, branches, waits, what a resumed run repeats.

    Attributes:
        caller_handle: the session that has asked for the run, None from the command line.
        boxes: the sessions that were sent to, by handle; `touched`: their handles.
        spawned: handles of the sessions that this run has opened; `opened`: in this process.
        seen: up to which line of the journal the waits for events have looked, by step.
        strict: whether `drain` raises for turns that have failed, too.
    """

    def __init__(
        self,
        run: WorkflowRun,
        turns: SessionTurns,
        driver: Driver,
        inside: Inside,
        *,
        narrate: Callable[[str], None],
    ) -> None:
        self.run = run
        self.caller_handle = run.caller
        self._turns = turns
        self._driver = driver
        self._inside = inside
        self._narrate = narrate
        self.boxes: dict[str, Mailbox] = {}
        self.touched: dict[str, None] = {}
        self.spawned: dict[str, None] = {}
        self.strict = False
        self.opened: dict[str, None] = {}
        self.seen: dict[int, int] = {}
        # By type and filter of their waits: the events that came, and those on their way, by call.
        self._got: set[tuple[str, str]] = set()
        self._claims: dict[int, tuple[str, str]] = {}

    @property
    def name(self) -> str:
        """The name of the workflow."""
        return self.run.workflow

    @property
    def spent(self) -> float:
        """What the turns of the run have cost so far, in dollars, as far as that is known."""
        return round(self._inside.spent_usd, 6)

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self.run.id

    workflow_name = name
    workflow_run_id = run_id
    workflow_id = run_id

    @property
    def host(self) -> str | None:
        """The session that has asked for the run, as `caller_handle`."""
        return self.caller_handle

    def log(self, message: object) -> None:
        """Write to the run's log, and to standard error."""
        text = str(message)
        if self._inside.note({"type": "log", "message": text}):
            self._narrate(str(self._driver.masked(text)))

    async def bash(
        self,
        cmd: str,
        *,
        cwd: str | os.PathLike[str] | None = None,
        timeout: float | str | None = None,
        env: Mapping[str, str] | None = None,
        check: bool = False,
    ) -> CompletedProcess:
        """Run a shell command; its exit status is data.

        Args:
            cmd: for `sh`.
            cwd: where, instead of the run's directory.
            timeout: limit in seconds, or as `5m`; that of handlers when None.
            env: more variables.
            check: raise when it does not exit with 0.

        Raises:
            TimedOut: it took longer; it was ended with all that it had started.
            WorkflowError: with `check`.
        """
        where = os.path.join(self.run.cwd, os.fspath(cwd)) if cwd is not None else self.run.cwd
        limit = seconds(timeout)
        more = {name: text_of(f"env {name}", value) for name, value in dict(env or {}).items()}
        asked = given(
            cmd=text_of("cmd", cmd), cwd=None if cwd is None else where, timeout=limit,
            env=more or None,
        )  # fmt: skip
        ended: Record = await self._inside.call(
            "bash", asked, lambda call: self._shell(call, cmd, where, limit, more)
        )
        words = (ended["exit"], ended["stdout"], ended["stderr"])
        marks = {name: ended.get(name, False) for name in ("interrupted", "truncated")}
        done = CompletedProcess(cmd, *words, **marks)
        if check and done.returncode != 0:
            raise WorkflowError(f"exit status {done.returncode}: {cmd}")
        return done

    async def _shell(
        self, call: EngineCall, cmd: str, where: str, timeout: float | None, env: dict[str, str]
    ) -> Record:
        """Run a command, or wait for one that an earlier process of the run has started."""
        turns, limit = self._turns, timeout
        if limit is None:
            limit = turns.context.in_force.settings.handler_timeout_s
        out, err = (
            paths.run_file(turns.runtime.home, self.run.id, call.step, name)
            for name in ("out", "err")
        )
        start = Start(
            execution_id=self.run.id,
            attempt=call.step,
            argv=("/bin/sh", "-c", cmd),
            env=step_environment(turns.context, self.run.id, call.step) | env,
            cwd=where,
            output=out,
            timeout_s=limit,
            errors=err,
        )
        try:
            if not os.path.isdir(where):
                raise FileNotFoundError(2, f"no such directory: '{where}'")
            end = await turns.steps.run_once(start, resumed=call.is_old, began_at=call.at)
            is_cut = max(output.size(path) for path in (out, err)) > output.LIMIT_BYTES
        except (SpawnError, OSError, ValueError) as error:
            raise WorkflowError(f"the command can't be started: {error}") from None
        finally:
            turns.hide_secrets(call.step)
        if end.cause is not None:
            raise TimedOut(f"bash timed out after {limit:g}s: {cmd}")
        if end.lost:
            self._driver.interrupted += 1
            self._driver.tell(f"call {call.step} was interrupted, its end was not seen: {cmd}")
        texts = (
            turns.masked(output.read_end(path, output.LIMIT_BYTES).decode("utf-8", "replace"))
            for path in (out, err)
        )
        done = CompletedProcess(cmd, end.returncode, *texts, interrupted=end.lost, truncated=is_cut)
        if is_cut:
            most = output.LIMIT_BYTES // 1_000_000
            self._driver.tell(
                f"call {call.step} printed more than {most} MB, the middle is left out"
            )
        return done.to_record()

    async def step(
        self, function: Callable[..., Any], *args: Any, name: str | None = None,
        idempotent: bool = False, retries: int = 0, backoff: float = 1.0,
        timeout: float | str | None = None, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """Run any function outside the procedure, at most once, and return its value as JSON.

        Args:
            function: sync, for a thread of its own, or async.
            args: what it gets, with `kwargs`.
            name: what the step is called; the function's name when None.
            idempotent: run it again when its process was lost in the middle of it.
            retries: tries after the first one.
            backoff: seconds before the first of these, twice as many before each other one.
            timeout: limit of each try, in seconds or as `5m`.

        Raises:
            StepFailed: it has raised, or has returned what JSON has no form for.
            StepInterrupted: its process was lost in the middle of it.
            TimedOut: it took longer.
        """
        if not (_is_amount(retries) and _is_amount(backoff)):
            raise ValueError("retries and backoff must be numbers, and not below 0")
        step = FunctionStep(
            driver=self._driver, function=partial(function, *args, **kwargs),
            is_async=iscoroutinefunction(function), idempotent=idempotent, retries=retries,
            backoff=backoff, timeout=seconds(timeout),
        )  # fmt: skip
        asked = step_arguments(name or step_name(function), args, kwargs)
        return await self._inside.call("step", asked, step)

    def patched(self, name: str) -> bool:
        """Tell whether a run takes the new path at a change of its procedure; the answer stays.

        True in a new run, and where nothing was recorded yet; False in an older one.
        """
        return self._inside.patched(name)

    async def parallel(self, coros: Iterable[Awaitable[T]]) -> list[T]:
        """Run branches at once and return their results in order.

        The first error ends the others and is raised.
        """
        tasks = [asyncio.ensure_future(each) for each in coros]
        if not tasks:
            return []
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            left = [task for task in tasks if not task.done()]
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left)
        failed = [t for t in tasks if not t.cancelled() and t.exception() is not None]
        if failed:
            raise failed[0].exception() or WorkflowError("a branch failed")
        return [task.result() for task in tasks]

    async def sleep(self, seconds: float | str) -> None:
        """Wait some seconds, or as `2d` says; during a long sleep the run is parked."""
        await asyncio.sleep(_span("sleep", seconds) if isinstance(seconds, str) else seconds)

    async def ask_human(
        self,
        question: str,
        *,
        options: Sequence[str] | None = None,
        timeout: float | str | None = None,
    ) -> str:
        """Ask a person and return the answer; the run is parked meanwhile.

        Args:
            question: what is asked.
            options: the answers that are taken; any when None.
            timeout: how long to wait for an answer, in seconds or as `2d`.

        Raises TimedOut: there was no answer in time.
        """
        limit = seconds(timeout)
        if isinstance(options, str):
            raise TypeError("'options' must be a list of texts, not a text")
        asked = given(
            question=text_of("question", question), options=list(options or ()) or None,
            timeout=limit,
        )  # fmt: skip

        async def wait(call: EngineCall) -> str:
            # As it is recorded, with secrets hidden.
            question = call.arguments["question"]
            what = given(kind="answer", question=question, options=call.arguments.get("options"))
            until = None if limit is None else call.at + round(limit * 1000)
            if not call.is_old:
                self._narrate(f"question {call.step}: {question}")
            while (answer := self.run.answers.get(str(call.step))) is None:
                if until is not None and self._driver.now() >= until:
                    raise TimedOut(f"there was no answer within {limit:g} s: {question}")
                await self._driver.park(call, what if until is None else {**what, "until": until})
            return str(answer)

        return str(await self._inside.call("ask_human", asked, wait))

    def checkpoint(self, name: str, payload: Any) -> None:
        """Keep a state, which is JSON, for `resume_state` in a resumed run."""
        try:
            json.dumps(payload, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise WorkflowError(f"the checkpoint '{name}' is not JSON: {error}") from None
        self._inside.checkpoint(name, payload)

    def resume_state(self) -> Any:
        """Return the newest checkpoint's payload in a run that is resumed, else None.

        What the run did after that checkpoint is matched by its content from here on.
        """
        return self._inside.resume_state()

    def now(self) -> str:
        """Return the time, RFC 3339 in UTC; the same one in a resumed run."""
        return to_text(self._inside.now_ms)

    def random(self) -> float:
        """Return a number from 0 up to 1; the same one in a resumed run."""
        make = self._turns.runtime.random
        number: float = self._inside.value(
            "random", {}, lambda: (int.from_bytes(make(7), "big") >> 3) / (1 << 53)
        )
        return number

    def uuid(self) -> str:
        """Return a random UUID; the same one in a resumed run."""
        import uuid

        make = self._turns.runtime.random
        text: str = self._inside.value(
            "uuid", {}, lambda: str(uuid.UUID(bytes=make(16), version=4))
        )
        return text


def seconds(limit: float | str | None) -> float | None:
    """Return a limit in seconds, which may be written as `5m`. Raises WorkflowError."""
    found = _span("timeout", limit) if isinstance(limit, str) else limit
    if found is not None and not _is_amount(found):
        raise WorkflowError(f"timeout: {limit!r} is not a span of time")
    return found


def _span(what: str, text: str) -> float:
    try:
        return parse_duration(text, bare_unit="s")
    except UsageError as error:
        raise WorkflowError(f"{what}: {error.message}") from None


def _is_amount(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value < inf


def text_of(name: str, value: object) -> str:
    """Return an argument that is a text. Raises TypeError: it is something else."""
    if not isinstance(value, str):
        raise TypeError(f"'{name}' must be a text (str), not {type(value).__name__}")
    return value


def given(**arguments: Any) -> Record:
    """Return the arguments of a call that were given."""
    return {name: value for name, value in arguments.items() if value is not None}
