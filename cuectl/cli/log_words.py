"""One line of the journal in words: what it is about, what happened, and the rest.

Words carry the meaning; what went wrong is in capitals, so that it stands out without colour.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cuectl.engine.journal_log import record_in
from cuectl.model.durations import span_in_words
from cuectl.model.terminal_text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

Record = dict[str, Any]
Said = tuple[str, str, str]
"""The word, its colour, and what follows it."""
Clock = Callable[[str], str]
"""Makes an instant in text the time that people read."""

_LONGEST = 120
_STATUS_WORDS = {
    "succeeded": ("ok", "green"),
    "failed": ("FAILED", "red"),
    "timed_out": ("TIMED OUT", "red"),
    "interrupted": ("INTERRUPTED", "red"),
    "cancelled": ("cancelled", "yellow"),
    "skipped": ("skipped", "dim"),
    "missed": ("MISSED", "red"),
}
_ATTEMPT_WORDS = {"failed": "failed", "timed_out": "timed out", "interrupted": "was interrupted"}


def words_of(line: Record, clock: Clock) -> Said:
    """Return what a line says."""
    kind, _, what = line["type"].partition(".")
    record = record_in(line) or {}
    detail = line.get("detail") or {}
    match kind:
        case "execution":
            return _of_execution(what, record, clock)
        case "cue":
            return _of_cue(what, record, detail)
        case "alert":
            return _of_alert(what, record, detail)
        case "view":
            text = f"{detail.get('path')}: {detail.get('reason')}"
            return "DAMAGED", "red", one_line(text, _LONGEST)
        case "definitions":
            word = "removed" if detail.get("removed") else what
            return word, "", one_line(str(detail.get("path", "")), _LONGEST)
        case "event" if "cloudevent" in detail:
            return _of_event(detail["cloudevent"])
        case _:
            return line["type"], "yellow", _plain(detail)


# --- executions -----------------------------------------------------------------------------


def _of_execution(what: str, record: Record, clock: Clock) -> Said:
    match what:
        case "settled" | "revised":
            return _of_end(what, record)
        case "waiting":
            return _of_waiting(record, clock)
        case "claimed" | "reclaimed":
            text = f"attempt {record.get('attempt', 1)}"
            if what == "reclaimed":
                text = f"{text}, taken over from a pass that died"
            return "claimed", "", text
        case "pending":
            due = record.get("due_at")
            return "pending", "yellow", f"due {clock(due)}" if due else ""
        case _:
            return what, "yellow", one_line(record.get("reason") or "", _LONGEST)


def _of_end(what: str, record: Record) -> Said:
    status, outcome = record.get("status", ""), record.get("outcome_state")
    word, style = _STATUS_WORDS.get(status, (status, ""))
    if status == "succeeded" and outcome == "verification_failed":
        word, style = "REJECTED", "red"
    elif what == "revised":
        word = "verified" if outcome == "verified_success" else "changed"
    elif status == "succeeded" and outcome == "verified_success":
        word = "verified"
    elif status == "succeeded" and outcome == "verification_pending":
        word, style = "to verify", "yellow"
    return word, style, "  ".join(_end_parts(record))


def _end_parts(record: Record) -> Iterator[str]:
    if record.get("range"):
        span = record["range"]
        yield f"{span['count']} occurrences from {span['from']} to {span['to']}"
    if (end := _exit(record)) or record.get("duration_s") is not None:
        seconds = record.get("duration_s")
        yield " ".join(word for word in (end, _in(seconds)) if word)
    if record.get("attempt", 1) > 1:
        yield f"attempt {record['attempt']}"
    for name in ("reason", "error", "verify_reason", "summary"):
        if isinstance(record.get(name), str):
            yield one_line(record[name], _LONGEST)
            break
    for name in ("external_id", "result_url", "result_ref"):
        if record.get(name):
            yield one_line(str(record[name]), _LONGEST)
            break


def _exit(record: Record) -> str:
    if record.get("signal") is not None:
        return f"signal {record['signal']}"
    return f"exit {record['exit_code']}" if record.get("exit_code") is not None else ""


def _in(seconds: float | None) -> str:
    return "" if seconds is None else f"in {span_in_words(seconds)}"


def _of_waiting(record: Record, clock: Clock) -> Said:
    if record.get("reason") == "report":
        until = record.get("report_until")
        end = " ".join(word for word in (_exit(record), _in(record.get("duration_s"))) if word)
        text = f"for its report until {clock(until)}" if until else "for its report"
        return "waits", "yellow", f"{end}; {text}" if end else text
    due = record.get("due_at")
    text = f"attempt {record.get('attempt', 1)}" + (f" at {clock(due)}" if due else "")
    if earlier := record.get("attempts"):
        last = earlier[-1]
        how = _ATTEMPT_WORDS.get(last.get("status", ""), "was not verified")
        why = one_line(last.get("reason") or last.get("error") or _exit(last), 60)
        text = f"{text}; attempt {last.get('attempt')} {how}" + (f": {why}" if why else "")
    return "retry", "yellow", text


# --- everything else ------------------------------------------------------------------------


def _of_cue(what: str, record: Record, detail: Record) -> Said:
    if what == "created":
        parent = record.get("origin", {}).get("parent")
        text = _schedule(record.get("trigger", {})) + (f", chained by {parent}" if parent else "")
        return "created", "", one_line(text, _LONGEST)
    return what, "yellow" if what in ("paused", "deleted") else "", detail.get("reason") or ""


def _schedule(trigger: Record) -> str:
    match trigger.get("type"):
        case "cron":
            return f"{trigger.get('expression')} ({trigger.get('timezone')})"
        case "at":
            return f"at {trigger.get('at')}"
        case "every":
            return f"every {span_in_words(trigger.get('every_s', 0))}"
        case other:
            return "by hand" if other == "manual" else f"on {trigger.get('event') or other}"


def _of_alert(what: str, record: Record, detail: Record) -> Said:
    kind, message = record.get("type", ""), record.get("message", "")
    if what == "raised":
        return "ALERT", "red", one_line(f"{kind}: {message}", _LONGEST)
    if what in ("delivered", "delivery_failed", "undelivered"):
        sink, error = detail.get("sink", ""), detail.get("error")
        text = f"{kind} to {sink}" + (f": {error}" if error else "")
        return what.replace("_", " "), "yellow" if error else "", one_line(text, _LONGEST)
    return what, "", one_line(kind, _LONGEST)


def _of_event(event: Record) -> Said:
    data = event.get("data")
    told = _plain(data) if isinstance(data, dict) else str(data or "")
    text = one_line(f"from {event.get('source', '?')}  {told}", _LONGEST)
    return one_line(str(event.get("type", "?")), _LONGEST), "", text


def _plain(detail: Record) -> str:
    text = ", ".join(
        f"{name} {value if isinstance(value, str) else json.dumps(value)}"
        for name, value in detail.items()
    )
    return one_line(text, _LONGEST)
