"""`file.changed`: files below a directory that came, changed or went since the last look.

A change is told when the file has come to rest (five seconds, as with the peer); the pass
waits for that, up to twice as long. The first look only remembers. A file whose times are so
young that another change could hide behind them is looked at again (racy timestamps).
"""

from __future__ import annotations

import os
import time

from cuectl.engine.sources.directory_walk import Walk, facts_of, is_file, racy_ns
from cuectl.model.file_changes import (
    ENTRY_MARK,
    ChangeKind,
    changes_between,
    entries_of,
    file_data,
    merged,
    text_of,
)
from cuectl.model.source_look import Happening, Seen
from cuectl.model.values import dataclass, field
from cuectl.model.watch import Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cuectl.engine.sources import Ask
    from cuectl.model.file_changes import Change, Texts

    Record = dict[str, Any]


REST_NS = 5_000_000_000
MOST_NEWS = 1_000
_LOOKS_AGAIN = 3


@dataclass(slots=True)
class Look:
    """What one walk has found.

    Attributes:
        texts: directory to the facts of its files.
        young: directory and name of files that were changed a moment ago, to their times.
    """

    texts: Texts = field(default_factory=dict)
    young: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)


def poll(ask: Ask) -> Seen:
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
        return Seen(memory={"of": of, "files": _kept(look.texts)}, problem=_problem(walk))
    if all(before.get(one, "") == text for one, text in look.texts.items()) and (
        len(before) == sum(map(bool, look.texts.values()))
    ):
        return Seen(problem=_problem(walk))
    return _told(ask, walk, before, look, of)


def scan(walk: Walk, machine_ns: int) -> Look:
    """Walk over the tree once."""
    look = Look()
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


def _told(ask: Ask, walk: Walk, before: Texts, look: Look, of: Record) -> Seen:
    changes = changes_between(before, look.texts, walk.unread)
    waits = {} if ask.in_haste else _waits(ask, look, changes)
    settled = [one for one in changes if one not in waits]
    told, late = settled[:MOST_NEWS], settled[MOST_NEWS:]
    if ask.in_haste and told:
        _look_again_at_racy(walk, look)
    chosen = set(told)
    after = merged(before, look.texts, [one for one in changes if one not in chosen], walk.unread)
    happenings = tuple(_happening(ask.root, one) for one in told)
    return Seen(
        happenings=happenings,
        memory={"of": of, "files": after} if told or after != before else None,
        problem=_problem(walk),
        rests_in_s=max(waits.values()) / 1e9 if waits else None,
        more=bool(late),
    )


def _waits(ask: Ask, look: Look, changes: list[Change]) -> dict[Change, int]:
    """Return the changes that have not come to rest, and how long that takes in nanoseconds.

    A file rests when it was left alone for a while; one that is gone, when its directory was.
    """
    waits: dict[Change, int] = {}
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


def _happening(root: str, change: Change) -> Happening:
    below = f"{change.directory}/{change.name}" if change.directory else change.name
    path = f"{root.rstrip('/')}/{below}"
    return Happening(data=file_data(path) | {"changeType": change.kind.value}, subject=path)


def _look_again_at_racy(walk: Walk, look: Look) -> None:
    """Take the facts of files anew until no later change can have the same times."""
    for _ in range(_LOOKS_AGAIN):
        now = time.time_ns()
        racy = [key for key, times in look.young.items() if 0 <= now - max(times) < _step(times)]
        if not racy:
            return
        # Nothing tells when the clock of the files has gone on but time itself.
        time.sleep(max(_step(look.young[key]) for key in racy) / 1e9)  # noqa: TID251
        for key in racy:
            _take_again(walk, look, *key)


def _step(times: tuple[int, int]) -> int:
    return racy_ns(max(times))


def _take_again(walk: Walk, look: Look, directory: str, name: str) -> None:
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


def _kept(texts: Texts) -> Texts:
    return {directory: text for directory, text in texts.items() if text}


def _problem(walk: Walk) -> str | None:
    if not walk.unread:
        return None
    first = next(iter(walk.unread.values()))
    return first if len(walk.unread) == 1 else f"{first}, and {len(walk.unread) - 1} more"
