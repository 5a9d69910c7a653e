"""A request that comes twice makes one thing: keys that callers choose, for a day.

What was made under a key is noted in the same group as the thing itself, so that a client
whose connection broke can ask again (reference/cueapi.md 2.6).
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from cuectl.model.errors import Conflict
from cuectl.model.instants import DAY, from_text, to_text

if TYPE_CHECKING:
    from cuectl.store.store import Transaction

Record = dict[str, Any]


class KeyUsedOtherwise(Conflict):
    """The key belongs to another request."""


def digest_of(request: Record) -> str:
    """Return what tells one request from another."""
    text = json.dumps(request, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def made_before(tx: Transaction, scope: str, key: str, digest: str) -> Record | None:
    """Return what was noted under a key within the last day.

    Raises:
        KeyUsedOtherwise: for another request.
    """
    record = tx.read(_path(scope, key))
    if record is None or from_text(record["at"]) + DAY <= tx.now:
        return None
    if record["digest"] != digest:
        raise KeyUsedOtherwise(f"the idempotency key '{key[:60]}' was used for another request")
    return record


def note(tx: Transaction, scope: str, key: str, digest: str, made: Record) -> None:
    """Note what the last staged event has made under a key."""
    tx.amend({_path(scope, key): {"at": to_text(tx.now), "digest": digest, **made}})


def _path(scope: str, key: str) -> str:
    text = f"{scope}\n{key}"
    return f"keys/http.{hashlib.sha256(text.encode()).hexdigest()[:24]}.json"
