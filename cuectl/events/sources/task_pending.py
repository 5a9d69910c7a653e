"""`task.pending`: changed files with open tasks; the first sight of one only remembers it."""

from __future__ import annotations

import os
import time

from cuectl.events.rules.event import Happening, Seen
from cuectl.events.rules.file_changes import Watch, file_data, open_tasks, task_data
from cuectl.events.sources.file_changed import Walk, facts_of, is_file, racy_ns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.events.sources.registry import PollRequest

MOST_NEWS = 1_000
LARGEST = 16 << 20
_SKIPPED = frozenset({"node_modules", ".git", ".next"})
_YOUNG = "?"
_REST_S = 0.025
_MOST_GONE = 1_000


def poll(ask: PollRequest) -> Seen:
    """Look at the files, and tell those that have changed and have open tasks."""
    of = {"root": ask.root, "watch": ask.trigger["watch"]}
    same = ask.memory is not None and ask.memory.get("of") == of
    initial = ask.trigger.get("initial") is True
    # Path to the facts of a file, and the sum of its content.
    known_root = (ask.memory or {}).get("of", {}).get("root") == ask.root
    before: dict[str, list[str]] = ask.memory["files"] if ask.memory and known_root else {}
    walk = Walk(
        top=ask.root,
        watch=Watch(pattern=ask.trigger["watch"]),
        follows=False,
        excluded=ask.home,
        deadline_s=ask.deadline_s,
        skipped=_SKIPPED,
    )
    after: dict[str, list[str]] = {}
    told = ask.news()
    problems: list[str] = []
    news, more = not same, False
    for path, entry in _files(walk):
        known = before.get(path)
        facts = _facts(entry)
        is_same = known is not None and known[0] == facts != _YOUNG
        at_limit = len(told.told) >= MOST_NEWS
        more = more or (at_limit and not is_same)
        text = None
        if not is_same and not at_limit:
            text = _text(f"{ask.root}/{path}", entry.st_size, problems)
        if text is None:
            if known is not None:
                after[path] = known
            continue
        digest = _sum(text)
        if initial if known is None else known[1] != digest:
            found = _happenings(f"{ask.root}/{path}", text)
            if not all(map(told.tell, found)):
                # It comes again at the next look.
                if known is not None:
                    after[path] = known
                continue
        after[path] = [facts, digest]
        news = news or known is None or known[1] != digest
    if news:
        _look_again(ask.root, after, problems)
        gone = [path for path in before if path not in after]
        # What is away for a moment, while an editor writes it, is not seen for the first time.
        after |= {path: before[path] for path in gone[:_MOST_GONE]}
    problems += walk.unread.values()
    return told.seen(
        {"of": of, "files": after} if news else None,
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
    """Read files that were too young once more, when their times tell them from a later change."""
    young = [path for path, known in after.items() if known[0] == _YOUNG]
    if not young:
        return
    # Only time itself tells when the clock of the files has moved.
    time.sleep(_REST_S)  # noqa: TID251
    for path in young:
        try:
            facts = _facts(os.stat(f"{root}/{path}", follow_symlinks=False))
        except OSError:
            continue
        text = _text(f"{root}/{path}", 0, problems)
        # What has changed in between keeps its mark, and is read at the next poll.
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
    text = content.decode("utf-8", "replace")
    tasks = open_tasks(text)
    if not tasks:
        return []
    return [Happening(data=file_data(path) | task_data(text, tasks), subject=path)]
