"""Files as event sources see them: what changed, what a glob watches, their open tasks; pure.

A look at a tree maps each directory to one text with everything that is known of its files:
`name/mtime/size/ctime/attributes`, joined by `//`, because no name holds a slash. Most
directories have not changed, and equal texts are compared at once. A directory that can't hold
a match is not entered where the pattern allows it. Source: reference/maestro-cue.md 2.2 and 3.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property

from cuectl.events.rules.event import CONTENT_LETTERS
from cuectl.values.records import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from cuectl.values.records import Record

Texts = dict[str, str]

ENTRY_MARK = "//"


class ChangeKind(StrEnum):
    """What happened to a file, in the words of the payload."""

    ADD = "add"
    CHANGE = "change"
    UNLINK = "unlink"


@dataclass(frozen=True, slots=True, order=True)
class FileChange:
    """One file that is not what it was; paths are relative to the top."""

    directory: str
    name: str
    kind: ChangeKind


def entries_of(text: str) -> dict[str, str]:
    """Return name to facts of the files in one directory."""
    if not text:
        return {}
    pairs = (entry.partition("/") for entry in text.split(ENTRY_MARK))
    return {name: facts for name, _, facts in pairs}


def text_of(entries: Mapping[str, str]) -> str:
    """Return the text of a directory."""
    return ENTRY_MARK.join(f"{name}/{facts}" for name, facts in entries.items())


def changes_between(before: Texts, after: Texts, unread: Collection[str] = ()) -> list[FileChange]:
    """Return what has changed, by path; below `unread` directories all is as it was."""
    found: list[FileChange] = []
    for directory, text in after.items():
        old = before.get(directory, "")
        if old != text:
            found += _in_directory(directory, entries_of(old), entries_of(text))
    for directory in before.keys() - after.keys():
        if not is_below(directory, unread):
            found += _in_directory(directory, entries_of(before[directory]), {})
    return sorted(found)


def is_below(directory: str, others: Iterable[str]) -> bool:
    """Tell whether a directory is one of the others or lies under one."""
    return any(one in (directory, "") or directory.startswith(f"{one}/") for one in others)


def _in_directory(directory: str, old: dict[str, str], new: dict[str, str]) -> list[FileChange]:
    found = [
        FileChange(directory, name, ChangeKind.CHANGE if name in old else ChangeKind.ADD)
        for name, facts in new.items()
        if name not in old or is_changed(old[name], facts)
    ]
    found += [FileChange(directory, name, ChangeKind.UNLINK) for name in old.keys() - new.keys()]
    return found


def is_changed(old: str, new: str) -> bool:
    """Tell whether the content of a file may be another one.

    A new time or size says so. The time of the last change of the inode alone says so too,
    because times can be set back; unless mode, links or owner changed with it, which moves it.
    """
    if old == new:
        return False
    mtime, size, ctime, attributes = old.split("/")
    new_mtime, new_size, new_ctime, new_attributes = new.split("/")
    if (mtime, size) != (new_mtime, new_size):
        return True
    return ctime != new_ctime and attributes == new_attributes


def merged(
    before: Texts, after: Texts, left_out: Iterable[FileChange], unread: Collection[str] = ()
) -> Texts:
    """Return the look to remember: the newer one, without the changes that are reported later."""
    whole = dict(after)
    for directory in before.keys() - after.keys():
        if is_below(directory, unread):
            whole[directory] = before[directory]
    parsed: dict[str, dict[str, str]] = {}
    for one in left_out:
        entries = parsed.setdefault(one.directory, entries_of(whole.get(one.directory, "")))
        if one.kind is ChangeKind.ADD:
            entries.pop(one.name, None)
        else:
            entries[one.name] = entries_of(before[one.directory])[one.name]
    for directory, entries in parsed.items():
        whole[directory] = text_of(entries)
    return {directory: text for directory, text in whole.items() if text}


def file_data(path: str) -> Record:
    """Return what every payload about a file says of it."""
    directory, _, name = path.rpartition("/")
    dot = name.rfind(".")
    extension = name[dot:] if name[:dot].strip(".") else ""
    return {
        "path": path,
        "filename": name,
        "directory": directory or "/",
        "extension": extension if dot > 0 else "",
    }


def open_tasks(text: str) -> list[Record]:
    """Return the tasks that are not ticked: line, counted from 1, and text."""
    import re

    # What looks like a link, `[ ](page)`, is one.
    task = re.compile(r"[ \t]*[-*+][ \t]+\[ \](?![(\[:])[ \t]*(?P<text>.*)")
    fence = re.compile(r"[ \t]*(?:[-*+][ \t]+)?(?P<mark>`{3,}(?=[^`]*$)|~{3,})(?P<info>.*)")
    inside = ""
    found: list[Record] = []
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        if mark := fence.match(line):
            if not inside:
                inside = mark["mark"]
            elif mark["mark"].startswith(inside) and not mark["info"].strip():
                inside = ""
        elif not inside and (match := task.match(line)) and (what := match["text"].strip()):
            found.append({"line": number, "text": what})
    return found


def task_data(text: str, tasks: list[Record]) -> Record:
    """Return what a payload says of the tasks of a file."""
    return {
        "taskCount": len(tasks),
        "taskList": "\n".join(f"L{one['line']}: {one['text']}" for one in tasks),
        "tasks": tasks,
        "content": text[:CONTENT_LETTERS],
    }


States = frozenset[int]

_MAGIC = frozenset("*?[{(\\!")


@dataclass(frozen=True, kw_only=True)
class Watch:
    """A glob over the files below a directory; after a `!`, all files that it does not match."""

    pattern: str
    hidden: bool = False  # names that start with a dot are like any others

    @cached_property
    def is_negated(self) -> bool:
        """Whether the pattern says what is left out."""
        return self.pattern.startswith("!") and not self.pattern.startswith("!(")

    @cached_property
    def _segments(self) -> tuple[str, ...]:
        """The segments between slashes; empty when they can't be told apart."""
        text = (self.pattern[1:] if self.is_negated else self.pattern).removeprefix("./")
        parts = tuple(part for part in text.split("/") if part)
        whole = all(_is_balanced(part) for part in parts)
        return parts if whole and not self.is_negated else ()

    @cached_property
    def _tests(self) -> tuple[Callable[[str], bool], ...]:
        return tuple(segment_test(part, hidden=self.hidden) for part in self._segments)

    @cached_property
    def _whole(self) -> Callable[[str], bool]:
        from cuectl.values.glob import glob_test

        pattern = self.pattern[1:] if self.is_negated else self.pattern
        test = glob_test(pattern, hidden=self.hidden)
        return (lambda path: not test(path)) if self.is_negated else test

    def start(self) -> States | None:
        """Return where a walk starts; None when every directory must be entered."""
        return self._closed({0}) if self._segments else None

    def enter(self, states: States | None, name: str) -> States | None:
        """Return where a walk stands below a directory; nothing in it when it is not entered."""
        is_seen = self.hidden or name[:1] != "."
        if states is None:
            return None if is_seen else frozenset()
        after: set[int] = set()
        for at in states:
            if at >= len(self._segments):
                continue
            if self._segments[at] != "**":
                after |= {at + 1} if self._tests[at](name) else set()
            elif is_seen:
                after.add(at)
        return self._closed(after)

    def _closed(self, states: set[int]) -> States:
        for at in sorted(states):
            following = at
            while following < len(self._segments) and self._segments[following] == "**":
                following += 1
                states.add(following)
        return frozenset(states)

    def file_test(self, states: States | None, directory: str) -> Callable[[str], bool] | None:
        """Return what tells which names in a directory, empty for the top, count; None for all."""
        if states is None:
            below, whole = f"{directory}/" if directory else "", self._whole
            return lambda name: whole(below + name)
        tests: list[Callable[[str], bool]] = []
        for at in sorted(states):
            rest = self._segments[at:]
            if rest == ("**",):
                if self.hidden:
                    return None
                tests.append(_is_plain)
            elif rest and rest[0] != "**" and all(one == "**" for one in rest[1:]):
                # `src/**` is `src` itself, too.
                tests.append(self._tests[at])
        if not tests:
            return _never
        if any(test is _always for test in tests):
            return None
        return tests[0] if len(tests) == 1 else lambda name: any(test(name) for test in tests)


def segment_test(pattern: str, *, hidden: bool) -> Callable[[str], bool]:
    """Return what tells whether one name is matched by one segment of a glob."""
    if not _MAGIC & set(pattern):
        return lambda name: name == pattern
    if pattern in ("*", "**"):
        return _always if hidden else _is_plain
    end = pattern[1:]
    if pattern[0] == "*" and not _MAGIC & set(end):
        if hidden:
            return lambda name: name.endswith(end)
        return lambda name: name.endswith(end) and name[0] != "."
    from cuectl.values.glob import glob_test

    return glob_test(pattern, hidden=hidden)


def _is_balanced(part: str) -> bool:
    return part.count("{") == part.count("}") and part.count("(") == part.count(")")


def _always(_: str) -> bool:
    return True


def _never(_: str) -> bool:
    return False


def _is_plain(name: str) -> bool:
    return name[:1] != "."
