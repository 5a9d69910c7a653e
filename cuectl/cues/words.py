"""What people read about a cue: when it fires, and what it runs."""

from __future__ import annotations

from cuectl.values.times import duration_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.values.records import Record


def schedule_words(trigger: Record) -> str:
    """Return a schedule in words: `every day at 02:00`, `once`, `by hand`."""
    match trigger["type"]:
        case "at":
            return "once"
        case "cron" | "every":
            from cuectl.schedule.triggers import trigger_from_record
            from cuectl.schedule.words import in_words

            found = trigger_from_record(trigger)
            return in_words(found) if found is not None else ""
        case "manual":
            return "by hand"
        case "event" if "interval_minutes" in trigger:
            return f"every {trigger['interval_minutes']:g} minutes"
        case "event" if "schedule_times" in trigger:
            days = ", ".join(trigger.get("schedule_days") or ())
            return f"at {', '.join(trigger['schedule_times'])}{days and f' on {days}'}"
        case other:
            return f"on {trigger.get('event', other)}"


def schedule_briefly(trigger: Record) -> str:
    """Return a schedule as it was typed: `*/5 * * * *`, `every 15m`, `at 2026-11-21T02:00:00Z`."""
    match trigger.get("type"):
        case "cron":
            return str(trigger.get("expression"))
        case "every":
            return f"every {duration_text(trigger.get('every_s', 0))}"
        case "at":
            return f"at {trigger.get('at')}"
        case "manual":
            return "by hand"
        case other:
            return f"on {trigger.get('event') or other}"


def work_words(target: Record) -> str:
    """Return what a cue runs: `task audit`, `python3 audit.py`, `sh -c '...'`."""
    import shlex

    match target["type"]:
        case "task":
            return f"task {target['task']}"
        case "command" if "shell" in target:
            return f"sh -c {shlex.quote(target['shell'])}"
        case "command":
            return shlex.join(target["argv"])
        case "agent":
            return f"agent {target.get('agent')}"
        case other:
            return f"{other} {target.get(other) or target.get('url') or ''}".rstrip()
