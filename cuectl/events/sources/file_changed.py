"""`file.changed`: files below a directory that came, changed or went since the last look.

A change is reported when the file has come to rest (five seconds, as with the peer); the pass waits
for that, up to twice as long. The first look only remembers. A file so young that another change
could hide behind its times is looked at again. Symbolic links are followed as long as they stay
below the top, but not in a directory reached by a link, so a loop ends.
"""

from __future__ import annotations

import os
import stat
import time

from cuectl.events.rules.event import Happening, Seen
from cuectl.events.rules.file_changes import (
    ENTRY_MARK,
    ChangeKind,
    Watch,
    changes_between,
    entries_of,
    file_data,
    merged,
    text_of,
)
from cuectl.events.sources.registry import SourceError
from cuectl.values.records import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.events.rules.file_changes import FileChange, States, Texts
    from cuectl.events.sources.registry import PollRequest
    from cuectl.values.records import Record

    # Its path, the same relative to the top, where the glob stands, and whether a link led there.
    _Directory = tuple[str, str, States | None, bool]

REST_NS = 5_000_000_000
MOST_NEWS = 1_000
_DEEPEST = 200
_LOOKS_AGAIN = 3
# The clock of files moves in steps: of a tick of the system, or of two seconds on old ones.
_TICK_NS = 20_000_000
_COARSE_NS = 2_000_000_000


@dataclass(slots=True, kw_only=True)
class Walk:
    """One walk over a tree."""

    top: str  # absolute
    watch: Watch
    follows: bool  # symbolic links are looked through
    excluded: str  # the state directory, absolute, which is never entered
    deadline_s: float  # on the monotonic clock
    skipped: frozenset[str] = frozenset()  # names of directories that are never entered
    unread: dict[str, str] = field(default_factory=dict)  # relative, and why
    _real_top: str = ""
    _stack: list[_Directory] = field(default_factory=list)

    def directories(self) -> Iterator[tuple[str, list[os.DirEntry[str]]]]:
        """Yield each directory, relative, and what may match there. Raises SourceError."""
        self._stack = [(self.top, "", self.watch.start(), False)]
        while self._stack:
            if time.monotonic() > self.deadline_s:
                raise SourceError(f"looking through '{self.top}' takes too long")
            directory = self._stack.pop()
            yield directory[1], self._listed(directory)

    def _listed(self, directory: _Directory) -> list[os.DirEntry[str]]:
        path, relative, states, linked = directory
        wanted = self.watch.file_test(states, relative)
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
                        self._push(entry, relative, states, through)
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
        # Another way to the directory still ends in its own name.
        if entry.name != os.path.basename(self.excluded) and not entry.is_symlink():
            return False
        try:
            return os.path.samefile(entry.path, self.excluded)
        except OSError:
            return False

    def _push(
        self, entry: os.DirEntry[str], relative: str, states: States | None, linked: bool
    ) -> None:
        name = entry.name
        if name in self.skipped or self._is_excluded(entry):
            return
        below = f"{relative}/{name}" if relative else name
        after = self.watch.enter(states, name)
        if after is not None and not after:
            return
        if below.count("/") < _DEEPEST:
            self._stack.append((entry.path, below, after, linked))
        else:
            self.unread[below] = f"'{entry.path}' lies too deep"


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


@dataclass(slots=True)
class TreeLook:
    """What one walk has found: the facts of files by directory, and the times of young ones."""

    texts: Texts = field(default_factory=dict)
    young: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)


def poll(ask: PollRequest) -> Seen:
    """Look at the tree, and tell what has changed since what is remembered."""
    of = {"root": ask.root, "watch": ask.trigger["watch"]}
    before: Texts | None = None
    if ask.memory is not None and ask.memory.get("of") == of:
        before = ask.memory["files"]
    walk = Walk(
        top=ask.root,
        watch=Watch(pattern=ask.trigger["watch"], hidden=True),
        follows=True,
        excluded=ask.home,
        deadline_s=ask.deadline_s,
    )
    look = scan(walk, ask.machine_ns)
    if before is None:
        _look_again_at_racy(walk, look)
        files = {directory: text for directory, text in look.texts.items() if text}
        return Seen(memory={"of": of, "files": files}, problem=_problem(walk))
    if all(before.get(one, "") == text for one, text in look.texts.items()) and (
        len(before) == sum(map(bool, look.texts.values()))
    ):
        return Seen(problem=_problem(walk))
    return _told(ask, walk, before, look, of)


