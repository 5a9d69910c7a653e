"""Views: the files that follow from the journal, and how they are brought up to date.

Applying knows no record types: an object is written, `true` is an empty file, `null` is no file.
It is idempotent, and the same code for a commit, for healing after a crash and for a rebuild.

The agenda is empty files by hour and minute; a pass lists the minutes up to now and nothing else.
A marker is a hint, checked against the record behind it.
"""

from __future__ import annotations

import errno
import os
import re
from binascii import crc32
from contextlib import suppress

from cuectl.store import files, paths
from cuectl.store.journal.lines import Value, Views, sealed, unsealed
from cuectl.values.errors import StateError
from cuectl.values.records import dataclass
from cuectl.values.times import HOUR, MINUTE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cuectl.store.journal.lines import Counts
    from cuectl.values.records import Record

FOLDERS = ["cues", "open", "waiting", "keys", "alerts", "pings", "sources", "fanin"]
FOLDERS += ["sessions", "queues", "revised", "config", "workflows", "executors"]
_OURS_ALONE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR)
_PATH = re.compile(
    rf"(?:{'|'.join(FOLDERS)})/[A-Za-z0-9_][A-Za-z0-9_.@%+=-]{{0,199}}"
    r"|due/\d{1,9}/\d\d/\d{1,16}\.[a-z]+\.[A-Za-z0-9_.@%+=-]{1,180}",
    re.ASCII,
)


class BadView(StateError):
    """A view that is there and is not what was written."""

    def __init__(self, path: str, reason: str) -> None:
        hint = "fix it: cuectl fsck --rebuild"
        super().__init__(f"'{path}' is damaged: {reason}", hint=hint)
        self.path = path
        self.reason = reason


def check_path(path: str) -> str:
    """Return `path` if a view may have it. Raises ValueError: it leads elsewhere."""
    if not _PATH.fullmatch(path):
        raise ValueError(f"not the path of a view: {path!r}")
    return path


