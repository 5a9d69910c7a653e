"""A cue as the peer shows it (reference/cueapi.md 1.1)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from cuectl.model.cue import CueStatus
from cuectl.model.instants import to_text

if TYPE_CHECKING:
    from cuectl.model.cue import Cue, CueState

Record = dict[str, Any]

_CATCH_UP = {"latest": "run_once_if_missed", "none": "skip_missed", "all": "replay_all"}


def cue_answer(
    cue: Cue, state: CueState, payload: Record | None = None, warning: str | None = None
) -> Record:
    """Return the answer about one cue.

    Args:
        cue: its definition.
        state: what passes know of it.
        payload: where the cue keeps it in a file.
        warning: what the caller should know.
    """
    policy = cue.policy
    fires = state.status is CueStatus.ACTIVE
    mode = policy.verification
    return {
        "id": cue.id,
        "name": cue.name,
        "description": cue.description,
        "status": state.status.value,
        "transport": "webhook" if cue.target["type"] == "webhook" else "worker",
        "schedule": _schedule(cue.trigger),
        "callback": _callback(cue.target),
        "payload": cue.payload if payload is None else payload,
        "retry": {
            "max_attempts": policy.max_attempts,
            "backoff_minutes": [math.ceil(wait / 60) for wait in policy.backoff_s],
        },
        "next_run": _instant(state.next_at) if fires else None,
        "last_run": _instant(state.last_run),
        "last_status": state.last_status,
        "run_count": state.run_count,
        "fired_count": state.run_count + len(state.running) + len(state.queued),
        "on_failure": None,
        "verification": None if mode == "none" else {"mode": mode},
        "catch_up": _CATCH_UP[policy.catch_up.value],
        "delivery": {
            "timeout_seconds": policy.timeout_s,
            "outcome_deadline_seconds": policy.outcome_deadline_s,
        },
        "parent_id": cue.origin.parent,
        "root_id": cue.origin.root,
        "warning": warning,
        "created_at": to_text(cue.created_at),
        "updated_at": to_text(cue.updated_at),
    }


def _schedule(trigger: Record) -> Record:
    zone = trigger.get("timezone") or "UTC"
    match trigger["type"]:
        case "cron":
            return {"type": "recurring", "cron": trigger["expression"], "timezone": zone}
        case "at":
            return {"type": "once", "at": trigger["at"], "timezone": zone}
        case "every":
            return {"type": "recurring", "every_s": trigger["every_s"], "timezone": zone}
        case other:
            return {"type": other, "timezone": zone}


def _callback(target: Record) -> Record:
    """Return what is called; an object in any case, because the SDK asks for one."""
    return {
        "url": target.get("url"),
        "method": target.get("method", "POST"),
        "headers": target.get("headers", {}) if target["type"] == "webhook" else {},
    }


def _instant(ms: int | None) -> str | None:
    return None if ms is None else to_text(ms)
