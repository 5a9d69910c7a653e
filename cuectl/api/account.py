"""What clients ask about an account, of which there is one and without limits; and secrets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cuectl.api.cues import counts
from cuectl.api.errors import Problem
from cuectl.model.instants import DAY, civil, days_from_civil
from cuectl.store import token_file

if TYPE_CHECKING:
    from cuectl.api.caller import Call

Record = dict[str, Any]

# Clients divide by the limits; there are none.
NO_LIMIT = 1_000_000_000
_PLAN = "local"


def health(_call: Call) -> Record:
    """Say that the interface is there."""
    return {"status": "ok"}


def me(call: Call) -> Record:
    """Say who the user is."""
    return {
        "email": f"{_user()}@localhost",
        "plan": _PLAN,
        "active_cues": counts(call),
        "active_cue_limit": NO_LIMIT,
        "executions_this_month": _this_month(call),
        "monthly_execution_limit": NO_LIMIT,
        "rate_limit": NO_LIMIT,
    }


def _user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _this_month(call: Call) -> int:
    """Count the executions of this month in UTC that have ended."""
    from cuectl.model.instants import from_text
    from cuectl.store.execution_history import settled_newest_first

    reader = call.reader()
    if not reader.home:
        return 0
    year, month, _ = civil(call.now // DAY)
    since = days_from_civil(year, month, 1) * DAY
    seen = set()
    for record in settled_newest_first(reader.history, (), since):
        if from_text(record["scheduled_for"]) >= since:
            seen.add(record["id"])
    return len(seen)


def usage(call: Call) -> Record:
    """Say how much was used."""
    return {
        "plan": {"name": _PLAN},
        "cues": {"active": counts(call), "limit": NO_LIMIT},
        "executions": {"used": _this_month(call), "limit": NO_LIMIT},
        "rate_limit": {"limit": NO_LIMIT, "current": 0},
    }


def _confirmed(call: Call) -> None:
    if call.request.headers.get("x-confirm-destructive", "").lower() != "true":
        message = "this can't be undone; send the header X-Confirm-Destructive: true"
        raise Problem(400, "confirmation_required", message)


def renew_key(call: Call) -> Record:
    """Put a new token in place of the old one."""
    _confirmed(call)
    return {"api_key": call.service.authority.renew(), "previous_key_revoked": True}


def signing_key(call: Call) -> Record:
    """Return the key that webhooks are signed with, made when there is none."""
    home, random = call.runtime.home, call.runtime.random
    return {"webhook_secret": token_file.read_or_make(home, token_file.SIGNING_KEY, random)}


def renew_signing_key(call: Call) -> Record:
    """Put a new key in place of the one that webhooks were signed with."""
    _confirmed(call)
    home, random = call.runtime.home, call.runtime.random
    made = token_file.make(home, token_file.SIGNING_KEY, random)
    return {"webhook_secret": made, "previous_secret_revoked": True}


def description(_call: Call) -> Record:
    """Return the description of the interface."""
    from cuectl.api.openapi import describe

    return describe()
