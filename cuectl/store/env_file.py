"""`~/.cue/env`: KEY=VALUE lines for handlers, readable by its owner alone."""

from __future__ import annotations

import os
import stat

from cuectl.model.errors import Refused
from cuectl.store import files

LIMIT = 1 << 20


def read_env_file(home: str) -> dict[str, str]:
    """Return the variables in the file, none when it is not there.

    A value may stand in single or double quotes; `export ` in front and `#` lines are fine.

    Raises:
        Refused: others may read it.
    """
    path = f"{home}/env"
    try:
        found = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return {}
    if stat.S_ISLNK(found.st_mode) or found.st_mode & 0o077 or found.st_uid != os.geteuid():
        raise Refused(f"'{path}' holds secrets and must be yours alone", hint=f"chmod 600 {path}")
    raw = files.read_file(path, LIMIT) or b""
    variables: dict[str, str] = {}
    for line in raw.decode("utf-8", "surrogateescape").splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and name.isidentifier():
            variables[name] = _unquoted(value.strip())
    return variables


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value
