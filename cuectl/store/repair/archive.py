"""A state directory in one file, and back: gzipped tar of everything that is not of a moment.

What the journal says is taken with the store lock held, so it is of one instant. Outputs come
after it, without the lock: records that are already in the file name them.
"""

from __future__ import annotations

import io
import os
import stat
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

from cuectl.store import files, home
from cuectl.store.journal.check import ERROR
from cuectl.store.repair import fsck
from cuectl.store.store import Store
from cuectl.values.errors import Conflict, InvalidFile

if TYPE_CHECKING:
    import tarfile
    from collections.abc import Callable, Iterator

_LEVEL = 6
_LARGEST_FILE = 1 << 36
_LATER = ("runs", "payloads")
_OF_A_MOMENT = frozenset(
    {"lock", "last-pass", "next", "passes", "bin", "scheduler-environment", "watch"}
)
_TOP = "cue"


def write_archive(store: Store, target: str, now: int) -> tuple[int, int]:
    """Write the state directory into a new file; return its files and its bytes.

    Raises Conflict: there is one. Raises StateError: damage. Raises OSError: no file is left.
    """
    if os.path.lexists(target):
        raise Conflict(f"'{target}' exists", hint="choose another name, or move it away")
    with _appearing(target) as file:
        count = _write(store, file, now)
    return count, os.stat(target).st_size


@contextmanager
def _appearing(target: str) -> Iterator[IO[bytes]]:
    """Give a file that gets its name, durably, when all is written."""
    temporary = f"{target}.{os.getpid()}~"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, target)
        except FileExistsError:
            raise Conflict(f"'{target}' exists", hint="choose another name") from None
        except OSError:
            # A file system without links, on which a name can't be taken twice either way.
            os.rename(temporary, target)
    finally:
        if os.path.lexists(temporary):
            os.unlink(temporary)
    home.sync_parent(target)


def _write(store: Store, file: IO[bytes], now: int) -> int:
    import gzip
    import tarfile

    count = 0
    with (
        gzip.GzipFile("", "wb", _LEVEL, file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        with store.locked():
            store.journal.sync()
            store.flush()
            for path in _files(store.home, ""):
                if path.split("/")[0] not in _LATER:
                    count += _add(tar, store.home, path, now)
        for folder in _LATER:
            for path in _files(store.home, folder):
                count += _add(tar, store.home, path, now)
    return count


def _files(base: str, below: str) -> Iterator[str]:
    """Yield the paths of what is to be kept, in a fixed order."""
    for name in sorted(files.list_directory(f"{base}/{below}")):
        path = f"{below}/{name}" if below else name
        if name[-1] == "~" or path in _OF_A_MOMENT or path.endswith(".lock"):
            continue
        try:
            found = os.lstat(f"{base}/{path}")
        except FileNotFoundError:
            continue
        if stat.S_ISDIR(found.st_mode):
            yield from _files(base, path)
        elif stat.S_ISREG(found.st_mode):
            yield path


def _add(tar: tarfile.TarFile, base: str, path: str, now: int) -> int:
    import tarfile

    # `gc` may remove an output meanwhile.
    with suppress(FileNotFoundError), files.opened(f"{base}/{path}") as fd:
        found = os.fstat(fd)
        member = tarfile.TarInfo(f"{_TOP}/{path}")
        # An output that still grows is taken as long as it is now.
        member.size, member.mode = found.st_size, 0o600
        member.mtime = min(int(found.st_mtime), now // 1000)
        with open(fd, "rb", closefd=False) as file:
            tar.addfile(member, file)
        return 1
    return 0


def read_archive(source: str, target: str, adapt: Callable[[Store], None]) -> int:
    """Make a state directory of a file that `write_archive` wrote; return how many files.

    It appears under its name in one step, checked, or not at all. Before it does, `adapt` changes
    what is different at its new place.

    Raises Conflict: there is something at `target`. Raises Refused: the place is not safe.
    Raises InvalidFile: it is no such file, or damaged. Raises StateError: it has a newer format.
    """
    import shutil

    if os.path.lexists(target):
        raise Conflict(f"'{target}' exists", hint="choose another place: cuectl --home DIR import")
    temporary = f"{target}.import-{os.getpid()}~"
    try:
        home.make(temporary)
        count = _extract(source, temporary)
        home.check(temporary)
        for one in fsck.check(Store(temporary)).findings:
            if one.level == ERROR:
                words = f"what it holds is damaged: '{one.subject}': {one.message}"
                raise InvalidFile(words, path=source)
        adapt(Store(temporary))
        _sync_all(temporary)
        try:
            os.rename(temporary, target)
        except OSError as error:
            if os.path.lexists(target):
                raise Conflict(f"'{target}' exists") from error
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    home.sync_parent(target)
    return count


def _extract(source: str, target: str) -> int:
    import gzip
    import tarfile
    import zlib

    count = 0
    with open(source, "rb") as raw:
        try:
            with (
                gzip.GzipFile(fileobj=raw) as packed,
                tarfile.open(fileobj=packed, mode="r|") as tar,
            ):
                for member in tar:
                    _take(tar, member, source, target)
                    count += 1
                # Behind the last member stands the sum of everything.
                while packed.read(1 << 20):
                    continue
        except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InvalidFile(f"it is no export, or damaged: {error}", path=source) from error
    return count


def _take(tar: tarfile.TarFile, member: tarfile.TarInfo, source: str, target: str) -> None:
    top, _, path = member.name.partition("/")
    parts = path.split("/")
    odd = any(part in ("", ".", "..") or "\0" in part for part in parts)
    if top != _TOP or odd or not member.isreg() or member.size > _LARGEST_FILE:
        raise InvalidFile(f"it is no export: it holds '{member.name[:80]}'", path=source)
    if parts[0] in _OF_A_MOMENT:
        raise InvalidFile(f"it is no export: it holds '{path}'", path=source)
    place = f"{target}/{path}"
    os.makedirs(os.path.dirname(place), mode=0o700, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_TRUNC
    content = tar.extractfile(member) or io.BytesIO()
    with os.fdopen(os.open(place, flags, 0o600), "wb") as file:
        while block := content.read(1 << 20):
            file.write(block)
    os.utime(place, (member.mtime, member.mtime))


def _sync_all(target: str) -> None:
    for folder, _, names in os.walk(target):
        for name in names:
            with files.opened(f"{folder}/{name}") as fd:
                os.fsync(fd)
        files.sync_directory(folder)
