"""Tokens of executions: what a handler shows to the interface of its pass.

A token names its attempt and proves by a hash with the pass's secret that this pass has made
it; nothing is stored. It is worth something only while the attempt is open.
"""

from __future__ import annotations

import hashlib

PREFIX = "cue_run_"
_EXECUTION = "exec_"
_MAC_BYTES = 20


def make_token(secret: bytes, execution_id: str, attempt: int) -> str:
    """Return the token of one attempt."""
    name = f"{execution_id.removeprefix(_EXECUTION)}_{attempt}"
    return f"{PREFIX}{name}_{_mac(secret, name)}"


def read_token(secret: bytes, token: str) -> tuple[str, int] | None:
    """Return (execution id, attempt) of a token, None for one that this secret has not made."""
    import hmac

    rest = token.removeprefix(PREFIX)
    name, _, mac = rest.rpartition("_")
    letters, _, attempt = name.rpartition("_")
    # Everything is compared, whatever it looks like, so that the time tells nothing.
    same = hmac.compare_digest(_mac(secret, name).encode(), mac.encode("utf-8", "replace"))
    if not same or rest == token or not attempt.isdecimal():
        return None
    return f"{_EXECUTION}{letters}", int(attempt)


def _mac(secret: bytes, name: str) -> str:
    data = name.encode("utf-8", "replace")
    return hashlib.blake2b(data, key=secret, digest_size=_MAC_BYTES).hexdigest()
