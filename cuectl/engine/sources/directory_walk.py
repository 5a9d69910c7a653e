"""Walking a tree with scandir and stat, as far as a glob asks for it.

The store has its own files; what is walked here belongs to the user, and nothing is written.
Symbolic links are followed as far as they stay below the top; a link in a directory that was
itself reached by a link is not, so a loop ends.
"""

from __future__ import annotations

import os
import stat
import time

from cuectl.engine.sources import SourceError
from cuectl.model.values import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cuectl.model.watch import States, Watch

_DEEPEST = 200
# The clock of files moves in steps: of a tick of the system, or of two seconds on old ones.
_TICK_NS = 20_000_000
_COARSE_NS = 2_000_000_000


@dataclass(slots=True, kw_only=True)
class Walk:
    """One walk over a tree.

    Attributes:
        top: absolute.
        follows: symbolic links are looked through.
        skipped: names of directories that are never entered.
        excluded: an absolute path that is never entered: the state directory.
        deadline_s: when it must be over, on the monotonic clock.
        unread: directories that could not be read, relative, and why.
    """

    top: str
    watch: Watch
    follows: bool
    excluded: str
    deadline_s: float
    skipped: frozenset[str] = frozenset()
    unread: dict[str, str] = field(default_factory=dict)
    _real_top: str = ""

    def directories(self) -> Iterator[tuple[str, list[os.DirEntry[str]]]]:
        """Yield each directory, relative, with the entries that are or may be matching files.

        Raises:
            SourceError: the top is not there, or the walk takes too long.
        """
        stack: list[tuple[str, str, States | None, bool]] = [
            (self.top, "", self.watch.start(), False)
        ]
        while stack:
            if time.monotonic() > self.deadline_s:
                raise SourceError(f"looking through '{self.top}' takes too long")
            path, relative, states, linked = stack.pop()
            wanted = self.watch.file_test(states, relative)
            yield relative, self._listed(path, relative, states, linked, wanted, stack)

    def _listed(
        self,
        path: str,
        relative: str,
        states: States | None,
        linked: bool,
        wanted: Callable[[str], bool] | None,
        stack: list[tuple[str, str, States | None, bool]],
    ) -> list[os.DirEntry[str]]:
        found: list[os.DirEntry[str]] = []
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    if entry.is_symlink():
                        if self._leads_out(entry, linked=linked):
                            continue
                        is_directory, through = entry.is_dir(), True
                    else:
                        is_directory, through = entry.is_dir(follow_symlinks=False), linked
                    if is_directory:
                        self._push(entry, relative, states, through, stack)
                    elif wanted is None or wanted(entry.name):
                        found.append(entry)
        except OSError as error:
            self._not_read(path, relative, error)
        return found

    def _not_read(self, path: str, relative: str, error: OSError) -> None:
        if not relative:
            raise SourceError(f"can't look into '{path}': {_why(error)}") from error
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            self.unread[relative] = f"can't look into '{path}': {_why(error)}"

    def _leads_out(self, entry: os.DirEntry[str], *, linked: bool) -> bool:
        if not self.follows or linked:
            return True
        try:
            real = os.path.realpath(entry.path, strict=True)
        except OSError:
            return True
        self._real_top = self._real_top or os.path.realpath(self.top)
        return real != self._real_top and not real.startswith(f"{self._real_top.rstrip('/')}/")

    def _is_excluded(self, entry: os.DirEntry[str]) -> bool:
        # Whoever comes by another way still finds the directory under its own name.
        if entry.name != os.path.basename(self.excluded) and not entry.is_symlink():
            return False
        try:
            return os.path.samefile(entry.path, self.excluded)
        except OSError:
            return False

    def _push(
        self,
        entry: os.DirEntry[str],
        relative: str,
        states: States | None,
        linked: bool,
        stack: list[tuple[str, str, States | None, bool]],
    ) -> None:
        name = entry.name
        if name in self.skipped or self._is_excluded(entry):
            return
        below = f"{relative}/{name}" if relative else name
        after = self.watch.enter(states, name)
        if after is not None and not after:
            return
        if below.count("/") >= _DEEPEST:
            self.unread[below] = f"'{entry.path}' lies too deep"
            return
        stack.append((entry.path, below, after, linked))


def facts_of(found: os.stat_result) -> str:
    """Return what tells a file from what it was: time, size, time of the inode, attributes."""
    mode, _, _, links, uid, gid, size, _, _, _ = found
    times = f"{found.st_mtime_ns}/{size}/{found.st_ctime_ns}"
    return f"{times}/{mode:o}.{links}.{uid}.{gid}"


def racy_ns(time_ns: int) -> int:
    """Return for how long after a time of a file another change may get the same."""
    return _COARSE_NS if time_ns % 1_000_000_000 == 0 else _TICK_NS


def is_file(found: os.stat_result) -> bool:
    """Tell whether it is a regular file."""
    return stat.S_ISREG(found.st_mode)


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
