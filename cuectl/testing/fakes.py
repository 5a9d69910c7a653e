"""What the calls of a tested workflow are answered with, by what the test has told.

An answer is given every time; a list has one for each time; a function makes them.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from random import Random
from typing import TYPE_CHECKING, Any

from cuectl.events.rules.filters import compile_filter
from cuectl.values.records import dataclass, field
from cuectl.values.times import from_text, to_text
from cuectl.workflows.rules.history import ERRORS, TimedOut, WorkflowError, error_record
from cuectl.workflows.rules.signature import plain

if TYPE_CHECKING:
    from cuectl.values.records import Record
    from cuectl.workflows.rules.history import EngineCall

NEVER = float("inf")
# Under which argument of a call stands what an answer is found by.
_SUBJECTS = {"bash": "cmd", "step": "name", "ask_human": "question", "delegate": "queue"}
_METHODS = {"ask_human": "answer", "delegate": "queue", "send": "agent", "await_workflow": "child"}


class Unexpected(AssertionError):
    """A workflow has done what its test has no answer for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeTurn:
    """A turn of a fake agent: what it says, or how it ended otherwise; it `takes` seconds."""

    text: str = ""
    error: str | None = None
    interrupted: bool = False
    cost_usd: float = 0.01
    takes: float | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """The answers to calls of one kind whose subject is like a pattern."""

    kind: str
    pattern: str
    answers: Any
    takes: float

    def answer(self, count: int, *words: Any) -> Any:
        """Return the answer that comes after `count` others."""
        if callable(self.answers):
            return self.answers(*words)
        if self.kind == "bash":
            return {name: self._nth(one, count) for name, one in self.answers.items()}
        return self._nth(self.answers, count)

    def _nth(self, answers: Any, count: int) -> Any:
        if not isinstance(answers, list):
            return answers
        if count >= len(answers):
            what = f".{_METHODS.get(self.kind, self.kind)}({self.pattern!r}, ...)"
            raise Unexpected(f"{what} has told of {count}, and here is one more")
        return answers[count]


@dataclass(slots=True)
class World:
    """What one run meets, and how far that has come; `seed` for other orders of what ends."""

    scripts: list[Script]
    events: list[Record]
    handles: dict[str, list[Any]]  # of a session: its agent, its turns, until when it is busy
    seed: int | None = None
    _played: dict[int, int] = field(default_factory=dict)
    _children: dict[str, Record] = field(default_factory=dict)
    _taken: dict[int, tuple[str, str]] = field(default_factory=dict)

    def answer(self, call: EngineCall) -> tuple[float, Record]:
        """Return when a call ends, in milliseconds, and with what. Raises Unexpected."""
        takes, said = self._answer(call, call.arguments)
        if self.seed is not None:
            # What takes as long as another may be over before it, and no time limit is passed.
            takes *= Random(f"{self.seed}/{call.n}").uniform(0.05, 1.95)
        limit = call.arguments.get("timeout")
        if limit is not None and takes > limit and call.name != "send":
            takes, said = limit, TimedOut(f"{call.name} has taken longer than {limit:g} s")
        if isinstance(said, Exception) and not isinstance(said, WorkflowError):
            kind = ERRORS["StepFailed" if call.name == "step" else "ChildFailed"]
            said = kind(f"{type(said).__name__}: {said}")
        is_error = isinstance(said, WorkflowError)
        return call.at + takes * 1000, error_record(said) if is_error else {"value": plain(said)}

    def release(self, n: int) -> None:
        """Take back what a call that was cancelled would have got."""
        self._taken.pop(n, None)

    def _answer(self, call: EngineCall, asked: Record) -> tuple[float, Any]:
        match call.name:
            case "spawn":
                return 0, self._spawn(call, asked)
            case "send":
                return self._turn(call, asked)
            case "enqueue":
                return 0, f"task_test-{call.step}"
            case "start_workflow":
                run_id = asked.get("run_id") or f"run_test.{call.step}"
                self._children[run_id] = asked
                return 0, run_id
            case "await_workflow":
                child = self._children[asked["run"]]
                return self._play(call.name, child["workflow"], child.get("kwargs", {}))
            case "wait_event":
                return self._event(call, asked)
            case name if name in _SUBJECTS:
                subject = asked[_SUBJECTS[name]]
                takes, said = self._play(name, subject, asked.get("payload", subject))
                if said is not None and said not in asked.get("options", [said]):
                    offered = ", ".join(asked["options"])
                    raise Unexpected(f"{said!r} is no answer to {subject!r}: {offered}")
                return (NEVER, said) if said is None and name == "ask_human" else (takes, said)
            case _:
                return 0, None

    def _play(self, kind: str, subject: str, *words: Any) -> tuple[float, Any]:
        # What was told last counts first.
        for place, script in reversed([*enumerate(self.scripts)]):
            if script.kind == kind and fnmatchcase(subject, script.pattern):
                count = self._played.get(place, 0)
                self._played[place] = count + 1
                return script.takes, script.answer(count, *words)
        say = f".{_METHODS.get(kind, kind)}({subject!r}, ...)"
        raise Unexpected(f"the test has not told what comes of {subject!r}: say {say}")

    def _spawn(self, call: EngineCall, asked: Record) -> str:
        handle = str(asked.get("handle") or f"{asked['agent']}-{call.step}")
        self.handles[handle] = [asked["agent"], 0, 0.0]
        return handle

    def _turn(self, call: EngineCall, asked: Record) -> tuple[float, Record]:
        agent, turns, busy = session = self.handles[asked["handle"]]
        session[1] = turns + 1
        takes, said = self._play("send", agent, asked["text"], turns + 1, asked["handle"])
        turn = said if isinstance(said, FakeTurn) else FakeTurn(text=str(said))
        # A session takes one turn after the other.
        begins = max(busy, call.at)
        session[2] = ends = begins + 1000 * (takes if turn.takes is None else turn.takes)
        status = "error" if turn.error is not None else "ok"
        message: Record = {"sender": f"agent:{asked['handle']}"}
        message |= {"timestamp": f"{to_text(int(ends))[:19]}Z", "body": turn.error or turn.text}
        message["status"] = status = "interrupted" if turn.interrupted else status
        call.usage = {"agent": agent, "status": status, "cost_usd": turn.cost_usd}
        return (ends - call.at) / 1000, message

    def _event(self, call: EngineCall, asked: Record) -> tuple[float, Any]:
        key = f"{asked['type']} {asked.get('where')}"
        holds = compile_filter(asked.get("where", {})).matches
        for event in self.events:
            is_meant = event["type"] == asked["type"] and holds(event["data"])
            is_taken = (key, event["id"]) in self._taken.values()
            at = from_text(event["time"])
            if is_meant and not is_taken and at > asked.get("after", -1):
                self._taken[call.n] = (key, event["id"])
                return max(0.0, (at - call.at) / 1000), event
        return NEVER, None
