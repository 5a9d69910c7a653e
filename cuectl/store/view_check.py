"""Comparing the views with what the journal implies, and naming each difference."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cuectl.store import files
from cuectl.store.findings import Finding
from cuectl.store.views import FOLDERS, BadView, read_view

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cuectl.store.lines import Value, Views

_MISSING = object()
# Where sources and agents keep files of their own beside their views (contracts.md, identity 5).
_MIXED_FOLDERS = ("sources", "fanin", "sessions", "queues", "workflows")


def view_files(home: str) -> Iterator[str]:
    """Yield the paths of all files that are views or stand in the place of one."""
    for folder in FOLDERS:
        for name in files.list_directory(f"{home}/{folder}"):
            if name[-1] != "~" and (folder not in _MIXED_FOLDERS or name.endswith(".json")):
                yield f"{folder}/{name}"
    yield from _files_below(home, "due", 2)


def _files_below(home: str, folder: str, levels: int) -> Iterator[str]:
    try:
        entries = list(os.scandir(f"{home}/{folder}"))
    except FileNotFoundError:
        return
    for entry in entries:
        path = f"{folder}/{entry.name}"
        if levels and entry.is_dir(follow_symlinks=False):
            yield from _files_below(home, path, levels - 1)
        elif not path.endswith("~"):
            yield path


def suspects(home: str, implied: Views) -> set[str]:
    """Return the views that seem to differ; without the lock some may just be changing."""
    found = set(view_files(home))
    differing = found ^ implied.keys()
    differing.update(
        path for path in found & implied.keys() if difference(home, path, implied[path])
    )
    return differing


def differences(home: str, implied: Views, paths: Iterable[str]) -> list[Finding]:
    """Return the differences among some views; the lock is held."""
    found = []
    for path in sorted(paths):
        expected = implied.get(path)
        kind, message = difference(home, path, expected) or ("", "")
        if kind:
            found.append(Finding(kind=kind, subject=path, message=message))
    return found


def difference(home: str, path: str, expected: Value) -> tuple[str, str] | None:
    """Return how a view differs from what the journal implies, None when it does not."""
    try:
        found = _content(home, path)
    except BadView as bad:
        return "damaged", bad.reason
    if found is _MISSING:
        return None if expected is None else ("missing", "the journal has it")
    if expected is None:
        return "extra", "the journal does not have it"
    if found != expected:
        return "different", _how(found, expected)
    return None


def _content(home: str, path: str) -> object:
    """Return what a view holds: an object, True for an empty file, _MISSING for none."""
    try:
        size = os.stat(f"{home}/{path}", follow_symlinks=False).st_size
    except FileNotFoundError:
        return _MISSING
    except OSError as error:
        raise BadView(path, error.strerror or "unreadable") from error
    if path.startswith("due/") or size == 0:
        return True if size == 0 else "not empty"
    body = read_view(home, path)
    return _MISSING if body is None else body


def _how(found: object, expected: Value) -> str:
    if not isinstance(found, dict) or not isinstance(expected, dict):
        return "it is empty" if found is True else "it should be empty"
    names = sorted(
        name
        for name in found.keys() | expected.keys()
        if found.get(name, _MISSING) != expected.get(name, _MISSING)
    )
    shown = ", ".join(f"'{name}'" for name in names[:5])
    return f"it differs from the journal in {shown}" + (", ..." if len(names) > 5 else "")
