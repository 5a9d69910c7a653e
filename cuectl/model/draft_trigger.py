"""From the texts that say when to the trigger of a cue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cuectl.model.errors import UsageError
from cuectl.model.instants import to_text

if TYPE_CHECKING:
    from cuectl.model.cue_draft import CueDraft

Record = dict[str, Any]

SHORTEST_EVERY_S: Final = 1


def read_trigger(
    draft: CueDraft, *, now: int, zone: str, old: Record | None = None
) -> Record | None:
    """Return the trigger that a draft names, None when it names none.

    Args:
        draft: what was said.
        now: the present.
        zone: the time zone where neither the draft nor `old` names one.
        old: the trigger so far; a change of the schedule keeps its time zone.

    Raises:
        UsageError: more than one schedule, one that is not valid, or that never fires.
    """
    kind = _kind(draft)
    if draft.timezone is not None:
        _check_zone(draft.timezone)
    kept = draft.timezone or (old or {}).get("timezone")
    match kind:
        case "cron":
            return _cron(draft.cron or "", kept or zone, now)
        case "at":
            return _at(draft.at or "", kept, zone, now)
        case "in":
            at = now + round((draft.in_s or 0) * 1000)
            return {"type": "at", "at": to_text(at)}
        case "every":
            return _every(draft.every_s or 0, now, old)
        case "manual":
            return {"type": "manual"}
        case _:
            return None if draft.timezone is None else _moved(draft.timezone, old, now)


def _kind(draft: CueDraft) -> str | None:
    said = {
        "cron": draft.cron is not None,
        "at": draft.at is not None,
        "every": draft.every_s is not None,
        "in": draft.in_s is not None,
        "manual": draft.manual,
    }
    kinds = [kind for kind, given in said.items() if given]
    if len(kinds) > 1:
        raise UsageError(f"a cue has one schedule: '{kinds[0]}' or '{kinds[1]}'")
    if kinds and kinds[0] in ("every", "in", "manual") and draft.timezone is not None:
        raise _no_use(draft.timezone)
    return kinds[0] if kinds else None


def _check_zone(name: str) -> None:
    from cuectl.model.zones import check_zone

    check_zone(name)


def _no_use(zone: str) -> UsageError:
    hint = "it goes with a cron expression or with a point in time"
    return UsageError(f"the time zone '{zone}' has nothing to apply to", hint=hint)


def _cron(text: str, zone: str, now: int) -> Record:
    from cuectl.model.cron import fires, parse_cron

    expression = parse_cron(text)
    if next(iter(fires(expression, zone, now)), None) is None:
        raise UsageError(f"cron expression '{text}' never fires in the time zone '{zone}'")
    return {"type": "cron", "expression": " ".join(text.split()), "timezone": zone}


def _at(text: str, kept: str | None, zone: str, now: int) -> Record:
    from cuectl.model.moments import parse_moment

    at = parse_moment(text, now_ms=now, zone_name=kept or zone)
    record: Record = {"type": "at", "at": to_text(at)}
    return record | {"timezone": kept} if kept else record


def _every(every_s: float, now: int, old: Record | None) -> Record:
    if every_s < SHORTEST_EVERY_S:
        raise UsageError(f"'every' must be at least {SHORTEST_EVERY_S} s")
    whole = int(every_s) if every_s == int(every_s) else every_s
    # The same heartbeat again goes on beating where it did.
    same = old is not None and old.get("type") == "every" and old.get("every_s") == whole
    # Whole seconds read better, and nobody minds the part of one.
    anchor = old["anchor"] if old is not None and same else to_text(now - now % 1000)
    return {"type": "every", "every_s": whole, "anchor": anchor}


def _moved(zone: str, old: Record | None, now: int) -> Record:
    """Return the old schedule in another time zone."""
    if old is not None and old["type"] == "cron":
        return _cron(old["expression"], zone, now)
    if old is not None and old["type"] == "at":
        return {**old, "timezone": zone}
    raise _no_use(zone)
