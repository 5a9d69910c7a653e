"""`task.pending`: files with open tasks whose content has changed since the last look.

The first sight of a file only remembers it. What was not touched is not read again.
"""

from __future__ import annotations

import os
import time

from cuectl.engine.sources.directory_walk import Walk, facts_of, is_file, racy_ns
from cuectl.model.file_changes import file_data
from cuectl.model.source_look import Happening, Seen
from cuectl.model.watch import Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cuectl.engine.sources import Ask

    Record = dict[str, Any]

# A file's facts, and the sum of its content.
Known = tuple[str, str]

MOST_NEWS = 1_000
LARGEST = 16 << 20
_SKIPPED = frozenset({"node_modules", ".git", ".next"})
_YOUNG = "?"
_REST_S = 0.025
_MOST_GONE = 1_000


def poll(ask: Ask) -> Seen:
    """Look at the files, and tell those that have changed and have open tasks."""
    of = {"root": ask.root, "watch": ask.trigger["watch"]}
    same = ask.memory is not None and ask.memory.get("of") == of
    before: dict[str, list[str]] = ask.memory["files"] if ask.memory and same else {}
    walk = Walk(
        top=ask.root,
        watch=Watch(pattern=ask.trigger["watch"]),
        follows=False,
        excluded=ask.home,
        deadline_s=ask.deadline_s,
        skipped=_SKIPPED,
    )
    after: dict[str, list[str]] = {}
    told: list[Happening] = []
    problems: list[str] = []
    news, more = not same, False
    for path, found in _files(walk):
        known = before.get(path)
        facts = _facts(found)
        if known is not None and known[0] == facts != _YOUNG:
            after[path] = known
            continue
        if len(told) >= MOST_NEWS:
            more = True
            if known is not None:
                after[path] = known
            continue
        text = _text(f"{ask.root}/{path}", found.st_size, problems)
        if text is None:
            if known is not None:
                after[path] = known
            continue
        digest = _sum(text)
        after[path] = [facts, digest]
        if known is None:
            news = True
        elif known[1] != digest:
            news = True
            told += _happenings(f"{ask.root}/{path}", text)
    if news:
        _look_again(ask.root, after, problems)
        gone = [path for path in before if path not in after]
        # What is away for a moment, while an editor writes it, is not seen for the first time.
        after |= {path: before[path] for path in gone[:_MOST_GONE]}
    problems += walk.unread.values()
    return Seen(
        happenings=tuple(told),
        memory={"of": of, "files": after} if news else None,
        problem=problems[0] if problems else None,
        more=more,
    )


def _files(walk: Walk) -> list[tuple[str, os.stat_result]]:
    found: list[tuple[str, os.stat_result]] = []
    for directory, entries in walk.directories():
        below = f"{directory}/" if directory else ""
        for entry in entries:
            try:
                facts = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if is_file(facts):
                found.append((below + entry.name, facts))
    return sorted(found, key=lambda one: one[0])


def _facts(found: os.stat_result) -> str:
    """Return the facts of a file; of one so young that it may change behind them, a mark."""
    young = max(found.st_mtime_ns, found.st_ctime_ns)
    step = racy_ns(young)
    return _YOUNG if -step < time.time_ns() - young < step else facts_of(found)


def _look_again(root: str, after: dict[str, list[str]], problems: list[str]) -> None:
    """Read files that were too young once more, when their times tell them from a later change.

    What has changed in between keeps its mark, and is read at the next poll.
    """
    young = [path for path, known in after.items() if known[0] == _YOUNG]
    if not young:
        return
    # Nothing tells when the clock of the files has gone on but time itself.
    time.sleep(_REST_S)  # noqa: TID251
    for path in young:
        try:
            facts = _facts(os.stat(f"{root}/{path}", follow_symlinks=False))
        except OSError:
            continue
        text = _text(f"{root}/{path}", 0, problems)
        if text is not None and _sum(text) == after[path][1]:
            after[path] = [facts, after[path][1]]


def _text(path: str, size: int, problems: list[str]) -> bytes | None:
    if size > LARGEST:
        problems.append(f"'{path}' is too large to look for tasks in it")
        return None
    try:
        with open(path, "rb") as file:
            return file.read(LARGEST + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        problems.append(f"can't read '{path}': {(error.strerror or '').lower()}")
        return None


def _sum(text: bytes) -> str:
    import hashlib

    return hashlib.sha256(text).hexdigest()[:32]


def _happenings(path: str, content: bytes) -> list[Happening]:
    from cuectl.model.open_tasks import open_tasks, task_data

    text = content.decode("utf-8", "replace")
    tasks = open_tasks(text)
    if not tasks:
        return []
    return [Happening(data=file_data(path) | task_data(text, tasks), subject=path)]
