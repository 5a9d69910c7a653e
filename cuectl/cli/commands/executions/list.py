"""`cuectl executions list`: what has run, runs and waits, over months of journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.execution_filters import OPTIONS
from cuectl.cli.options import Command, Option
from cuectl.cli.parameters import whole_number

if TYPE_CHECKING:
    from cuectl.cli.call import Call
    from cuectl.model.execution_filter import ExecutionFilter
    from cuectl.store.reading import Reader

Record = dict[str, Any]

USUAL_LIMIT = 20


def run(call: Call, *, limit: int, **given: Any) -> int | None:
    """Print the executions that are asked for, the newest first."""
    from itertools import islice

    from cuectl.cli.cue_reading import reader_of, warn
    from cuectl.cli.execution_filters import filter_of
    from cuectl.engine.executions import list_records, public

    reader, now = reader_of(call), call.runtime.now()
    wanted = filter_of(call, reader, given)
    records = list(islice(list_records(reader, wanted, now), limit or None))
    if not records and wanted.cue_name is not None:
        _check_cue(reader, wanted, now)
    if not records and wanted.root is not None:
        of_root = _with_root_of(reader, wanted)
        records = list(islice(list_records(reader, of_root, now), limit or None))
    found = [public(reader, record) for record in records]
    for problem in reader.history.problems:
        call.out.warn(problem, hint="see: cuectl fsck")
    warn(call, reader)
    call.out.records(found, _columns(call, now), empty="no executions match")
    return None


def _check_cue(reader: Reader, wanted: ExecutionFilter, now: int) -> None:
    """Say so when there is no such cue, and never was one that ran."""
    from cuectl.engine.cue_lookup import find_cue
    from cuectl.engine.executions import list_records
    from cuectl.model.execution_filter import ExecutionFilter

    ever = ExecutionFilter(cue_ids=wanted.cue_ids, cue_name=wanted.cue_name)
    is_known = wanted.cue_ids and wanted.cue_ids[0] != wanted.cue_name
    if not is_known and next(list_records(reader, ever, now), None) is None:
        find_cue(reader, wanted.cue_name or "")


def _with_root_of(reader: Reader, wanted: ExecutionFilter) -> ExecutionFilter:
    """Return the filter for the chain that an execution belongs to, wherever in it that is.

    Raises:
        NotFound: there is no such execution.
    """
    from cuectl.engine.executions import find_record
    from cuectl.model.values import replace

    member = find_record(reader, wanted.root or "")
    return replace(wanted, root=member.get("root_id") or member["id"])


def _columns(call: Call, now: int) -> tuple[Any, ...]:
    from cuectl.cli.execution_lines import note_of, outcome_style, status_style, took
    from cuectl.cli.tables import Column
    from cuectl.model.instants import from_text

    def when(record: Any) -> str:
        return call.out.time(from_text(record["scheduled_for"]), now)

    def evidence(record: Any) -> str:
        return record["external_id"] or record["result_url"] or record["result_ref"] or ""

    return (
        Column(key="id"),
        Column(key="cue_name", title="CUE"),
        Column(key="status", style=lambda r: status_style(dict(r))),
        Column(key="outcome_state", title="OUTCOME", style=lambda r: outcome_style(dict(r))),
        Column(key="scheduled_for", title="SCHEDULED", show=when),
        Column(key="duration_s", title="TOOK", show=lambda r: took(dict(r)), right=True),
        Column(key="external_id", title="EVIDENCE", show=evidence),
        Column(key="summary", title="NOTE", show=lambda r: note_of(dict(r))),
    )


command = Command(
    name="executions list",
    summary="List executions, filtered by anything in their records",
    description="""
        Prints what is open or waits, then what is settled, each with the newest first. All
        filters that are given must hold; of one that is given more than once, one value is
        enough, but for --payload and --metadata. The whole journal is looked through, as far
        back as it is kept.
    """,
    options=(
        *OPTIONS,
        Option(
            name="--limit",
            short="-n",
            metavar="N",
            convert=whole_number(0),
            default=USUAL_LIMIT,
            help="At most so many; 0 for all",
        ),
    ),
    see_also=("cuectl-executions-get(1)", "cuectl-chain-show(1)", "cuectl-log(1)"),
    run=run,
)
