"""What clients ask about runs of workflows: how they stand, and how far they have come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.workflows.runs import find_run, public, read_run, run_ids

if TYPE_CHECKING:
    from cuectl.http.service import HttpCall
    from cuectl.values.records import Record
    from cuectl.workflows.rules.records import WorkflowRun


def list_runs(call: HttpCall, *, query: Record) -> Record:
    """List runs of workflows, the newest first."""
    reader, start, limit = call.reader(), query["offset"], query["limit"]
    runs = (read_run(reader, one) for one in reversed(run_ids(reader)))
    found = [one for one in runs if one is not None and _is_wanted(one, query)]
    shown = [call.shown(public(reader.home, one)) for one in found[start : start + limit]]
    return {"workflows": shown, "total": len(found), "limit": limit, "offset": start}


def _is_wanted(run: WorkflowRun, query: Record) -> bool:
    return query["status"] in (None, run.status.value) and query["name"] in (None, run.workflow)


def get_run(call: HttpCall, *, id: str) -> Record:  # noqa: A002 - the word of the path
    """Show a run of a workflow."""
    reader = call.reader()
    return call.shown(public(reader.home, find_run(reader, id)))
