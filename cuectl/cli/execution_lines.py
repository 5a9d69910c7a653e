"""What people read about an execution."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.cli.call import Call
    from cuectl.cli.output import Line

Record = dict[str, Any]

_STATUS_STYLES = {
    "succeeded": "green",
    "running": "cyan",
    "waiting": "yellow",
    "queued": "yellow",
    "pending": "yellow",
    "skipped": "dim",
    "cancelled": "dim",
}
_OUTCOME_STYLES = {
    "verified_success": "green",
    "reported_success": "green",
    "verification_pending": "yellow",
    "verification_failed": "red",
    "reported_failure": "red",
}
EVIDENCE = ("external_id", "result_url", "result_ref", "result_type", "artifacts", "metadata")


def status_style(record: Record) -> str:
    """Return the colour of a status: red for whatever went wrong."""
    return _STATUS_STYLES.get(record["status"], "red")


def outcome_style(record: Record) -> str:
    """Return the colour of an outcome state."""
    return _OUTCOME_STYLES.get(record.get("outcome_state") or "", "")


def took(record: Record) -> str:
    """Return how long an execution ran, '' when that is not known."""
    from cuectl.model.durations import span_in_words

    seconds = record.get("duration_s")
    return "" if seconds is None else span_in_words(seconds)


def note_of(record: Record) -> str:
    """Return the most telling words about how an execution went, on one line."""
    from cuectl.model.terminal_text import one_line

    for name in ("reason", "error", "summary", "result"):
        if isinstance(record.get(name), str):
            return one_line(record[name], 80)
    return ""


def lines_of(call: Call, view: Record) -> Iterator[Line]:
    """Yield what `executions get` shows."""
    now = call.runtime.now()
    first: list[Any] = [(view["cue_name"], "bold"), f"  {view['id']}  "]
    first.append((view["status"], status_style(view)))
    if view["outcome_state"]:
        first += ["  ", (view["outcome_state"], outcome_style(view))]
    yield first
    for name, value in _facts(call, view, now):
        yield f"{name + ':':<14}{value}"
    if len(view["attempts"]) > 1:
        yield ""
        yield from _attempts(call, view, now)


def _facts(call: Call, view: Record, now: int) -> Iterator[tuple[str, str]]:
    for name in ("reason", "error", "summary", "result"):
        if view[name]:
            yield name, view[name]
    yield from _times(call, view, now)
    yield from _end(view)
    yield "attempt", str(view["attempt"])
    yield "triggered by", view["triggered_by"]
    if view["parent_id"]:
        yield "parent", f"{view['parent_id']} (depth {view['depth']}, root {view['root_id']})"
    if view["range"]:
        span = view["range"]
        yield "stands for", f"{span['count']} occurrences, {span['from']} to {span['to']}"
    for name in EVIDENCE:
        if view[name]:
            yield name.replace("_", " "), _plain(view[name])
    yield from _doubts(view)
    if view["payload"]:
        yield "payload", _plain(view["payload"])
    if view["output_path"]:
        yield "output", view["output_path"]


def _times(call: Call, view: Record, now: int) -> Iterator[tuple[str, str]]:
    yield "scheduled", _time(call, view["scheduled_for"], now)
    if view["started_at"]:
        yield "started", _time(call, view["started_at"], now)
    if view["ended_at"]:
        words = f", took {took(view)}" if took(view) else ""
        yield "ended", _time(call, view["ended_at"], now) + words
    for name in ("due_at", "report_until"):
        if view[name] and not view["ended_at"]:
            yield name.replace("_", " "), _time(call, view[name], now)


def _end(view: Record) -> Iterator[tuple[str, str]]:
    if view["signal"] is not None:
        yield "signal", str(view["signal"])
    elif view["exit_code"] is not None:
        yield "exit", str(view["exit_code"])


def _doubts(view: Record) -> Iterator[tuple[str, str]]:
    if view["outcome_problem"]:
        yield "outcome", view["outcome_problem"]
    for dropped in view["outcome_dropped"]:
        yield "not taken", dropped
    if view["verified_by"]:
        why = f": {view['verify_reason']}" if view["verify_reason"] else ""
        yield "judged by", f"{view['verified_by']}{why}"


def _attempts(call: Call, view: Record, now: int) -> Iterator[Line]:
    for one in view["attempts"]:
        when = _time(call, one["started_at"], now) if one["started_at"] else "never started"
        line: list[Any] = [f"attempt {one['attempt']}  {when}  "]
        line.append((one["status"], status_style(one)))
        words = [took(one), note_of(one)]
        yield [*line, *(f"  {word}" for word in words if word)]


def _time(call: Call, text: str, now: int) -> str:
    from cuectl.model.instants import from_text

    return call.out.time(from_text(text), now, seconds=True)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
