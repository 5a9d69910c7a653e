"""`cuectl executions list` and `executions output`."""

from __future__ import annotations

import io
from collections import Counter
from typing import TYPE_CHECKING, Any

from cuectl.cli.commands.input import EXECUTION_ID, LIMIT
from cuectl.cli.commands.reading import id_column, reader_of, verdict_style, warn
from cuectl.cli.frame.declare import Option, command, key_value, not_empty, one_of, whole_number
from cuectl.cli.frame.terminal import Column
from cuectl.executions.rules.verdict import VerdictWord
from cuectl.values.errors import UsageError
from cuectl.values.records import replace
from cuectl.values.safe_text import visible
from cuectl.values.times import from_text, span_in_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cuectl.cli.frame.run import Call
    from cuectl.executions.lookup import RunOutput
    from cuectl.executions.rules.filter import ExecutionFilter
    from cuectl.store.reading import Reader
    from cuectl.values.records import Record
    from cuectl.values.safe_text import Masker

# As in the rules of executions, which parsing does without; a test compares.
STATUSES = (
    *("pending", "queued", "running", "waiting", "succeeded", "failed", "timed_out"),
    *("interrupted", "cancelled", "skipped", "missed"),
)
OUTCOME_STATES = (
    *("reported_success", "reported_failure", "verified_success", "verification_pending"),
    *("verification_failed", "unknown"),
)
_TAKEN_AS_THEY_ARE = "parent_run_id root triggered_by payload metadata has_evidence".split()
# What starts an execution, and what CueAPI calls it.
_TRIGGERS = ("schedule", "chain", "fire", "retry", "event")
_TRIGGER_WORDS = {"scheduled": "schedule", "manual_fire": "fire", "replay": "retry"}


def _trigger(text: str) -> str:
    return _TRIGGER_WORDS.get(text) or one_of(_TRIGGERS, text)


_OPTIONS = (
    Option(
        "--cue CUE",
        "Name, id or start of an id of a cue, also of one that was deleted",
        not_empty,
        complete="cue",
    ),
    Option(
        "--status STATUS",
        "Only in this state: " + ", ".join(STATUSES),
        lambda text: one_of(STATUSES, text),
        many=True,
    ),
    Option(
        "--outcome-state STATE",
        "Only with this outcome: " + ", ".join(OUTCOME_STATES),
        lambda text: one_of(OUTCOME_STATES, text),
        many=True,
    ),
    Option("--result-type TYPE", "Only with this result type", many=True),
    Option(
        "--parent-run-id ID",
        "Only with this as 'parent_run_id' in the payload, or as the parent execution",
        not_empty,
    ),
    Option(
        "--root ID",
        "Only of the chain that this execution belongs to",
        not_empty,
        complete="execution",
    ),
    Option("--since TIME", "Only with a nominal time at or after this"),
    Option("--until TIME", "Only with a nominal time before this"),
    Option("--triggered-by WORD", "Only started by: " + ", ".join(_TRIGGERS), _trigger, many=True),
    Option(
        "--payload KEY=VALUE",
        "Only with this value in the payload; the key may be dotted",
        key_value,
        many=True,
    ),
    Option(
        "--metadata KEY=VALUE",
        "Only with this value in the metadata; the key may be dotted",
        key_value,
        many=True,
    ),
    Option("--has-evidence", "Only with an external id, a result or artifacts"),
)


def _filter_of(call: Call, reader: Reader, given: dict[str, Any]) -> ExecutionFilter:
    from cuectl.executions.rules.filter import ExecutionFilter

    cue = given["cue"]
    since, until = moment(call, given["since"]), moment(call, given["until"])
    if since is not None and until is not None and until <= since:
        raise UsageError(f"'--until {given['until']}' is not after '--since {given['since']}'")
    return ExecutionFilter(
        cue_ids=cue_ids(reader, cue) if cue else (),
        cue_name=cue,
        statuses=given["status"],
        outcome_states=given["outcome_state"],
        result_types=given["result_type"],
        since=since,
        until=until,
        **{name: given[name] for name in _TAKEN_AS_THEY_ARE},
    )


def cue_ids(reader: Reader, ref: str) -> tuple[str, ...]:
    """Return the ids, or starts of ids, that a person means by a cue; none for a name of old."""
    from cuectl.store import paths
    from cuectl.values.ids import CUE_PREFIX, LEAST_LETTERS

    letters = ref.removeprefix(CUE_PREFIX)
    if letters != ref and len(letters) >= LEAST_LETTERS:
        return (ref,)
    key = reader.read(paths.name_key(ref))
    return (key["cue"],) if key else ()


