"""`cuectl get`: one cue, with its coming fires and its recent executions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.options import Argument, Command, Option
from cuectl.cli.parameters import whole_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.cli.call import Call
    from cuectl.cli.output import Line
    from cuectl.model.cue import Cue, CueState
    from cuectl.model.policy import Policy
    from cuectl.store.reading import Reader

Record = dict[str, Any]

_FIRES = 5


def run(call: Call, *, name: str, executions: int) -> int | None:
    """Print the definition, the coming fires and the newest executions."""
    from cuectl.cli.cue_reading import public, reader_of, warn
    from cuectl.engine.coming import fires_of
    from cuectl.engine.cue_lookup import find_cue
    from cuectl.model.instants import to_text

    reader, now = reader_of(call), call.runtime.now()
    cue, state = find_cue(reader, name)
    fires = fires_of(cue, state, now, _FIRES)
    recent = _recent(reader, cue, state, executions, now)
    record = public(call, cue, state)
    record |= {"fires": [to_text(at) for at in fires], "executions": recent}
    warn(call, reader)
    call.out.record(record, _lines(call, cue, state, fires, record))
    return None


def _recent(reader: Reader, cue: Cue, state: CueState, count: int, now: int) -> list[Record]:
    ran = state.run_count or state.last_status or state.running or state.queued
    if not count or not (ran or reader.names("waiting")):
        return []
    from itertools import islice

    from cuectl.engine.executions import list_records, public
    from cuectl.model.execution_filter import ExecutionFilter

    wanted = ExecutionFilter(cue_ids=(cue.id,))
    found = list_records(reader, wanted, now)
    return [public(reader, record) for record in islice(found, count)]


def _lines(
    call: Call,
    cue: Cue,
    state: CueState,
    fires: list[int],
    record: Record,
) -> Iterator[Line]:
    from cuectl.cli.cue_lines import local_words, next_line, work_words, zone_of

    now = call.runtime.now()
    yield [(cue.name, "bold"), f"  {cue.id}  {state.status.value}"]
    if cue.description:
        yield cue.description
    yield next_line(call, cue, state, now)
    zone = zone_of(call, cue.trigger)
    if len(fires) > 1:
        yield "then: " + ", ".join(local_words(at, zone) for at in fires[1:])
    for key, value in _facts(cue, work_words(cue.target), record["payload"]):
        yield f"{key}: {value}"
    if record["executions"]:
        yield ""
    for one in record["executions"]:
        yield _execution_line(call, one, now)


def _facts(cue: Cue, work: str, payload: Record) -> Iterator[tuple[str, str]]:
    import json

    yield "runs", work
    if cwd := cue.target.get("cwd"):
        yield "directory", cwd
    for name, value in cue.target.get("env", {}).items():
        yield "variable", f"{name}={value}"
    if cue.trigger["type"] == "cron":
        yield "schedule", f"{cue.trigger['expression']} ({cue.trigger['timezone']})"
    if payload:
        yield "payload", json.dumps(payload, ensure_ascii=False)
    yield from _policy_facts(cue.policy)
    origin = cue.origin
    if origin.parent:
        yield "parent", f"{origin.parent} (depth {origin.depth})"
    if origin.path:
        yield "defined in", origin.path


def _policy_facts(policy: Policy) -> Iterator[tuple[str, str]]:
    import shlex

    from cuectl.model.durations import span_in_words

    for key, value in policy.to_record().items():
        name = key.removesuffix("_s").replace("_", " ")
        if key == "check":
            yield "checker", shlex.join(value)
        elif key == "max_attempts":
            yield "retries", str(value - 1)
        elif isinstance(value, list):
            words = [span_in_words(one) if key == "backoff_s" else str(one) for one in value]
            yield name, ", ".join(words)
        else:
            yield name, span_in_words(value) if key.endswith("_s") else str(value)


def _execution_line(call: Call, record: Record, now: int) -> Line:
    from cuectl.model.instants import from_text

    status = record["status"]
    colour = {"succeeded": "green", "failed": "red", "missed": "red", "interrupted": "red"}
    line: list[Any] = [
        f"{call.out.time(from_text(record['scheduled_for']), now)}  ",
        (status, colour.get(status, "")),
    ]
    words = [record.get(key) for key in ("outcome_state", "reason", "summary")]
    return [*line, *(f"  {word}" for word in words if word), f"  {record['id']}"]


command = Command(
    name="get",
    summary="Show one cue: schedule, handler, policies, recent executions",
    description="""
        Prints the definition of a cue, its coming fires in its own time zone, and its newest
        executions. What has its usual value is left out; --json has everything.
    """,
    arguments=(Argument(name="NAME", help="Name, id, or start of an id of a cue", complete="cue"),),
    options=(
        Option(
            name="--executions",
            metavar="N",
            convert=whole_number(0, 1000),
            default=5,
            help="Show so many executions",
        ),
    ),
    see_also=("cuectl-list(1)", "cuectl-executions-list(1)", "cuectl-update(1)"),
    run=run,
)
