"""Views: the files that follow from the journal, and how they are brought up to date.

Applying knows no record types: an object is written, `true` is an empty file, `null` is no
file. It is idempotent, and it is the same code for a commit, for healing after a crash and
for a rebuild.
"""

from __future__ import annotations

import errno
import json
import os
import re
from typing import TYPE_CHECKING

from cuectl.model.errors import StateError
from cuectl.store import files
from cuectl.store.lines import Record, Views, encode

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDERS = [
    "cues",
    "open",
    "waiting",
    "keys",
    "alerts",
    "pings",
    "sources",
    "fanin",
    "sessions",
    "queues",
    "revised",
    "config",
    "workflows",
]
_decode = json.JSONDecoder().decode
_OURS_ALONE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR)
_PATH = re.compile(
    rf"(?:{'|'.join(FOLDERS)})/[A-Za-z0-9_][A-Za-z0-9_.@%+=-]{{0,199}}"
    r"|due/\d{1,9}/\d\d/\d{1,16}\.[a-z]+\.[A-Za-z0-9_.@%+=-]{1,180}",
    re.ASCII,
)


class BadView(StateError):
    """A view that is there and is not what was written."""

    def __init__(self, path: str, reason: str) -> None:
        hint = "mend it: cuectl fsck --rebuild"
        super().__init__(f"'{path}' is damaged: {reason}", hint=hint)
        self.path = path
        self.reason = reason


def check_path(path: str) -> str:
    """Return `path` if a view may have it; a journal line never names anything else.

    Raises:
        ValueError: it leads elsewhere.
    """
    if not _PATH.fullmatch(path):
        raise ValueError(f"not the path of a view: {path!r}")
    return path


def read_view(home: str, path: str) -> Record | None:
    """Return the object in a view, None when there is no such file.

    Raises:
        BadView: the file is there and can't be read, or holds no object.
        OSError: it could not be looked at for reasons that are not its own: no descriptor or
            memory left.
    """
    try:
        raw = files.read_file(f"{home}/{path}")
    except OSError as error:
        if error.errno in _OURS_ALONE:
            raise
        raise BadView(path, error.strerror or "unreadable") from error
    if raw is None:
        return None
    try:
        body = _decode(raw.decode())
    except (ValueError, RecursionError) as error:
        raise BadView(path, "not JSON") from error
    if not isinstance(body, dict):
        raise BadView(path, "not an object")
    return body


def apply(home: str, views: Views, *, anew: bool = False) -> list[str]:
    """Write what `views` says; return the paths that could not be written.

    Objects and markers come before the removals, so that a thing which moves is never
    nowhere; one path that fails does not keep the others (holes A18 and A27).

    Args:
        home: the state directory.
        views: path to content.
        anew: every file is a fresh one: after a power cut or a failed sync, what the cache
            shows of an old one may not be what is on the disk (hole A8).
    """
    behind: list[str] = []
    write = files.replace_file if anew else files.overwrite_file
    spare = [] if anew else _spare_markers(views)
    for path, value in views.items():
        if value is not None and not _put(home, path, value, spare, write):
            behind.append(path)
    buckets: set[str] = set()
    for path, value in views.items():
        if value is None and not _drop(home, path, buckets):
            behind.append(path)
    for bucket in buckets:
        _drop_empty_bucket(bucket)
    return behind


def _spare_markers(views: Views) -> list[str]:
    # Renaming a marker that goes to one that comes is many times cheaper than making a file.
    return [path for path, value in views.items() if value is None and path.startswith("due/")]


def _put(
    home: str,
    path: str,
    value: Record | bool | None,
    spare: list[str],
    write: Callable[[str, bytes], None],
) -> bool:
    check_path(path)
    target = f"{home}/{path}"
    try:
        if value is True:
            _put_marker(home, target, spare)
        else:
            write(target, encode(value).encode("ascii") + b"\n")
    except OSError:
        return False
    return True


def _put_marker(home: str, target: str, spare: list[str]) -> None:
    while spare:
        old = f"{home}/{spare.pop()}"
        try:
            os.rename(old, target)
        except FileNotFoundError:
            if os.path.exists(old):
                files.make_directory(os.path.dirname(target))
                spare.append(old[len(home) + 1 :])
            continue
        return
    files.touch_new(target)


def _drop(home: str, path: str, buckets: set[str]) -> bool:
    check_path(path)
    target = f"{home}/{path}"
    try:
        files.remove_file(target)
    except OSError:
        return False
    if path.startswith("due/"):
        buckets.add(target.rpartition("/")[0])
    return True


def _drop_empty_bucket(minute: str) -> None:
    for directory in (minute, os.path.dirname(minute)):
        try:
            os.rmdir(directory)
        except OSError:
            return
