"""Locks of long or human work, one at a time: `gc`, `fsck --rebuild`.

They stand beside the store lock, which is only held for moments (design.md section 5,
filelock); a crash frees them.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from cuectl.model.errors import LockTimeout

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def named_lock(home: str, name: str, limit_s: float = 0.0) -> Iterator[None]:
    """Hold `<home>/<name>.lock`.

    Raises:
        LockTimeout: somebody else is at the same work.
    """
    from filelock import FileLock, Timeout

    path = f"{home}/{name}.lock"
    try:
        with FileLock(path, timeout=limit_s, mode=0o600):
            yield
    except Timeout:
        hint = "wait until it has ended; nothing was changed"
        raise LockTimeout(f"another '{name}' is at work on '{home}'", hint=hint) from None
