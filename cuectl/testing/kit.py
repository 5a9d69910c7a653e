"""The kit: a test tells what agents, commands, steps and people answer, and runs a workflow."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from cuectl.testing.fakes import Script, World
from cuectl.testing.rehearsal import BEGIN_MS, Rehearsal
from cuectl.values.records import dataclass, field
from cuectl.values.times import to_text
from cuectl.workflows.catalogue import REGISTERED
from cuectl.workflows.rules.accounts import sums_of
from cuectl.workflows.rules.function_step import step_name
from cuectl.workflows.rules.history import FORMAT, HistoryMismatch, shown_call
from cuectl.workflows.rules.records import WorkflowRun
from cuectl.workflows.rules.signature import plain, signature_of, values_of_record

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence

    from cuectl.values.records import Record

    Procedure = Callable[..., Coroutine[Any, Any, Any]]


_RUN = "run_test"


@dataclass(slots=True, kw_only=True)
class RehearsedRun:
    """A run of a test that has ended.

    Attributes:
        status: `succeeded`, or `failed` with an `error`: the message of a WorkflowError; that of
            a turn whose end was not seen makes it `interrupted`.
        calls: what it has asked the engine for, in order, as a person would write it.
        log: what it has logged; `values`: what it has set; `turns`: how its turns ended.
        history: its lines, as a run on a machine leaves them.
    """

    kit: Kit
    procedure: Procedure
    history: list[Record]
    log: list[str]
    seed: int | None
    status: str
    result: Any
    error: str | None
    calls: list[str]
    values: Record
    turns: int
    turns_failed: int
    turns_interrupted: int
    cost_usd: float

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write its history to a file."""
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in self.history)

    def check_replay(self) -> None:
        """Replay the whole history, and continue from behind each of its lines, as after a kill.

        Raises HistoryMismatch: the run would go another way.
        """
        self.kit.replay(self.history, self.procedure)
        for cut in range(1, len(self.history)):
            again = self.kit.rehearsed(self.procedure, self.history[:cut], self.seed).history
            pairs = zip(self.history, again, strict=False)
            for was, now in pairs:
                if was != now:
                    words = (
                        f"killed behind line {cut}, the run goes another way: line {was['line']}"
                    )
                    raise HistoryMismatch(f"{words} was {was} and is now {now}", was=was, now=now)