def read_view(home: str, path: str) -> Record | None:
    """Return the object in a view, None when there is no such file.

    Raises BadView: it can't be read, or holds no object. Raises OSError: no descriptor or memory.
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
        body, is_sealed = unsealed(raw, path)
    except ValueError as error:
        raise BadView(path, str(error)) from error
    if not is_sealed:
        raise BadView(path, "it lacks its sum")
    return body


def apply(
    home: str, views: Views, *, anew: bool = False, tally: dict[str, int] | None = None
) -> list[str]:
    """Write what `views` says; return the paths that could not be written.

    What comes and goes is added to `tally`, as `_count` does.

    Objects and markers come before the removals, so that a thing which moves is never nowhere; one
    path that fails does not keep the others (holes A18 and A27). With `anew`, every file is a fresh
    one: after a power cut, what the cache shows of an old one may not be on the disk (hole A8).
    """
    behind: list[str] = []
    there = {path for path in views if tally is not None and os.path.lexists(f"{home}/{path}")}
    write = files.replace_file if anew else files.overwrite_file
    # Renaming a marker that goes to one that comes is many times cheaper than making a file.
    going = (path for path, value in views.items() if value is None and path.startswith("due/"))
    spare = [] if anew else list(going)
    for path, value in views.items():
        if value is not None and not _put(home, path, value, spare, write):
            behind.append(path)
    buckets: set[str] = set()
    for path, value in views.items():
        if value is None and not _drop(home, path, buckets):
            behind.append(path)
    for bucket in buckets:
        _drop_empty_bucket(bucket)
    if tally is not None:
        _count(views, there, behind, tally)
    return behind


def _count(views: Views, there: set[str], behind: list[str], tally: dict[str, int]) -> None:
    for path in views.keys() - set(behind):
        if came := (views[path] is not None) - (path in there):
            place, weight = weight_of(path)
            tally[place] = tally.get(place, 0) + came * weight


def _put(
    home: str, path: str, value: Value, spare: list[str], write: Callable[[str, bytes], None]
) -> bool:
    check_path(path)
    target = f"{home}/{path}"
    try:
        if isinstance(value, dict):
            write(target, sealed(value, path))
        else:
            _put_marker(home, target, spare)
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


@dataclass(frozen=True, slots=True, order=True)
class Marker:
    """One place in the agenda: when, what kind of thing, which one."""

    at: int
    kind: str
    id: str


def due_markers(home: str, now: int, limit: int = 1 << 30) -> list[Marker]:
    """Return the markers up to `now`, oldest first; about `limit` at the most."""
    found: list[Marker] = []
    for start, folder in _minutes(home, 0, now // HOUR):
        if start > now or len(found) >= limit:
            break
        for name in files.list_directory(folder):
            at, _, rest = name.partition(".")
            kind, _, identity = rest.partition(".")
            if identity and at.isdigit() and int(at) <= now:
                found.append(Marker(int(at), kind, identity))
    found.sort()
    return found


def drop_stale(home: str, markers: list[Marker]) -> None:
    """Take away markers behind which nothing stands: leftovers of a power cut (hole A27)."""
    for marker in markers:
        files.remove_file(f"{home}/{paths.marker(marker.at, marker.kind, marker.id)}")


def next_marker_at(home: str, after: int) -> int | None:
    """Return the time of the earliest marker later than `after`, None where there is none."""
    for start, folder in _minutes(home, after // HOUR, None):
        if start + MINUTE > after:
            names = files.list_directory(folder)
            times = [int(at) for name in names if (at := name.partition(".")[0]).isdigit()]
            if later := [at for at in times if at > after]:
                return min(later)
    return None


def _minutes(home: str, first_hour: int, last_hour: int | None) -> Iterator[tuple[int, str]]:
    """Yield when the minutes of some hours begin, and their folders."""
    for hour in _numbers(f"{home}/due"):
        if first_hour <= hour and (last_hour is None or hour <= last_hour):
            for minute in _numbers(f"{home}/due/{hour}"):
                yield (hour * 60 + minute) * MINUTE, f"{home}/due/{hour}/{minute:02d}"


def _numbers(directory: str) -> list[int]:
    return sorted(int(name) for name in files.list_directory(directory) if name.isdigit())


# What should be there: `applied` says for each folder of views, for each hour of the agenda and for
# the journal's segments how many there are, and which, in one number; for a folder also how it
# looked then, so that it need not be listed while it looks the same.

JOURNAL = "journal"
# Within a tick of the kernel's clock a folder may change twice and look the same.
_TICK_NS = 50_000_000


def weight_of(path: str) -> tuple[str, int]:
    """Return where a view counts: its folder, or its hour of the agenda; and how much."""
    parts = path.split("/")
    place, name = "/".join(parts[: len(parts) // 2]), parts[-1]
    return place, weight(name) if place not in FOLDERS or name.endswith(".json") else 0


def weight(name: str) -> int:
    """Return what one name adds: one, and what tells it from others."""
    return (1 << 40) + crc32(name.encode())


def total(home: str, place: str) -> int:
    """Count what is in a place now."""
    return sum(map(weight, _names(home, place)))


def _names(home: str, place: str) -> Iterable[str]:
    names = files.list_directory(f"{home}/{place}")
    if place == JOURNAL:
        stems = {name.partition(".")[0] for name in names if name[-1] != "~"}
        return [stem for stem in stems if stem.removeprefix("base-").isdigit()]
    if place in FOLDERS:
        return [name for name in names if name.endswith(".json")]
    minutes = [files.list_directory(f"{home}/{place}/{minute}") for minute in names]
    return [name for listed in minutes for name in listed if name[-1] != "~"]


def look(home: str, place: str) -> str:
    """Return what changes when names in a folder come or go; '' for what is always listed."""
    if place not in FOLDERS:
        return ""
    try:
        found = os.stat(f"{home}/{place}", follow_symlinks=False)
    except FileNotFoundError:
        return "-"
    return f"{found.st_ino}:{found.st_mtime_ns}"


def records(home: str) -> Iterator[str]:
    """Yield the paths of what looks like records, which nobody writes without a journal."""
    for folder in FOLDERS:
        for name in _names(home, folder):
            if os.path.isfile(f"{home}/{folder}/{name}"):
                yield f"{folder}/{name}"


def seal_all(home: str) -> None:
    """Give their sums to the views of the first version, which has written none."""
    for path in records(home):
        # What is damaged is reported, and mended, by whoever reads it.
        with suppress(OSError, ValueError):
            record, is_sealed = unsealed(files.read_file(f"{home}/{path}") or b"", path)
            if not is_sealed:
                files.overwrite_file(f"{home}/{path}", sealed(record, path))


def count_all(home: str) -> Counts:
    """Count everything, for a home that has no counts, or whose counts have been looked into."""
    hours = [f"due/{name}" for name in files.list_directory(f"{home}/due")]
    places = [JOURNAL, *FOLDERS, *hours]
    return {place: (total(home, place), look(home, place)) for place in places}


def moved(before: Counts, tally: dict[str, int]) -> Counts:
    """Return the counts after what `tally` says has come and gone."""
    after = before | {
        place: (before.get(place, (0, ""))[0] + number, "") for place, number in tally.items()
    }
    return {place: one for place, one in after.items() if one[0] or place in FOLDERS}


def verified(home: str, counts: Counts, last_hour: int | None = None) -> Counts | None:
    """Return the counts if they are right, with how the folders look; None: something differs.

    Of the agenda, the hours up to `last_hour` are counted, all of them where it is None.
    """
    after = dict(counts)
    written_ns = os.stat(f"{home}/journal/applied").st_mtime_ns
    for place, (number, seen) in counts.items():
        if last_hour is not None and place.startswith("due/") and int(place[4:]) > last_hour:
            continue
        looks = look(home, place)
        is_old = int(looks.partition(":")[2] or 0) < written_ns - _TICK_NS
        if looks and looks == seen and is_old:
            continue
        if total(home, place) != number:
            return None
        after[place] = (number, looks)
    return after