def moment(call: Call, text: str | None) -> int | None:
    """Return the instant that `--since` or `--until` names."""
    if text is None:
        return None
    from cuectl.schedule.words import parse_since

    runtime = call.runtime
    zone = "UTC" if call.settings.utc else runtime.zone
    return parse_since(text, now_ms=runtime.now(), zone_name=zone)


@command("executions list", *_OPTIONS, LIMIT, see="executions get, chain show, log", table=True)
def list_executions(call: Call, *, limit: int, **given: Any) -> None:
    """List executions, filtered by anything in their records.

    Prints what is open or waits, then what is settled, each with the newest first. All filters that
    are given must hold; of one that is given more than once, one value is enough, but for --payload
    and --metadata. The whole journal is looked through, as far back as it is kept.
    """
    from itertools import islice

    from cuectl.executions.lookup import find_record, list_records, public

    reader, now = reader_of(call), call.runtime.now()
    wanted = _filter_of(call, reader, given)
    records = list(islice(list_records(reader, wanted, now), limit or None))
    if not records and wanted.cue_name is not None:
        _check_cue(reader, wanted, now)
    if not records and wanted.root is not None:
        # Any execution of a chain stands for the whole of it.
        member = find_record(reader, wanted.root)
        of_root = replace(wanted, root=member.get("root_id") or member["id"])
        records = list(islice(list_records(reader, of_root, now), limit or None))
    found = [call.shown(public(reader, record) | question_in(reader, record)) for record in records]
    warn(call, reader, history=True)
    chosen = any(value for name, value in given.items() if name != "cue")
    columns = run_columns(call, found, numbered=not chosen)
    call.out.records(found, columns, empty="no executions match", plain=_PLAIN)


def took(record: Mapping[str, Any], now: int | None = None) -> str:
    """Return how long a run took, with `now` also how long one has been running; '' for none."""
    seconds = record.get("duration_s")
    if seconds is None and now is not None and record.get("verdict") == "running":
        began = record.get("started_at")
        seconds = None if began is None else (now - from_text(began)) / 1000
    return "" if seconds is None else span_in_words(seconds)


def question_in(reader: Reader, record: Record) -> Record:
    """Return the why of a run whose workflow asks a person, nothing of others."""
    from cuectl.installation.open_work import question_of

    asked = question_of(reader, record) if record.get("reason") == "parked" else None
    return {"why": f"asks: {asked[0]}"} if asked else {}


def _check_cue(reader: Reader, wanted: ExecutionFilter, now: int) -> None:
    from cuectl.cues.lookup import find_cue
    from cuectl.executions.lookup import list_records
    from cuectl.executions.rules.filter import ExecutionFilter

    ever = ExecutionFilter(cue_ids=wanted.cue_ids, cue_name=wanted.cue_name)
    is_known = wanted.cue_ids and wanted.cue_ids[0] != wanted.cue_name
    if not is_known and next(list_records(reader, ever, now), None) is None:
        find_cue(reader, wanted.cue_name or "")


_PLAIN = (
    *("id", "cue_name", "status", "outcome_state", "scheduled_for", "duration_s", "external_id"),
    *("summary", "verdict", "why"),
)


def run_columns(call: Call, runs: Sequence[Record], *, numbered: bool) -> tuple[Any, ...]:
    """Return the columns of a table of runs; `numbered` are the newest, with none left out.

    Then a run is called as `reference.py` says: `sync-crm~1`.
    """
    now, names, counts = call.runtime.now(), {}, Counter[str]()
    for one in runs:
        back = counts[one["cue_name"]] if numbered else 0
        names[one["id"]] = f"{one['cue_name']}~{back}" if back else one["cue_name"]
        counts[one["cue_name"]] += 1

    def run(record: Any) -> str:
        return f"{VerdictWord(record['verdict']).symbol} {names[record['id']]}"

    def began(record: Any) -> str:
        return call.out.moment(from_text(record["started_at"] or record["scheduled_for"]), now)

    def evidence(record: Any) -> str:
        return record["external_id"] or record["result_url"] or record["result_ref"] or ""

    return (
        Column("cue_name", "RUN", show=run, link=lambda r: r["output_path"]),
        Column(
            "verdict",
            "RESULT",
            show=lambda r: VerdictWord(r["verdict"]).words,
            style=verdict_style,
            priority=1,
        ),
        Column("scheduled_for", "WHEN", show=began, right=True, priority=2),
        Column("duration_s", "TOOK", show=lambda r: took(r, now), right=True, priority=3),
        Column("external_id", "EVIDENCE", show=evidence, from_width=110, priority=5),
        Column("why", "NOTE", flexible=True, from_width=60),
        replace(id_column(call, priority=4), from_width=110 if numbered else 0),
    )


