"""The idle path of a pass: one line and a few stats say that nothing is due.

Imports `os` and `time` alone, because this runs every minute of the year. Anything unusual means
"do a full pass" (store-protocol.md, "Idle path").
"""

import os
import time

_NEXT_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LONGEST_LINE = 1024
YOUNG_NS = 2_000_000_000
UNKNOWN = "?"
LONGEST_MS = 3_600_000
_WORDS = 10


def is_idle(home: str) -> bool:
    """Tell whether a pass would find nothing; if so, leave its heartbeat. Raises OSError."""
    words = _next_line(home)
    if words is None or len(words) != _WORDS or not _holds(home, words):
        return False
    leave_heartbeat(home)
    return True


def leave_heartbeat(home: str) -> None:
    """Note that a pass was here. Raises OSError: it can't be written."""
    os.utime(f"{home}/last-pass")


def looks(home: str) -> str:
    """Return what a pass would have to look at and find nothing else: `polls`, `away`, or both.

    Event sources, and executors; empty when it may find something.
    """
    words = _next_line(home)
    if words is None or not _WORDS < len(words) < _WORDS + 3 or not _holds(home, words):
        return ""
    polls, away = words[9], words[10] if len(words) > _WORDS + 1 else "-"
    if polls != "-" and identity(f"{home}/polls") != polls:
        return ""
    if away != "-" and identity(f"{home}/executors.look") != away:
        return ""
    return ("polls " if polls != "-" else "") + ("away" if away != "-" else "")


def _next_line(home: str) -> list[str] | None:
    try:
        if open_above(home):
            return None
        found = os.lstat(home)
        if found.st_uid != os.geteuid() or found.st_mode & 0o170022 != 0o040000:
            return None
        fd = os.open(f"{home}/next", _NEXT_FLAGS)
    except OSError:
        return None
    try:
        words = os.read(fd, _LONGEST_LINE).decode("ascii", "replace").split(" ")
    except OSError:
        return None
    finally:
        os.close(fd)
    return words if len(words) >= _WORDS and words[0] == "v2" and words[-1] == ".\n" else None


def _holds(home: str, words: list[str]) -> bool:
    now_ns = time.time_ns()
    try:
        since, until = int(words[1]), int(words[2])
        inside = since * 1_000_000 <= now_ns < until * 1_000_000
        heartbeat = os.stat(f"{home}/last-pass", follow_symlinks=False)
    except (OSError, ValueError):
        return False
    return (
        inside
        # A damaged digit must not stop the work for years.
        and until - since <= LONGEST_MS
        and heartbeat.st_mtime_ns <= now_ns
        and identity(f"{home}/journal/{words[3]}") == words[4]
        and identity(f"{home}/cue.yaml") == words[5]
        and words[6] == boot_id() != "-"
        and words[7] == zone_identity()
        # A newer program may have taken the directory over.
        and identity(f"{home}/FORMAT") == words[8]
    )


def above(path: str) -> list[str]:
    """Return the directories above a path, as it is written and as links lead to it."""
    found = []
    for place in {path, os.path.realpath(path)}:
        while place != (place := os.path.dirname(place)):
            found.append(place)
    return found


def open_above(path: str) -> str | None:
    """Return a directory above `path` in which everybody may put something else in its place."""
    for place in above(path):
        try:
            # In a directory with the sticky bit, only its owner moves a thing away.
            if os.stat(place).st_mode & 0o1002 == 0o002:
                return place
        except FileNotFoundError:
            continue
    return None


def identity(path: str) -> str:
    """Return what changes with a file: `-` when not there, `?` when it can't be looked at."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return "-"
    except OSError:
        return UNKNOWN
    return identity_of(found)


def identity_of(found: os.stat_result) -> str:
    """Return inode, size, times, mode and owner: what an edit, `chmod` or `chown` changes."""
    times = f"{found.st_mtime_ns}:{found.st_ctime_ns}"
    return f"{found.st_ino}:{found.st_size}:{times}:{found.st_mode:o}:{found.st_uid}"


def zone_identity() -> str:
    """Return what changes when the machine's time zone does (hole A39)."""
    try:
        return f"{os.readlink('/etc/localtime')}".replace(" ", "?")
    except OSError:
        return identity("/etc/localtime")


def boot_id() -> str:
    """Return what changes with every boot, `-` where the system does not tell."""
    try:
        fd = os.open("/proc/sys/kernel/random/boot_id", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return "-"
    try:
        return os.read(fd, 64).decode("ascii", "replace").strip() or "-"
    finally:
        os.close(fd)


def home_of(arguments: list[str]) -> str | None:
    """Return the state directory if `arguments` are `run-due` and nothing that matters."""
    if arguments != ["run-due"] or os.environ.get("CUECTL_NOW"):
        return None
    home = os.environ.get("CUECTL_HOME") or os.path.expanduser("~/.cue")
    return home if home.startswith("/") else None


def write_line(
    home: str, since: int, until: int, segment: str, *, polls: bool = False, away: bool = False
) -> str | None:
    """Return the line for `next`; None when `cue.yaml` is too young to be told apart.

    With `polls`, there are event sources that each pass looks at: the file `polls` says how; with
    `away`, executors: the file `executors.look` does.
    """
    definitions = f"{home}/cue.yaml"
    boot = boot_id()
    try:
        young = time.time_ns() - os.stat(definitions).st_mtime_ns < YOUNG_NS
    except FileNotFoundError:
        young = False
    if young or boot == "-":
        return None
    journal = identity(f"{home}/journal/{segment}")
    layout = identity(f"{home}/FORMAT")
    if UNKNOWN in (journal, identity(definitions), layout):
        return None
    words = ["v2", str(since), str(until), segment, journal, identity(definitions), boot]
    words += [zone_identity(), layout]
    if polls or away:
        words.append(identity(f"{home}/polls") if polls else "-")
    words += [*([identity(f"{home}/executors.look")] if away else []), ".\n"]
    return " ".join(words)
