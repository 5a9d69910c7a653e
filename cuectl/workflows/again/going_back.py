"""Going back in a run: a call done again, a result given by a person, a fork from a call."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from cuectl.store.reading import open_reader
from cuectl.store.workflow_files import RunHistory, read_history, try_lock
from cuectl.values.errors import Conflict, UsageError
from cuectl.values.ids import timed_id
from cuectl.values.records import dataclass
from cuectl.values.times import to_text
from cuectl.workflows import sessions
from cuectl.workflows.rules import rewind
from cuectl.workflows.rules.history import FORMAT, shown_call
from cuectl.workflows.rules.records import RUN_PREFIX, RunStatus, Session, WorkflowRun
from cuectl.workflows.runs import find_run, is_alive

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from cuectl.process.runtime import Runtime
    from cuectl.values.records import Record


_MOST_TOLD = 20


@dataclass(frozen=True, slots=True)
class WayBack:
    """What going back in a run would do.

    Attributes:
        note: the line that makes it so; `lines` are those that count.
        told: lines to show a person.
        costs: whether it takes turns, commands or steps beside the call that was named.
        child: the run that is resumed first, as the call is the wait for it.
    """

    run: WorkflowRun
    lines: list[Record]
    note: Record
    told: list[str]
    costs: bool
    child: str | None = None


def _lines_of(runtime: Runtime, text: str) -> tuple[WorkflowRun, list[Record], list[Record]]:
    run = find_run(open_reader(runtime.existing_store), text)
    if run.status is RunStatus.RUNNING and is_alive(runtime.home, run):
        raise Conflict(f"the run '{run.id}' is running", hint=f"cuectl workflow cancel {run.id}")
    records = read_history(runtime.home, run.id)
    if any("line" not in record for record in records):
        raise Conflict(f"the run '{run.id}' was started by an older cuectl, and can't go back")
    return run, records, rewind.counting_lines(records)


def _told(again: Sequence[Record], named: Record | None) -> tuple[list[str], bool]:
    """Return the lines for calls that are done again, and whether others than the named cost."""
    told = [f"again: call {c['step']} {shown_call(c['name'], c['arguments'])}" for c in again]
    return told, any(call["name"] in rewind.EFFECTS for call in again if call is not named)


def way_back(
    runtime: Runtime, text: str, rerun: str | None, given: Mapping[str, Any], by: str, *,
    force: bool,
) -> WayBack:  # fmt: skip
    """Return how a run would go back, or raise why it can't; change nothing."""
    run, records, lines = _lines_of(runtime, text)
    call = None if rerun is None else rewind.find_call(lines, rerun)
    values = {rewind.find_call(lines, name)["step"]: value for name, value in given.items()}
    free = max((record.get("step", 0) for record in records), default=0) + 1
    found = rewind.rewind(lines, call, values, first_free=free, force=force)
    told, costs = _told(found.again, call)
    told += [f"given: call {step} = {value!r}" for step, value in values.items()]
    kept = len(found.kept) - len(values)
    told += [f"kept: {kept} results of calls that began before"] if kept else []
    told += rewind.remembered_turns(lines, found.again)
    child = call["arguments"]["run"] if call and call["name"] == "await_workflow" else None
    told += [f"first, the run '{child}' is resumed"] if child else []
    return WayBack(run, lines, found.line(by), told, costs, child)


def go_back(runtime: Runtime, way: WayBack) -> None:
    """Record that a run goes back, and close the sessions that are opened again."""
    lock = try_lock(f"{runtime.store.home}/workflows/{way.run.id}.lock")
    if lock is None:
        raise Conflict(f"the run '{way.run.id}' is running")
    try:
        history = RunHistory(runtime.home, way.run.id)
        history.append({"at": to_text(runtime.now()), **way.note}, sync=True)
        history.close()
    finally:
        os.close(lock)
    for call, end in _spawned(way.lines):
        if call["step"] in way.note["dropped"]:
            sessions.close_session(runtime, str(end["result"].get("value")))


def _spawned(lines: list[Record]) -> list[tuple[Record, Record]]:
    calls = {x["n"]: x for x in lines if x["type"] == "call" and x["name"] == "spawn"}
    ends = [line for line in lines if line["type"] == "call.ended" and line["n"] in calls]
    return [(calls[end["n"]], end) for end in ends]


def way_of_fork(runtime: Runtime, text: str, start: str, *, other: bool) -> WayBack:
    """Return how a fork of a run would start, perhaps with `other` arguments; change nothing."""
    run, _, lines = _lines_of(runtime, text)
    call = rewind.find_call(lines, start)
    copied = rewind.copied_lines(lines, call)
    if other and copied:
        hint = "it begins with results that the old arguments gave: --from 1"
        raise UsageError("'--kwarg' needs a fork from the first call", hint=hint)
    later = [line for line in lines if line["type"] == "call" and line["n"] > call["n"]]
    again = [*rewind.open_calls(copied), call, *(each for each in later if "result" not in each)]
    told, costs = _told(again, call)
    if len(told) > _MOST_TOLD:
        told[_MOST_TOLD:] = [f"again: {len(told) - _MOST_TOLD} more calls that followed there"]
    began = {"type": "run.forked", "at": lines[0]["at"], "format": FORMAT, "forked_from": run.id}
    return WayBack(run, copied, began, told, costs)


def fork(runtime: Runtime, way: WayBack, module: str, kwargs: Record) -> WorkflowRun:
    """Write the history that a fork starts with, and return its record."""
    old, now = way.run, runtime.now()
    made = WorkflowRun(
        id=timed_id(RUN_PREFIX, now, runtime.random(9)), workflow=old.workflow, module=module,
        kwargs=kwargs, durable=old.durable, cwd=old.cwd, config=old.config, caller=old.caller,
        timeout_s=old.timeout_s, budget_usd=old.budget_usd, created_at=now, started_at=now,
        forked_from=old.id,
    )  # fmt: skip
    lines = _with_own_sessions(runtime, way.lines, made)
    is_open = {call["n"] for call in rewind.open_calls(lines)}
    history = RunHistory(runtime.home, made.id)
    about = {"run": made.id, "workflow": made.workflow, "kwargs": kwargs, "cwd": made.cwd}
    history.append(way.note | about | {"caller": made.caller})
    for line in lines:
        anew = {"anew": True} if line["type"] == "call" and line["n"] in is_open else {}
        history.append({name: value for name, value in line.items() if name != "line"} | anew)
    history.close()
    return made


def _with_own_sessions(runtime: Runtime, lines: list[Record], run: WorkflowRun) -> list[Record]:
    """Open a session of the fork for each that its lines have opened; return lines that name it.

    A handle that was made up is another one in the fork; one that the procedure gave stays.
    """
    for call, end in _spawned(lines):
        with runtime.store.locked():
            known = sessions.read_session(runtime.store, str(end["result"].get("value")))
        if known is None:
            continue
        old, new = known.handle, sessions.new_handle(known.agent, runtime.random)
        new = old if "handle" in call["arguments"] else new
        opened = Session(handle=new, agent=known.agent, cwd=known.cwd, run=run.id,
                         created_at=run.created_at, last_at=run.created_at)  # fmt: skip
        if not sessions.open_session(runtime, opened):
            hint = f"close it: cuectl sessions close {new}"
            raise Conflict(f"the session '{new}' of the run '{run.forked_from}' is open", hint=hint)
        if said := rewind.said_in(lines, old):
            sessions.leave_message(runtime, new, f"session:{old}", said, "ok", None)
        lines = [json.loads(json.dumps(line).replace(old, new)) for line in lines]
    return lines
