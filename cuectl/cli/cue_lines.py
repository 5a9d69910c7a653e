"""What people read about a cue: when it fires next, and what it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.model.cue import CueStatus

if TYPE_CHECKING:
    from cuectl.cli.call import Call
    from cuectl.model.cue import Cue, CueState

Record = dict[str, Any]


def zone_of(call: Call, trigger: Record) -> str:
    """Return the zone in which the times of a cue are shown: its own, else this machine's."""
    zone: str | None = None if call.settings.utc else trigger.get("timezone")
    return zone or ("UTC" if call.settings.utc else call.runtime.zone)


def next_line(call: Call, cue: Cue, state: CueState, now: int) -> str:
    """Return `next: Sun 2026-11-22 02:00 EST (in 22 h), every day at 02:00`."""
    if state.status is CueStatus.HELD:
        return f"next: when its parent '{cue.origin.parent}' has ended ({cue.origin.when})"
    if state.status is CueStatus.PAUSED:
        return "next: not while it is paused"
    if state.next_at is None:
        import shlex

        return f"next: never by itself; start it: cuectl fire {shlex.quote(cue.name)}"
    from cuectl.model.durations import distance_in_words

    when = local_words(state.next_at, zone_of(call, cue.trigger))
    distance = distance_in_words(state.next_at - now)
    return f"next: {when} ({distance}), {schedule_words(cue.trigger)}"


def local_words(ms: int, zone: str) -> str:
    """Return `Sun 2026-11-22 02:00 EST`, with seconds where there are any."""
    from cuectl.model.zones import local_text

    return local_text(ms, zone, seconds=ms // 1000 % 60 != 0)


def schedule_words(trigger: Record) -> str:
    """Return a schedule in words: `every day at 02:00`, `once`, `by hand`."""
    match trigger["type"]:
        case "at":
            return "once"
        case "cron" | "every":
            from cuectl.model.cron_words import in_words
            from cuectl.model.schedule import trigger_from_record

            found = trigger_from_record(trigger)
            return in_words(found) if found is not None else ""
        case "manual":
            return "by hand"
        case other:
            return f"on {trigger.get('event', other)}"


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
