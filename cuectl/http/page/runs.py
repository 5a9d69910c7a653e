"""The pages of executions: the newest of all cues, one with its output, and the journal."""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING, Any

from cuectl.executions.lookup import find_record, list_records, live_record
from cuectl.executions.rules.filter import ExecutionFilter
from cuectl.executions.rules.verdict import BAD, GOOD, VerdictWord, why, word_of
from cuectl.http.page.look import number_in
from cuectl.http.page.printed import tail_of
from cuectl.http.page.render import text_of
from cuectl.installation.journal_log import LogFilter, name_in, record_in
from cuectl.installation.open_work import question_of
from cuectl.installation.pipelines import chain_of
from cuectl.schedule.words import parse_since
from cuectl.store import paths
from cuectl.store.journal.lines import encode
from cuectl.values.safe_text import one_line
from cuectl.values.times import from_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cuectl.http.page.look import PageLook
    from cuectl.store.history import Query
    from cuectl.values.records import Record

MOST_RUNS = 50
MOST_LINES = 100
_MOST_MEMBERS = 200
_LONGEST_SAID = 160
_TOLD = ("reason", "type", "message")
OUTPUTS = ("out", "err", "followup.out", "followup.err")
_EVIDENCE = (
    *("summary", "external_id", "result_url", "result_ref", "result_type", "result", "artifacts"),
    *("artifact_files", "metadata", "verified_by", "verify_reason", "outcome_problem"),
    *("outcome_dropped", "error"),
)
_RECORD = ("id", "triggered_by", "scheduled_for", "worker", "retry_of", "parent_id", "root_id",
           "payload", "range", "due_at", "report_until", "output_path")  # fmt: skip
GROUPS: dict[str, frozenset[VerdictWord]] = {
    "failed": BAD,
    "passed": GOOD,
    "open": frozenset({VerdictWord.RUNNING, VerdictWord.WAITING, VerdictWord.TO_VERIFY}),
}


def runs_page(look: PageLook, query: Mapping[str, str]) -> dict[str, Any]:
    """Return the newest executions of all cues; those that have not settled come first."""
    name, group = query.get("cue", ""), query.get("status", "")
    wanted = ExecutionFilter(cue_name=name or None, cue_ids=(name,) if name[:4] == "cue_" else ())
    found = (
        one
        for one in list_records(look.reader, wanted, look.now)
        if group not in GROUPS or word_of(one) in GROUPS[group]
    )
    runs = [look.execution(one) for one in islice(found, MOST_RUNS)] if look.reader.home else []
    return {
        "runs": runs,
        "cue_name": name,
        "status": group,
        "groups": tuple(GROUPS),
        "most": MOST_RUNS,
        "searched_to": look.searched_to,
    }


def run_page(look: PageLook, execution_id: str, query: Mapping[str, str]) -> dict[str, Any]:
    """Return one execution: its attempts, evidence, output and record."""
    record = live_record(look.reader, find_record(look.reader, execution_id), look.now)
    view = look.execution(record)
    newest = int(view["attempt"])
    number = min(max(1, number_in(query, "attempt", newest)), newest)
    return {
        "run": view,
        "run_word": view["word"],
        "ended": view["ended_at"] is not None,
        "attempts": view["attempts"],
        "attempt": number,
        "outputs": list(outputs_of(look, view["id"], number, grows=view["ended_at"] is None)),
        "evidence": [one for one in _EVIDENCE if view.get(one) not in (None, "", [], {})],
        "facts": [one for one in _RECORD if view.get(one) not in (None, "", [], {})],
        "asks": (question_of(look.reader, record) or ("",))[0],
    }


def outputs_of(
    look: PageLook, execution_id: str, attempt: int, *, grows: bool = False
) -> Iterator[tuple[str, Any]]:
    """Yield the name and the end of each output file of an attempt."""
    for suffix in OUTPUTS:
        path = paths.run_file(look.reader.home, execution_id, attempt, suffix)
        if os.path.exists(path):
            yield suffix, tail_of(path, look.mask, grows=grows)


def chain_page(look: PageLook, execution_id: str) -> dict[str, Any]:
    """Return the chain of an execution as a list from the top down, with depths."""
    found: list[dict[str, Any]] = []
    stack = [(chain_of(look.reader, execution_id, look.now, look.shown), 0)]
    while stack and len(found) < _MOST_MEMBERS:
        node, depth = stack.pop()
        run = node.execution
        told = {"name": node.cue["name"] if node.cue else "no longer kept", "word": None}
        if run:
            at = from_text(run["started_at"] or run["scheduled_for"])
            told = {"name": run["cue_name"], "word": word_of(run), "at": at, "why": run["why"]}
        found.append({"id": run and run["id"], "at": None, "depth": min(depth, 16), **told})
        stack += [(one, depth + 1) for one in reversed(node.children)]
    return {"nodes": found, "run_id": execution_id}


def journal_page(look: PageLook, query: Mapping[str, str]) -> dict[str, Any]:
    """Return the newest lines of the journal that hold a text, as far as there is time."""
    text, cue = query.get("q", ""), query.get("cue", "")
    begin, zone = query.get("since", ""), look.runtime.zone
    since = parse_since(begin, now_ms=look.now, zone_name=zone) if begin else None
    wanted = LogFilter(cue_name=cue or None, since=since)
    lines: list[dict[str, Any]] = []
    if look.reader.home:
        history = look.reader.history
        needle: Query = ((encode(text)[1:-1].encode("ascii"),),) if text else ()
        queries = [(*needle, *one) for one in wanted.queries()]
        found = filter(wanted.matches, history.newest_first(queries, since))
        lines = [_said(look, one) for one in islice(found, MOST_LINES)]
    return {
        "lines": lines,
        "q": text,
        "cue_name": cue,
        "since": begin,
        "searched_to": look.searched_to,
        "most": MOST_LINES,
    }


def _said(look: PageLook, line: Record) -> dict[str, Any]:
    record, detail = record_in(line) or {}, dict(line.get("detail") or {})
    kind, by = str(line["type"]), detail.pop("by", "")
    is_end = kind in ("execution.settled", "execution.revised") and "status" in record
    given = detail or {key: record[key] for key in _TOLD if record.get(key)}
    words = (f"{key} {text_of(value)}" for key, value in look.shown(given).items())
    said = why(record) if is_end else ", ".join(words)
    return {
        "at": from_text(line["at"]),
        "name": name_in(line) or "",
        "kind": kind.replace(".", " ").replace("_", " "),
        "word": word_of(record) if is_end else None,
        "said": one_line(look.masked(said), _LONGEST_SAID) + (f" (by {by})" if by else ""),
        "execution": line.get("execution", ""),
    }
