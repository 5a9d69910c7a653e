"""From two looks at a tree to what has changed between them: pure.

A look is a mapping from directory to one text with everything that is known of its files:
`name/mtime/size/ctime/attributes`, joined by `//`, because no name holds a slash. Most
directories have not changed, and equal texts are compared at once.
"""

from __future__ import annotations

from enum import StrEnum

from cuectl.model.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from typing import Any

    Record = dict[str, Any]

Texts = dict[str, str]

ENTRY_MARK = "//"


class ChangeKind(StrEnum):
    """What happened to a file, in the words of the payload."""

    ADD = "add"
    CHANGE = "change"
    UNLINK = "unlink"


@dataclass(frozen=True, slots=True, order=True)
class Change:
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


def changes_between(before: Texts, after: Texts, unread: Collection[str] = ()) -> list[Change]:
    """Return what has changed, sorted by path.

    Args:
        before: the look that is remembered.
        after: the newer one.
        unread: directories that could not be read; what is below them is as it was.
    """
    found: list[Change] = []
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


def _in_directory(directory: str, old: dict[str, str], new: dict[str, str]) -> list[Change]:
    found = [
        Change(directory, name, ChangeKind.CHANGE if name in old else ChangeKind.ADD)
        for name, facts in new.items()
        if name not in old or is_changed(old[name], facts)
    ]
    return found + [Change(directory, name, ChangeKind.UNLINK) for name in old.keys() - new.keys()]


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
    before: Texts, after: Texts, left_out: Iterable[Change], unread: Collection[str] = ()
) -> Texts:
    """Return the look to remember: the newer one, but for changes that are told later."""
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
    """Return what every payload about a file says of it.

    Args:
        path: absolute.
    """
    directory, _, name = path.rpartition("/")
    dot = name.rfind(".")
    extension = name[dot:] if name[:dot].strip(".") else ""
    return {
        "path": path,
        "filename": name,
        "directory": directory or "/",
        "extension": extension if dot > 0 else "",
    }
