"""The pages of workflows, agents with their queues, and alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.agents.listing import agents_in, queues_in
from cuectl.definitions.in_force import definitions_now
from cuectl.http.page.render import text_of
from cuectl.store.workflow_files import read_history, read_transcript
from cuectl.values.safe_text import one_line
from cuectl.values.times import from_text
from cuectl.workflows import sessions
from cuectl.workflows.queues import rows_of
from cuectl.workflows.rules.history import shown_call
from cuectl.workflows.runs import find_run, progress_text, public, read_run, run_ids

if TYPE_CHECKING:
    from cuectl.http.page.look import PageLook
    from cuectl.values.records import Record
    from cuectl.workflows.rules.records import WorkflowRun

MOST_RUNS = 30
MOST_STEPS = 200
_MOST_ALERTS = 50
_MOST_SESSIONS = 50


def workflows_page(look: PageLook) -> dict[str, Any]:
    """Return the newest runs of workflows; those that have not finished with their steps."""
    live = run_ids(look.reader, live_only=True)
    ids = dict.fromkeys([*live[::-1], *run_ids(look.reader)[: -MOST_RUNS - 1 : -1]])
    found = (read_run(look.reader, one) for one in ids)
    return {"runs": [flow_of(look, one, steps=one.is_live) for one in found if one is not None]}


def workflow_page(look: PageLook, run_id: str) -> dict[str, Any]:
    """Return one run with all of its steps."""
    return {"flow": flow_of(look, find_run(look.reader, run_id), steps=True)}


def flow_of(look: PageLook, run: WorkflowRun, *, steps: bool) -> Record:
    """Return what pages show of a run: how it stands, what it asks, its calls."""
    view = look.shown(public(look.reader.home, run)) | {"at": run.created_at}
    answered = [int(one) for one in run.answers]
    waits = (one for one in view["waits"] if one["kind"] == "answer")
    said = view["error"] or ("" if view["result"] is None else view["result"])
    view["asked"] = [one for one in waits if one["step"] not in answered]
    view["said"] = one_line(text_of(said), 160)
    view["come"] = None if view["progress"] is None else progress_text(view["progress"])
    view["calls"] = steps_of(look, run.id) if steps else []
    return view


def steps_of(look: PageLook, run_id: str) -> list[Record]:
    """Return the calls of a run, each with its result; one that was made again stands once."""
    steps: dict[Any, Record] = {}
    for record in read_history(look.reader.home, run_id):
        number = record.get("step")
        if record.get("type") == "call":
            arguments = look.shown({"payload": record.get("arguments") or {}})["payload"]
            tries = steps[number]["tries"] + 1 if number in steps else 1
            step = {"name": record["name"], "call": shown_call(record["name"], arguments)}
            step |= {"at": from_text(record["at"]), "tries": tries, "took_s": None}
            steps[number] = {**step, "kind": "run", "result": ""}
        if isinstance(record.get("result"), dict) and number in steps:
            steps[number] |= _ended(look, record, steps[number]["at"])
    return list(steps.values())[-MOST_STEPS:]


def _ended(look: PageLook, record: Record, began_at: int) -> Record:
    result = record["result"]
    failed, value = "error" in result, result.get("error", result.get("value"))
    if isinstance(value, dict) and "exit" in value:
        failed = failed or value["exit"] != 0
        value = f"exit {value['exit']}\n{value.get('stdout') or value.get('stderr') or ''}"
    text = look.masked(text_of(value))
    span = (from_text(record["at"]) - began_at) / 1000
    return {"kind": "bad" if failed else "good", "result": text, "took_s": span}


def agents_page(look: PageLook) -> dict[str, Any]:
    """Return agents, the lines before them, queues, and open sessions with their last words."""
    in_force = definitions_now(look.reader, look.reader.home) if look.reader.home else None
    if in_force is None:
        return {"agents": [], "queues": [], "sessions": []}
    queues = [*queues_in(look.reader, in_force), *rows_of(look.reader, in_force)]
    known = [one for one in sessions.list_sessions(look.reader) if not one.closed]
    shown = [sessions.public(look.reader.home, one) for one in known[: -_MOST_SESSIONS - 1 : -1]]
    for one in shown:
        said = read_transcript(look.reader.home, one["handle"])
        one["last"] = one_line(str(said[-1].get("text", "")), 160) if said else ""
        one["at"] = from_text(one["last_at"])
    for queue in queues:
        queue["since"] = from_text(queue["oldest"]) if queue["oldest"] else None
    return {"agents": agents_in(look.reader, in_force), "queues": queues, "sessions": shown}


def alerts_page(look: PageLook) -> dict[str, Any]:
    """Return the open alerts, and the newest of those that were acknowledged."""
    alerts = look.alerts
    return {
        "open": [one for one in alerts if one.is_open],
        "seen": [one for one in alerts if not one.is_open][:_MOST_ALERTS],
    }
