"""The public form of a cue: what `--json` prints (contracts.md, "JSON")."""

from __future__ import annotations

from typing import Any

from cuectl.model.cue import Cue, CueState, CueStatus
from cuectl.model.instants import to_text

Record = dict[str, Any]

_POLICY = (
    *("verification", "check", "timeout_s", "max_attempts", "backoff_s", "retry_on"),
    *("catch_up", "overlap", "deadline_s", "jitter_s", "on_interrupted"),
    *("outcome_deadline_s", "alert", "ping_url"),
)
_ORIGIN = ("kind", "parent", "root", "depth", "when", "delay_s", "key", "path")


def cue_view(cue: Cue, state: CueState, payload: Record | None = None) -> Record:
    """Return the public form of a cue; every key is there.

    Args:
        cue: its definition.
        state: what passes know of it.
        payload: the payload of a cue that keeps it in a file.
    """
    fires = state.status is CueStatus.ACTIVE
    return {
        "id": cue.id,
        "name": cue.name,
        "description": cue.description,
        "status": state.status.value,
        "trigger": cue.trigger,
        "target": cue.target,
        "policy": {name: _plain(getattr(cue.policy, name)) for name in _POLICY},
        "payload": cue.payload if payload is None else payload,
        "next_run": _instant(state.next_at) if fires else None,
        "last_run": _instant(state.last_run),
        "last_status": state.last_status,
        "run_count": state.run_count,
        "origin": {name: getattr(cue.origin, name) for name in _ORIGIN},
        "created_at": to_text(cue.created_at),
        "updated_at": to_text(cue.updated_at),
    }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _instant(ms: int | None) -> str | None:
    return None if ms is None else to_text(ms)
