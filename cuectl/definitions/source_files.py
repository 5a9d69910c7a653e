"""Definition files as they lie on the disk, and the views that hold them compiled."""

from __future__ import annotations

import os
import shlex
import stat

from cuectl.store import files
from cuectl.store.idle import identity, identity_of
from cuectl.store.views import BadView
from cuectl.values.errors import InvalidFile, NotFound, StateError
from cuectl.values.records import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.store.reading import ViewReader
    from cuectl.values.records import Record

LARGEST = 1_048_576 + 3
FOLDER = "config"
HOME_VIEW = "config/home.json"
ABSENT = "-"
APPLIED, HOME = "applied", "home"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A definition file that was read: `path` is absolute, `shown` is as the user named it.

    Attributes:
        identity: as `idle.identity` writes it.
        mtime_ms: when it was written, by the machine's clock.
    """

    path: str
    shown: str
    data: bytes
    sha256: str
    identity: str
    mtime_ms: int


def read_source(path: str) -> SourceFile:
    """Return a definition file, symbolic links followed. Raises NotFound, InvalidFile."""
    import hashlib

    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode):
                raise InvalidFile("it is not a plain file", path=path)
            if found.st_size > LARGEST:
                raise InvalidFile("the file is larger than 1 MB", path=path)
            check_trusted(path, found)
            data = files.read_all(fd, found.st_size + 1)
        finally:
            os.close(fd)
    except FileNotFoundError:
        raise NotFound(f"there is no file '{path}'") from None
    except OSError as error:
        why = (error.strerror or "").lower()
        raise InvalidFile(f"it can't be read: {why}", path=path) from error
    return SourceFile(
        path=os.path.abspath(path),
        shown=path,
        data=data,
        sha256=hashlib.sha256(data).hexdigest(),
        identity=identity_of(found),
        mtime_ms=found.st_mtime_ns // 1_000_000,
    )


def check_trusted(path: str, found: os.stat_result) -> None:
    """Refuse a file that says what to run, and that others may rewrite. Raises InvalidFile."""
    if found.st_mode & 0o002:
        message = "everybody may write to it, and it says what to run"
        raise InvalidFile(message, path=path, hint=f"chmod o-w {shlex.quote(path)}")
    if found.st_uid not in (0, os.geteuid()):
        message = "it belongs to another user, and it says what to run"
        hint = f"read it, then make it yours: sudo chown {os.geteuid()} {shlex.quote(path)}"
        raise InvalidFile(message, path=path, hint=hint)


def _is_changed(record: Record) -> bool:
    """Tell whether an applied file is not what it was when it was taken over."""
    path, sha256 = str(record["path"]), str(record["sha256"])
    if identity(path) == record["identity"]:
        return False
    try:
        return read_source(path).sha256 != sha256
    except (NotFound, InvalidFile):
        return True


def home_path(home: str) -> str:
    """Return where the user's own definitions are."""
    return f"{home}/cue.yaml"


def view_of(path: str) -> str:
    """Return the view of an applied file, which is known by its absolute path."""
    import hashlib

    return f"{FOLDER}/{hashlib.sha256(os.fsencode(path)).hexdigest()[:24]}.json"


def own_file_is_new(records: list[Record], home: str) -> bool:
    """Tell whether the user's own file is there and no pass has looked at it as it is now."""
    own = next((one for one in records if one["kind"] == HOME), {"identity": ABSENT})
    now = identity(home_path(home))
    return now != ABSENT and (now != own["identity"] or bool(changed_calendars(own)))


def changed_calendars(record: Record) -> list[str]:
    """Return the calendar files that are not what they were when a file was taken over."""
    seen: dict[str, str] = record.get("calendar_files", {})
    return [path for path, was in seen.items() if identity(path) != was]


def config_records(source: ViewReader) -> list[Record]:
    """Return what was taken over, by path, the user's own file last. Raises StateError."""
    records: list[Record] = []
    for name in source.names(FOLDER):
        try:
            record = source.read(f"{FOLDER}/{name}")
        except BadView as error:
            message = f"the definitions in '{FOLDER}/{name}' are damaged"
            raise StateError(message, hint="fix them: cuectl fsck --rebuild") from error
        if record is not None:
            records.append(record)
    return sorted(records, key=lambda record: (record["kind"] == HOME, record["path"]))


CALENDAR_YEARS = 10  # for which the days of calendars are worked out, after the one they were in


def calendars_end(source: ViewReader) -> dict[str, int]:
    """Return applied file to the last year whose holidays and repeated events it knows.

    Those of the user's own file are worked out again each year.
    """
    return {
        one["path"]: one["calendar_year"] + CALENDAR_YEARS
        for one in config_records(source)
        if one["kind"] == APPLIED and "calendar_year" in one and _has_years(one)
    }


def _has_years(record: Record) -> bool:
    calendars = record["definitions"].get("calendars", {}).values()
    return any(one.get("country") or one.get("ics") for one in calendars)


def drifted(source: ViewReader) -> list[str]:
    """Return the applied files that are not what they were when they were taken over."""
    applied = [one for one in config_records(source) if one["kind"] == APPLIED]
    found = [one["path"] for one in applied if _is_changed(one)]
    return [*found, *(path for one in applied for path in changed_calendars(one))]
