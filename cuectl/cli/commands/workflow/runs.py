"""`cuectl workflow runs`: the runs of workflows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.options import Argument, Command, Option
from cuectl.cli.parameters import whole_number

if TYPE_CHECKING:
    from cuectl.cli.call import Call

STATUSES = (
    *("running", "waiting", "succeeded", "failed", "crashed"),
    *("timed_out", "cancelled", "interrupted"),
)


def run(call: Call, *, workflow: str | None, status: tuple[str, ...], limit: int) -> int | None:
    """Print them, the newest first."""
    from cuectl.cli.execution_lines import took
    from cuectl.cli.tables import Column
    from cuectl.engine.workflows.runs import public, read_run, run_ids
    from cuectl.model.instants import from_text
    from cuectl.store.reading import open_reader

    reader = open_reader(call.runtime.existing_store)
    now = call.runtime.now()
    found: list[dict[str, Any]] = []
    for each in reversed(run_ids(reader)):
        one = read_run(reader, each)
        if one is None or (workflow and one.workflow != workflow):
            continue
        if status and one.status.value not in status:
            continue
        found.append(public(call.runtime.home, one))
        if limit and len(found) >= limit:
            break

    def state(record: Any) -> str:
        return "lost" if record["lost"] else str(record["status"])

    def note(record: Any) -> str:
        asked = next((w["question"] for w in record["waits"] if "question" in w), None)
        said = asked or record["error"] or record["result"]
        return "" if said is None else str(said).partition("\n")[0][:80]

    columns = (
        Column(key="id", title="RUN"),
        Column(key="workflow"),
        Column(key="status", show=state),
        Column(key="created_at", title="STARTED",
               show=lambda r: call.out.time(from_text(r["created_at"]), now)),
        Column(key="duration_s", title="TOOK", right=True,
               show=lambda r: took(dict(r))),
        Column(key="result", title="NOTE", show=note),
    )  # fmt: skip
    call.out.records(found, columns, empty="no runs yet; start one: cuectl workflow run NAME")
    return None


command = Command(
    name="workflow runs",
    summary="List the runs of workflows",
    description="""
        Prints the runs with the newest first: id, state, result, error, or the question that is
        waited for. A run whose process is gone reads lost until the next pass has seen it.
    """,
    arguments=(
        Argument(name="WORKFLOW", help="Only its runs", required=False, complete="workflow"),
    ),
    options=(
        Option(name="--status", metavar="STATUS", choices=STATUSES, many=True, help="Only these"),
        Option(
            name="--limit",
            short="-n",
            metavar="N",
            convert=whole_number(0),
            default=20,
            help="At most so many; 0 for all",
        ),
    ),
    see_also=("cuectl-workflow-show(1)", "cuectl-workflow-log(1)"),
    run=run,
)