@dataclass(slots=True)
class Kit:
    """What a test has told, and the runs of it; `takes` are seconds of a time that costs none.

    Names and commands are patterns as of the shell, and what was told last counts first.

    Attributes:
        caller: the handle of the session that asks for the runs, an agent of that name.
    """

    caller: str | None = None
    _scripts: list[Script] = field(default_factory=list)
    _events: list[Record] = field(default_factory=list)

    def _tell(self, kind: str, pattern: str, answers: Any, takes: float) -> None:
        self._scripts.append(Script(kind, pattern, answers, takes))

    def agent(self, name: str, replies: Any = "ok", *, takes: float = 1.0) -> None:
        """Tell what an agent says: a text or Turn, a list, or f(prompt, turn, session)."""
        self._tell("send", name, replies, takes)

    def bash(
        self,
        command: str,
        exits: int | Sequence[int] = 0,
        stdout: str | Sequence[str] = "",
        stderr: str | Sequence[str] = "",
        *,
        takes: float = 1.0,
    ) -> None:
        """Tell how a command ends; a list has a value for each time."""
        self._tell("bash", command, {"exit": exits, "stdout": stdout, "stderr": stderr}, takes)

    def step(
        self,
        function: Callable[..., Any] | str,
        returns: Any = None,
        *,
        raises: Exception | None = None,
        takes: float = 1.0,
    ) -> None:
        """Tell what a step returns, every time, or raises."""
        name = function if isinstance(function, str) else step_name(function)
        self._tell("step", name, lambda *_: raises or returns, takes)

    def answer(self, question: str, answer: Any, *, takes: float = 1.0) -> None:
        """Tell what people answer to a question; None when there is no answer."""
        self._tell("ask_human", question, answer, takes)

    def queue(self, name: str, replies: Any = "ok", *, takes: float = 1.0) -> None:
        """Tell what the workers of a queue say, an exception when they fail."""
        self._tell("delegate", name, replies, takes)

    def child(self, workflow: str, returns: Any = None, *, takes: float = 1.0) -> None:
        """Tell what another workflow returns, an exception when it fails, or f(arguments)."""
        self._tell("await_workflow", workflow, returns, takes)

    def event(
        self, type: str, data: Mapping[str, Any] | None = None, *, after: float = 0.0
    ) -> None:
        """Tell of an event, so many seconds after the run starts."""
        at = to_text(BEGIN_MS + round(after * 1000))
        made: Record = {"specversion": "1.0", "id": f"evt_{len(self._events) + 1}", "type": type}
        made |= {"source": "/cuectl/testing", "time": at, "data": plain(dict(data or {}))}
        self._events.append(made)

    def run(self, procedure: Procedure, /, **kwargs: Any) -> RehearsedRun:
        """Run a workflow to its end. Raises what it raises, but for WorkflowErrors."""
        return self._run(procedure, kwargs, None)

    def shuffle(
        self, procedure: Procedure, /, *, rounds: int = 100, **kwargs: Any
    ) -> list[RehearsedRun]:
        """Run a workflow with other orders of what ends, replay each run, and return them."""
        runs = []
        for seed in range(rounds):
            try:
                runs.append(self._run(procedure, kwargs, seed))
                self.replay(runs[-1].history, procedure)
            except Exception as error:
                error.add_note(f"in round {seed} of shuffle")
                raise
        return runs

    def _run(self, procedure: Procedure, kwargs: Record, seed: int | None) -> RehearsedRun:
        begun: Record = {"line": 1, "at": to_text(BEGIN_MS), "type": "run.started"}
        begun |= {"format": FORMAT, "run": _RUN, "workflow": procedure.__name__}
        begun |= {"kwargs": plain(kwargs), "cwd": os.getcwd(), "caller": self.caller}
        play = self.rehearsed(procedure, [begun], seed)
        lines, end = play.history, play.history[-1]
        calls = [line for line in lines if line["type"] == "call"]
        spent = sums_of(lines)
        return RehearsedRun(
            kit=self, procedure=procedure, history=lines, log=play.log, seed=seed,
            status=end["status"], result=end.get("result"), error=end.get("error"),
            calls=[shown_call(line["name"], line["arguments"]) for line in calls],
            values={line["key"]: line["value"] for line in lines if line["type"] == "set"},
            turns=spent["turns"], turns_failed=spent["turns_failed"],
            turns_interrupted=spent["turns_interrupted"], cost_usd=spent["cost_usd"],
        )  # fmt: skip

    def rehearsed(self, procedure: Procedure, history: list[Record], seed: int | None) -> Rehearsal:
        """Continue a run behind a history, to its end."""
        handles = {} if self.caller is None else {self.caller: [self.caller, 0, 0.0]}
        play = self._begin(procedure, history, World(self._scripts, self._events, handles, seed))
        play.finish()
        return play

    def _begin(self, procedure: Procedure, history: list[Record], world: World | None) -> Rehearsal:
        name, kwargs = procedure.__name__, history[0]["kwargs"]
        values = values_of_record(signature_of(procedure), kwargs, name)
        run = WorkflowRun(
            id=_RUN, workflow=name, module="", cwd=os.getcwd(), kwargs=kwargs,
            caller=self.caller, created_at=BEGIN_MS, started_at=BEGIN_MS,
        )  # fmt: skip
        return Rehearsal(procedure, run, values, history, world)

    def replay(
        self, history: str | os.PathLike[str] | list[Record], procedure: Procedure | None = None
    ) -> None:
        """Replay a history, or the file of one, without doing anything.

        Raises HistoryMismatch: the workflow goes another way now.
        """
        if not isinstance(history, list):
            with open(history, encoding="utf-8") as file:
                history = [json.loads(line) for line in file]
        play = self._begin(procedure or REGISTERED[history[0]["workflow"]].function, history, None)
        play.check_end()
