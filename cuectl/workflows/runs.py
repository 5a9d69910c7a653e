"""The records of runs: changed, found, answered; what their executions make of them.

An execution whose run is parked, or lost but durable, waits: its next attempt continues the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.executions.rules.record import Execution, ExecutionStatus, Phase, execution_from_record
from cuectl.executions.rules.reference import Reference, parse_reference
from cuectl.store import pass_files, paths
from cuectl.store.journal.lines import JournalEntry
from cuectl.store.workflow_files import history_path, last_notes
from cuectl.values.errors import Conflict, UsageError
from cuectl.values.ids import EXECUTION_PREFIX, find_id, not_found, time_of
from cuectl.values.records import replace
from cuectl.values.times import DAY, HOUR, to_text
from cuectl.workflows.rules.accounts import sums_in
from cuectl.workflows.rules.records import RUN_PREFIX, RunStatus, WorkflowRun, run_from_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cuectl.events.rules.event import Event
    from cuectl.executions.effects import Effects, ExecutionEnd
    from cuectl.process.runtime import Runtime
    from cuectl.store.journal.lines import Views
    from cuectl.store.reading import ViewReader
    from cuectl.store.store import Transaction
    from cuectl.values.records import Record

PARKED = "parked"
# How the process of an execution exits when its run is parked.
PARKED_EXIT = 4
RESUMES_MOST = 20
_POLL_S = 0.25
_ID_LETTERS = 24
# When an execution whose run waits for an answer without a limit is looked at again.
_ONE_YEAR = 365 * DAY


def stage_run(tx: Transaction, kind: str, run: WorkflowRun) -> None:
    """Stage a change of a run; the view of one that has ended is under another name."""
    live, ended = paths.live_run(run.id), paths.ended_run(run.id)
    run = replace(run, waits=tuple(_looked_at(tx, wait) for wait in run.waits))
    known = tx.read(ended)
    waits = _event_waits(tx, tx.read(live), run)
    views: Views = {ended: run.to_record(), live: None, **waits}
    if run.is_live:
        views = {live: run.to_record(), **({} if known is None else {ended: None}), **waits}
    ids = {"run": run.id, **({"execution": run.execution} if run.execution else {})}
    detail: Record = {"workflow": run.workflow, "status": run.status.value}
    if run.error:
        detail["error"] = run.error.partition("\n")[0][:300]
    tx.stage(JournalEntry(type=f"workflow.{kind}", ids=ids, set=views, detail=detail))
    if run.parent is not None and not run.is_live:
        _wake_run(tx, run.parent, "run", run.id, run.id)


def _looked_at(tx: Transaction, wait: Record) -> Record:
    """Return a wait that says so where what it is for has come since its run looked last."""
    if wait["kind"] == "child":
        child = read_run(tx, wait["run"])
        return wait if child is None or child.is_live else {**wait, "came": child.id}
    # What others have recorded since its run has looked may be it; then the run looks again.
    may_have_come = wait.get("seen", tx.store.journal.place.seq) < tx.store.journal.place.seq
    wait = {name: value for name, value in wait.items() if name != "seen"}
    return {**wait, "came": ""} if may_have_come else wait


def _event_waits(tx: Transaction, before: Record | None, after: WorkflowRun) -> Views:
    """Return the views that say which parked runs wait for an event."""
    own = [wait for wait in after.waits if wait["kind"] == "event" and "came" not in wait]
    own = own if after.status is RunStatus.WAITING else []
    old = [wait["type"] for wait in (before or {}).get("waits", ()) if wait["kind"] == "event"]
    views: Views = {}
    for kind in dict.fromkeys([*old, *(wait["type"] for wait in own)]):
        path = paths.event_waits(kind)
        known = (tx.read(path) or {}).get("waits", ())
        waits = [each for each in known if each["run"] != after.id]
        waits += [{**each, "run": after.id} for each in own if each["type"] == kind]
        views[path] = {"waits": waits} if waits else None
    return views


def wake_runs(tx: Transaction, event: Event, now: int) -> None:
    """Stage that the parked runs which wait for an event continue."""
    from cuectl.events.rules.filters import compile_filter

    for wait in (tx.read(paths.event_waits(event.type)) or {}).get("waits", ()):
        if compile_filter(wait.get("where", {})).matches(event.fields):
            _wake_run(tx, wait["run"], "step", wait["step"], event.id)


def _wake_run(tx: Transaction, run_id: str, key: str, value: object, came: str) -> None:
    """Stage that a parked run has what it waits for: the wait with a value at a key."""
    run = read_run(tx, run_id)
    if run is None or run.status is not RunStatus.WAITING:
        return
    waits = tuple({**w, "came": came} if w.get(key) == value else w for w in run.waits)
    if waits != run.waits:
        stage_run(tx, "woken", replace(run, waits=waits))
        if run.execution is not None:
            _wake(tx, run.execution, tx.now)


def save_run(runtime: Runtime, kind: str, run: WorkflowRun) -> None:
    """Commit a change of a run."""
    with runtime.store.transaction(runtime.now(), limit_s=300.0) as tx:
        stage_run(tx, kind, run)


def read_run(source: ViewReader | Transaction, run_id: str) -> WorkflowRun | None:
    """Return a run, None when there is none."""
    record = source.read(paths.live_run(run_id)) or source.read(paths.ended_run(run_id))
    return run_from_record(record) if record else None


def run_ids(source: ViewReader, *, live_only: bool = False) -> list[str]:
    """Return the ids of all runs, the oldest first."""
    names = [name[:-5] for name in source.names("workflows") if name.endswith(".json")]
    live = {name[5:] for name in names if name.startswith("live.")}
    ended = () if live_only else (name for name in names if not name.startswith("live."))
    return sorted(live.union(ended), key=lambda each: (_begun_at(source, each), each))


def _begun_at(source: ViewReader, run_id: str) -> int:
    letters = run_id.removeprefix(RUN_PREFIX).replace("-", ".").partition(".")[0]
    at = time_of(run_id) if len(letters) == _ID_LETTERS else None
    if at is None:
        # Its id was given by a person and says nothing of its time.
        run = read_run(source, run_id)
        at = run.created_at if run is not None else 0
    return at


def find_run(source: ViewReader, text: str) -> WorkflowRun:
    """Return the run that a person means, or raise NotFound.

    By its id, its start or its last letters, `last` for the newest of all; the name of a workflow
    or of a cue is its newest, as `reference.py` says.
    """
    ids = run_ids(source)
    if "." not in text:
        # Children are not meant where the run above them could be.
        ids = [each for each in ids if "." not in each]
    if text in ("last", "-1") and ids:
        text = ids[-1]
    for meant in () if text.startswith(RUN_PREFIX) else (Reference(text), parse_reference(text)):
        if named := meant.pick(_named(source, meant.name, reversed(ids)), _begun):
            return named
    hint = "all runs: cuectl workflow runs"
    found = find_id("workflow run", text, ids, hint, prefix=RUN_PREFIX)
    run = read_run(source, found)
    if run is None:
        raise not_found("workflow run", text, None, hint)
    return run


def _named(source: ViewReader, name: str, ids: Iterable[str]) -> Iterator[WorkflowRun]:
    key = source.read(paths.name_key(name))
    state = (source.read(paths.state(key["cue"])) if key else None) or {}
    newest = {*state.get("running", ()), (state.get("last_end") or {}).get("id")} - {None}
    for run_id in ids:
        run = read_run(source, run_id)
        if run is not None and (run.workflow == name or run.execution in newest):
            yield run


def _begun(run: WorkflowRun) -> str:
    import time

    return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(run.created_at // 1000))


def is_held(run: WorkflowRun) -> bool:
    """Tell whether a run waits for a person to fix its code or its history."""
    return any(wait["kind"] in ("code", "history") for wait in run.waits)


def is_alive(home: str, run: WorkflowRun) -> bool:
    """Tell whether the process of a run is alive."""
    return run.pass_id is not None and pass_files.is_alive(home, run.pass_id)


def is_lost(home: str, run: WorkflowRun) -> bool:
    """Tell whether a run that was at work has no process any more; one to start may get one."""
    is_at_work = run.status is RunStatus.RUNNING and run.pass_id is not None
    return is_at_work and not is_alive(home, run)


def public(home: str, run: WorkflowRun) -> Record:
    """Return a run as commands show it."""
    end = run.ended_at
    record: Record = {"id": run.id, "workflow": run.workflow, "status": run.status.value}
    record |= {"kwargs": run.kwargs, "result": run.result, "error": run.error}
    record |= {"created_at": to_text(run.created_at), "started_at": to_text(run.started_at)}
    record["ended_at"] = None if end is None else to_text(end)
    record["duration_s"] = None if end is None else (end - run.created_at) / 1000
    for name in ("durable", "resumes", "steps", "interrupted", "caller", "parent", "forked_from"):
        record[name] = getattr(run, name)
    record |= sums_in(run.usage) | {"budget_usd": run.budget_usd}
    record |= {"execution_id": run.execution, "module": run.module, "cwd": run.cwd}
    record["lost"] = is_lost(home, run)
    record["waits"] = [
        {**wait, "until": to_text(wait["until"])} if "until" in wait else wait for wait in run.waits
    ]
    told = last_notes(home, run.id) if run.is_live else {}
    record["progress"] = told.get("progress") or run.progress
    record["values"] = run.values | told.get("set", {})
    return record | {"log_path": history_path(home, run.id)}


def progress_text(progress: Record) -> str:
    """Return how far a run has come as a person reads it."""
    text = f"{progress['done']:g} of {progress['total']:g}"
    return f"{text}: {progress['note']}" if progress["note"] else text


def answer_run(runtime: Runtime, text: str, answer: str, step: int | None) -> WorkflowRun:
    """Answer a run's question; a pass continues the run, or the process that waits in place.

    Raises NotFound, Conflict (it asks nothing), UsageError (other answers, several questions).
    """
    with runtime.store.transaction(runtime.now()) as tx:
        run = find_run(runtime.store, text)
        asked = [
            each for each in run.waits
            if each["kind"] == "answer" and str(each["step"]) not in run.answers
        ]  # fmt: skip
        if step is not None:
            asked = [each for each in asked if each["step"] == step]
        if not run.is_live or not asked:
            raise Conflict(f"the run '{run.id}' asks nothing")
        if len(asked) > 1:
            steps = " ".join(str(each["step"]) for each in asked)
            raise UsageError(f"the run '{run.id}' asks several questions", hint=f"--step {steps}")
        options = asked[0].get("options")
        if options and answer not in options:
            raise UsageError(f"'{answer}' is not an answer", hint=f"one of: {', '.join(options)}")
        answers = {**run.answers, str(asked[0]["step"]): answer}
        after = replace(run, answers=answers)
        stage_run(tx, "answered", after)
        if after.execution is not None:
            _wake(tx, after.execution, tx.now)
    return after


async def wait_in_place(runtime: Runtime, run: WorkflowRun, what: Record) -> WorkflowRun:
    """Record what a run waits for, wait a moment, and return the run with what was answered."""
    import asyncio

    with runtime.store.transaction(runtime.now()) as tx:
        known = read_run(tx, run.id) or run
        others = tuple(each for each in known.waits if each["step"] != what["step"])
        after = replace(known, waits=(*others, what))
        if after != known:
            stage_run(tx, "asked", after)
    await asyncio.sleep(_POLL_S)
    with runtime.store.locked():
        return read_run(runtime.store, run.id) or run


def until_over(runtime: Runtime, run: WorkflowRun) -> WorkflowRun:
    """Wait until a run that others work on has ended, or has lost its process; return it."""
    import select

    store = runtime.store
    while run.is_live:
        was_lost = is_lost(runtime.home, run)
        if not (was_lost or store.journal.unread()):
            select.select([], [], [], _POLL_S)
        with store.locked():
            known = read_run(store, run.id) or run
        if was_lost and known == run:
            break
        run = known
    return run


def run_id_of(execution: Execution, attempt: int) -> str:
    """Return the id of the run that an attempt starts."""
    letters = execution.id.removeprefix(EXECUTION_PREFIX)
    return f"{RUN_PREFIX}{letters}" if attempt == 1 else f"{RUN_PREFIX}{letters}-{attempt}"


def run_of(source: ViewReader | Transaction, execution: Execution) -> WorkflowRun | None:
    """Return the newest run of an execution, None when there is none."""
    attempts = range(execution.attempt, 0, -1)
    runs = (read_run(source, run_id_of(execution, attempt)) for attempt in attempts)
    return next((run for run in runs if run is not None), None)


def park(tx: Transaction, end: ExecutionEnd, effects: Effects) -> ExecutionEnd | None:
    """Stage that an execution waits, when its run does."""
    done, ended = end.execution, end.ended
    if ended is None or ended.phase is not Phase.MAIN or ended.cause is not None or done.cancel:
        return None
    run = run_of(tx, done)
    if run is None or not run.is_live or ended.spawn_error is not None:
        return None
    if run.status is RunStatus.WAITING:
        if ended.exit_code not in (None, PARKED_EXIT) and not is_held(run):
            # It failed before it reached the run, and would do so again at once, for ever.
            return None
        due_at, reason = _due_at(run, effects.now), PARKED
    elif run.durable and run.resumes < RESUMES_MOST:
        due_at, reason = effects.now, "its process was lost"
    else:
        return None
    from cuectl.executions.settle import wait_for_start

    parked = replace(done, status=ExecutionStatus.WAITING, reason=reason)
    return wait_for_start(tx, replace(end, execution=parked), due_at, reason)


def _due_at(run: WorkflowRun, now: int) -> int:
    if run.has_come(now):
        return now
    longest = HOUR if is_held(run) else _ONE_YEAR
    return min((wait["until"] for wait in run.waits if "until" in wait), default=now + longest)


def _wake(tx: Transaction, execution_id: str, now: int) -> None:
    """Stage that an execution whose run was answered is due now."""
    found = tx.decoded(paths.waiting_execution(execution_id), execution_from_record)
    if found is None or found.reason != PARKED or found.due_at is None or found.due_at <= now:
        return
    from cuectl.executions.claim import waiting_event

    markers: Views = {
        paths.marker(now, "r", found.id): True,
        paths.marker(found.due_at, "r", found.id): None,
    }
    tx.stage(waiting_event("waiting", replace(found, due_at=now), markers))


def is_settled(source: ViewReader, execution_id: str) -> bool:
    """Tell whether an execution is settled, so that nothing continues its run."""
    places = (paths.open_execution(execution_id), paths.waiting_execution(execution_id))
    return all(source.read(place) is None for place in places)
