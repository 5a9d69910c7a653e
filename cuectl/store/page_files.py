"""What `serve` and `open` tell each other in private files: where a page is, and links to it.

Who can write here is the user, which is all that a link has to prove. A server holds the lock of
its file for as long as it lives; a link stands for one session, and is gone once it was used.
"""

from __future__ import annotations

import fcntl
import json
import os
from hashlib import sha256

from cuectl.store import files
from cuectl.store.home import is_held

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.values.records import Record

# How long a link counts.
LINK_MS = 600_000
_SERVER, _LINK = "serve-", "link-"
_MOST_BYTES = 4096
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


def announce(home: str, where: Record) -> tuple[str, int]:
    """Write down where a page is; return the file, and the descriptor that says it is alive."""
    path = f"{home}/page/{_SERVER}{os.getpid()}"
    fd = files.create(path, _FLAGS)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    files.write_all(fd, json.dumps(where).encode("ascii"))
    return path, fd


def newest_server(home: str) -> Record | None:
    """Return where a page is at this moment, None without one."""
    places = [f"{home}/page/{name}" for name in files.list_directory(f"{home}/page")]
    alive = [path for path in places if f"/{_SERVER}" in path and is_held(path)]
    newest = max(alive, key=lambda path: os.stat(path).st_mtime_ns, default=None)
    where: Record | None = json.loads(files.read_file(newest) or b"null") if newest else None
    return where


def leave_link(home: str, word: str, now_ms: int) -> None:
    """Leave a link for whichever server is asked first; drop what has ended."""
    folder = f"{home}/page"
    for name in files.list_directory(folder):
        path = f"{folder}/{name}"
        is_dead = name.startswith(_SERVER) and not is_held(path)
        if is_dead or (name.startswith(_LINK) and not _counts(path, now_ms)):
            files.remove_file(path)
    files.replace_file(_link(home, word), b"%d" % (now_ms + LINK_MS))


def _link(home: str, word: str) -> str:
    # A name is seen in more places than the text of a file.
    return f"{home}/page/{_LINK}{sha256(word.encode('utf-8', 'replace')).hexdigest()}"


def take_link(home: str, word: str, now_ms: int) -> bool:
    """Tell whether such a link was left and counts; it counts no more from now on."""
    path = _link(home, word)
    if not _counts(path, now_ms):
        return False
    try:
        os.unlink(path)
    except FileNotFoundError:
        # Another server has taken it in this moment.
        return False
    return True


def _counts(path: str, now_ms: int) -> bool:
    try:
        ends_ms = int(files.read_file(path, _MOST_BYTES) or b"")
    except (OSError, ValueError):
        return False
    # One that ends long after now is of an earlier start of the machine, whose clock started again.
    return now_ms < ends_ms <= now_ms + LINK_MS
