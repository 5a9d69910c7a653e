"""Secrets that cuectl makes itself: the token of `serve`, the key that signs webhooks."""

from __future__ import annotations

import os

from cuectl.store import files
from cuectl.store.secret_file import read_secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN = "http-token"  # noqa: S105 - the name of a file
SIGNING_KEY = "webhook-secret"
_PREFIXES = {TOKEN: "cue_sk_", SIGNING_KEY: "whsec_"}
_RANDOM_BYTES = 32


def path_of(home: str, name: str) -> str:
    """Return where a secret is."""
    return f"{home}/{name}"


def read_or_make(home: str, name: str, random: Callable[[int], bytes]) -> str:
    """Return a secret, made when it is not there yet.

    Raises:
        Refused: it is there and is not private.
    """
    path = path_of(home, name)
    if not os.path.lexists(path):
        return make(home, name, random)
    return read_secret(path).decode("ascii", "replace")


def make(home: str, name: str, random: Callable[[int], bytes]) -> str:
    """Put a new secret in place of the old one, durable and private; return it."""
    secret = _PREFIXES[name] + random(_RANDOM_BYTES).hex()
    files.replace_file(path_of(home, name), secret.encode("ascii") + b"\n", durable=True)
    return secret


def identity(home: str, name: str) -> tuple[int, int] | None:
    """Return what changes when a secret is changed, None when it is not there."""
    try:
        found = os.stat(path_of(home, name), follow_symlinks=False)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns
