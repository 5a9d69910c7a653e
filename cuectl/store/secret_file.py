"""A file that holds one secret: private, or it is not used."""

from __future__ import annotations

import os
import stat

from cuectl.model.errors import Refused
from cuectl.store import files

_LONGEST = 4096


def read_secret(path: str) -> bytes:
    """Return the secret in a file, without blanks and line ends around it.

    Raises:
        Refused: it is not there, not a plain file of ours, open to others, or empty.
    """
    try:
        fd = os.open(path, files.READ_FLAGS)
    except OSError as error:
        raise Refused(f"the secret file '{path}' can't be read: {error.strerror}") from error
    try:
        _check(path, os.fstat(fd))
        secret = files.read_all(fd).strip()
    finally:
        os.close(fd)
    if not secret:
        raise Refused(f"the secret file '{path}' is empty")
    return secret


def _check(path: str, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode) or found.st_size > _LONGEST:
        raise Refused(f"the secret file '{path}' is not a small plain file")
    if found.st_uid != os.geteuid():
        raise Refused(f"the secret file '{path}' belongs to another user")
    if found.st_mode & 0o077:
        raise Refused(f"others may read the secret file '{path}'", hint=f"chmod 600 '{path}'")