def scan(walk: Walk, machine_ns: int) -> TreeLook:
    """Walk over the tree once."""
    look = TreeLook()
    horizon = machine_ns - REST_NS
    for directory, entries in walk.directories():
        lines: list[str] = []
        for entry in entries:
            try:
                found = entry.stat()
            except OSError:
                continue
            if not is_file(found):
                continue
            lines.append(f"{entry.name}/{facts_of(found)}")
            if found.st_ctime_ns > horizon or found.st_mtime_ns > horizon:
                look.young[directory, entry.name] = (found.st_mtime_ns, found.st_ctime_ns)
        look.texts[directory] = ENTRY_MARK.join(lines)
    return look


def _told(ask: PollRequest, walk: Walk, before: Texts, look: TreeLook, of: Record) -> Seen:
    changes = changes_between(before, look.texts, walk.unread)
    waits = {} if ask.in_haste else _waits(ask, look, changes)
    settled = [one for one in changes if one not in waits]
    news, late = ask.news(), settled[MOST_NEWS:]
    chosen = {one for one in settled[:MOST_NEWS] if news.tell(_happening(ask.root, one))}
    if ask.in_haste and chosen:
        _look_again_at_racy(walk, look)
    after = merged(before, look.texts, [one for one in changes if one not in chosen], walk.unread)
    return news.seen(
        {"of": of, "files": after} if chosen or after != before else None,
        problem=_problem(walk),
        rests_in_s=max(waits.values()) / 1e9 if waits else None,
        more=bool(late),
    )


def _waits(ask: PollRequest, look: TreeLook, changes: list[FileChange]) -> dict[FileChange, int]:
    """Return the changes that have not come to rest, with the nanoseconds until they have."""
    # A file rests when it was left alone for a while; one that is gone, when its directory was.
    waits: dict[FileChange, int] = {}
    for one in changes:
        if one.kind is ChangeKind.UNLINK:
            mtime_ns = _directory_time(f"{ask.root}/{one.directory}", ask.root)
        else:
            times = look.young.get((one.directory, one.name))
            mtime_ns = times[0] if times else 0
        age_ns = ask.machine_ns - mtime_ns
        if -REST_NS < age_ns < REST_NS:
            waits[one] = REST_NS - max(age_ns, 0)
    return waits


def _directory_time(path: str, top: str) -> int:
    while True:
        try:
            return os.stat(path).st_mtime_ns
        except OSError:
            if path == top or len(path) <= len(top):
                return 0
            path = os.path.dirname(path)


def _happening(root: str, change: FileChange) -> Happening:
    below = f"{change.directory}/{change.name}" if change.directory else change.name
    path = f"{root.rstrip('/')}/{below}"
    return Happening(data=file_data(path) | {"changeType": change.kind.value}, subject=path)


def _look_again_at_racy(walk: Walk, look: TreeLook) -> None:
    """Take the facts of files again until no later change can have the same times."""
    for _ in range(_LOOKS_AGAIN):
        now = time.time_ns()
        steps = {key: racy_ns(max(times)) for key, times in look.young.items()}
        racy = [key for key, step in steps.items() if 0 <= now - max(look.young[key]) < step]
        if not racy:
            return
        # Only time itself tells when the clock of the files has moved.
        time.sleep(max(steps[key] for key in racy) / 1e9)  # noqa: TID251
        for key in racy:
            _take_again(walk, look, *key)


def _take_again(walk: Walk, look: TreeLook, directory: str, name: str) -> None:
    entries = entries_of(look.texts[directory])
    try:
        found = os.stat(os.path.join(walk.top, directory, name))
    except OSError:
        entries.pop(name, None)
        look.young.pop((directory, name))
    else:
        entries[name] = facts_of(found)
        look.young[directory, name] = (found.st_mtime_ns, found.st_ctime_ns)
    look.texts[directory] = text_of(entries)


def _problem(walk: Walk) -> str | None:
    if not walk.unread:
        return None
    first = next(iter(walk.unread.values()))
    return first if len(walk.unread) == 1 else f"{first}, and {len(walk.unread) - 1} more"