@command(
    "executions output",
    EXECUTION_ID,
    Option("--answer", "Only the final text of an agent's turn"),
    Option("-f, --follow", "Print the output as it comes, until the execution finishes"),
    Option(
        "--attempt N",
        "The output of this attempt; by default the newest with output",
        whole_number(1),
    ),
    Option("--raw", "Print the raw bytes, unless on a terminal"),
    Option("-n, --tail N", "Only the last N lines", whole_number(0)),
    see="executions get, logs",
)
def print_output(
    call: Call,
    *,
    id: str,
    answer: bool,
    follow: bool,
    attempt: int | None,
    raw: bool,
    tail: int | None,
) -> int | None:
    """Print what an execution wrote to its output.

    Prints the output of the newest attempt, or of the one that --attempt names. Declared secrets
    are masked, and control characters are shown, not sent; --raw leaves the latter as they are
    where the output is not a terminal. With --follow the output is printed as it comes, from its
    first byte, further attempts included.
    """
    if follow:
        return _follow(call, id, tail, raw=raw, given=answer or attempt is not None)
    from cuectl.definitions.in_force import secret_mask
    from cuectl.executions.lookup import find_record, live_record, output_of

    reader = reader_of(call)
    record = live_record(reader, find_record(reader, id), call.runtime.now())
    found = output_of(reader.home, record, attempt, answer=answer)
    masker = secret_mask(reader, call.runtime)
    warn(call, reader)
    if call.out.json or call.out.plain:
        _print_record(call, found, masker, tail)
    elif raw and not call.out.is_terminal:
        _print_bytes(call, found, masker, tail)
    else:
        _print_text(call, found, masker, tail)
    return None


logs = replace(
    print_output,
    name="logs",
    summary="Print the output of the newest run of a cue",
    arguments=(replace(EXECUTION_ID, spelling="NAME"),),
    see_also=("cuectl-executions-output(1)", "cuectl-log(1)", "cuectl-top(1)"),
    run=lambda call, name, **given: print_output.run(call, id=name, **given),
)


def _follow(call: Call, ref: str, tail: int | None, *, raw: bool, given: bool) -> int | None:
    from cuectl.cli.commands.live.follow import follow_run
    from cuectl.executions.lookup import find_record

    if given:
        raise UsageError("'--follow' is about all attempts: leave '--attempt' and '--answer' out")
    return follow_run(call, find_record(reader_of(call), ref), tail=tail, raw=raw)


def _print_record(call: Call, found: RunOutput, masker: Masker | None, tail: int | None) -> None:
    import os

    from cuectl.executions.lookup import chunks

    files = []
    for path in found.files:
        text = "".join(_decoded(chunks(path, masker, tail)))
        files.append({"path": path, "size": os.stat(path).st_size, "text": text})
    call.out.record({"id": found.execution_id, "attempt": found.attempt, "files": files})


def _print_bytes(call: Call, found: RunOutput, masker: Masker | None, tail: int | None) -> None:
    from cuectl.executions.lookup import chunks

    out = call.out.stdout
    for path in found.files:
        for chunk in chunks(path, masker, tail):
            if isinstance(out, io.TextIOWrapper):
                out.buffer.write(chunk)
            else:
                out.write(chunk.decode("utf-8", "backslashreplace"))


def _print_text(call: Call, found: RunOutput, masker: Masker | None, tail: int | None) -> None:
    from cuectl.executions.lookup import chunks

    texts = (visible(text) for path in found.files for text in _decoded(chunks(path, masker, tail)))
    if call.out.is_terminal:
        text = "".join(texts)
        call.out.document(text if text.endswith("\n") or not text else f"{text}\n")
        return
    for text in texts:
        call.out.stdout.write(text)


def _decoded(chunks: Iterable[bytes]) -> Iterator[str]:
    import codecs

    decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    for chunk in chunks:
        yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)
