"""Checking the store: the journal is whole, the views are what it implies, nothing is left over.

Views that are merely behind are brought up to date first. The journal is read without the lock;
only what then seems to differ is looked at again with it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cuectl.store import files, handler_files, pass_files, paths, source_memory, workflow_files
from cuectl.store.journal.check import ERROR, NOTE, Replay, StoreFinding
from cuectl.store.journal.lines import read_applied
from cuectl.store.repair.agenda import AgendaCheck
from cuectl.store.views import FOLDERS, BadView, read_view
from cuectl.values.errors import StateError
from cuectl.values.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cuectl.store.journal.lines import Value, Views
    from cuectl.store.store import Store
    from cuectl.values.records import Record

_MISSING = object()
_EXTRA = ("extra", "the journal does not have it")
# Where sources and agents keep files of their own beside their views (contracts.md, identity 5).
_MIXED_FOLDERS = ("sources", "fanin", "sessions", "queues", "workflows")


@dataclass(frozen=True, slots=True, kw_only=True)
class FsckReport:
    """What a check found, up to the line with the number `seq`."""

    seq: int = 0
    lines: int = 0
    views: int = 0
    damaged: bool = False
    findings: tuple[StoreFinding, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong; what is left over does no harm."""
        return not any(finding.level == ERROR for finding in self.findings)


def check(store: Store, progress: Callable[[str, int, int], None] = lambda *_: None) -> FsckReport:
    """Check everything; change only what any command heals. Raises OSError: there is no answer."""
    store.mend = lambda _: None
    problem = _heal(store)
    named = _Named({identity for identity, _ in run_files(store.home)})
    replay = Replay(store.home, named.see, progress)
    replay.run(None if problem else store.journal.place)
    if problem or replay.damage:
        return _damaged(replay, problem)
    return _compared(store, replay, named)


def _heal(store: Store) -> StoreFinding | None:
    """Bring the views up to date; return why that is impossible."""
    try:
        with store.locked():
            store.journal.sync()
            store.flush()
    except StateError as error:
        return StoreFinding(kind="journal", subject="journal", message=error.message)
    return None


def _damaged(replay: Replay, problem: StoreFinding | None) -> FsckReport:
    found = replay.damage or ([problem] if problem else [])
    words = "the views were not compared with a damaged journal"
    skipped = StoreFinding(kind="not_compared", subject="journal", message=words)
    return _report(replay, [*found, skipped], damaged=True)


def _compared(store: Store, replay: Replay, named: _Named) -> FsckReport:
    doubtful = suspects(store.home, replay.views)
    with store.locked():
        store.journal.sync()
        store.flush()
        named.wanted = None
        replay.run(store.journal.place)
        if replay.damage:
            return _damaged(replay, None)
        found = [
            StoreFinding(kind=different[0], subject=path, message=different[1])
            for path in sorted(doubtful)
            if (different := _difference(store.home, path, replay.views.get(path)))
        ]
        found += [
            StoreFinding(kind="behind", subject=path, message="it can't be written")
            for path in sorted([*store.behind, *(["journal/applied"] if store.unapplied else [])])
        ]
        named.see_views(replay.views)
        found += _leftovers(store.home, replay.views, named)
    found += _missing_files(store.home, replay.views)
    found += AgendaCheck(replay.views).findings()
    found += [
        StoreFinding(
            kind="history", subject=os.path.relpath(each.path, store.home),
            message=f"it {each.why}; the run is not continued", line=each.line,
        )
        for each in workflow_files.damaged_histories(store.home)
    ]  # fmt: skip
    checkpoint = read_applied(f"{store.home}/journal/checkpoint")
    if checkpoint and not store.journal.holds(checkpoint.position):
        words = "the journal lacks the line that it names"
        found.append(StoreFinding(kind="checkpoint", subject="journal/checkpoint", message=words))
    elif checkpoint is None and os.path.lexists(f"{store.home}/journal/checkpoint"):
        words = "it is damaged; the views are written anew from the start of the journal"
        found.append(StoreFinding(kind="checkpoint", subject="journal/checkpoint", message=words))
    return _report(replay, found)


def _report(replay: Replay, found: Sequence[StoreFinding], *, damaged: bool = False) -> FsckReport:
    return FsckReport(
        seq=replay.place.seq,
        lines=replay.lines,
        views=len(replay.views),
        damaged=damaged,
        findings=tuple(found),
    )


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
    both = found & implied.keys()
    return (found ^ implied.keys()) | {one for one in both if _difference(home, one, implied[one])}


def _difference(home: str, path: str, expected: Value) -> tuple[str, str] | None:
    """Return how a view differs from what the journal implies, None when it does not."""
    try:
        found = _content(home, path)
    except BadView as bad:
        return ("damaged", bad.reason) if expected is not None else _EXTRA
    if found is _MISSING:
        return None if expected is None else ("missing", "the journal has it")
    if expected is None:
        return _EXTRA
    return None if found == expected else ("different", _how(found, expected))


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


class _Named:
    """Collects what lines and views name: executions, of them only those `wanted`, and payloads."""

    def __init__(self, wanted: set[str] | None = None) -> None:
        self.executions: set[str] = set()
        self.payloads: set[str] = set()
        self.wanted = wanted

    def see(self, line: Record) -> None:
        """Note what a line of the journal names."""
        for kind in ("execution", "run", "task"):
            identity = line.get(kind)
            if identity and (self.wanted is None or identity in self.wanted):
                self.executions.add(identity)
        for value in (line.get("record"), line.get("detail"), *line.get("set", {}).values()):
            self.payloads.update(_references(value))

    def see_views(self, views: Views) -> None:
        """Note what lives."""
        for path, value in views.items():
            folder, _, name = path.partition("/")
            if folder in ("open", "waiting", "revised"):
                self.executions.add(name.removesuffix(".json"))
            elif folder in ("workflows", "queues"):
                # A run, live or over; a task, at its place in the line or over.
                self.executions.add(name.removesuffix(".json").rpartition(".")[2])
            self.payloads.update(_references(value))


def _references(record: object) -> list[str]:
    """Return the hashes of the files that a record needs: its payload, and its prompt."""
    if not isinstance(record, dict):
        return []
    target = record.get("target")
    prompt = target.get("prompt_ref") if isinstance(target, dict) else None
    return [one for one in (record.get("payload_ref"), prompt) if isinstance(one, str)]


def run_files(home: str) -> Iterator[tuple[str, str]]:
    """Yield the execution id and the path, below the home, of each file that a run left."""
    for day in files.list_directory(f"{home}/runs"):
        for name in files.list_directory(f"{home}/runs/{day}"):
            if name[-1] != "~":
                yield name.partition(".")[0], f"runs/{day}/{name}"


def temporary_files(home: str) -> Iterator[str]:
    """Yield the paths, below the home, of files that are being written, or were."""
    folders = [*FOLDERS, "journal", "passes", "payloads", "memory", "runs"]
    runs = [f"runs/{day}" for day in files.list_directory(f"{home}/runs")]
    for folder in ["", *folders, *runs]:
        below = f"{folder}/" if folder else ""
        for name in files.list_directory(f"{home}/{folder}"):
            if name[-1] == "~":
                yield below + name


def _leftovers(home: str, views: Views, named: _Named) -> list[StoreFinding]:
    """Return the files that nothing names; the lock is held."""
    claimed = {
        value.get("pass_id")
        for path, value in views.items()
        if path.startswith("open/") and isinstance(value, dict)
    }
    found = {
        "a file that a process was writing when it died": [
            path for path in sorted(temporary_files(home)) if os.path.lexists(f"{home}/{path}")
        ],
        "an output of an unknown execution": [
            path for identity, path in sorted(run_files(home)) if identity not in named.executions
        ],
        "the file of a pass that has died, which the next pass removes": [
            f"passes/{one}"
            for one in sorted(pass_files.pass_ids(home))
            if one not in claimed and not pass_files.is_alive(home, one)
        ],
        "what an event source remembered once": source_memory.unnamed(home, views),
        "an unused payload": [
            f"payloads/{name}"
            for name in sorted(files.list_directory(f"{home}/payloads"))
            if name[-1] != "~" and name.removesuffix(".json") not in named.payloads
        ],
    }
    return [
        StoreFinding(level=NOTE, kind="leftover", subject=path, message=words)
        for words, left in found.items()
        for path in left
    ]


def _missing_files(home: str, views: Views) -> list[StoreFinding]:
    """Return the payloads and memories that live records need and that are gone or damaged."""
    found = []
    for path, value in sorted(views.items(), key=lambda one: one[0]):
        for reference in _references(value):
            try:
                handler_files.read(home, reference)
            except (OSError, ValueError) as error:
                where = os.path.relpath(paths.payload_file(home, reference), home)
                words = f"the payload of '{path}' can't be read: {error}"
                found.append(StoreFinding(kind="payload", subject=where, message=words))
    for where, why in source_memory.damaged(home, views):
        words = f"what an event source has seen can't be read: {why}"
        found.append(StoreFinding(kind="memory", subject=where, message=words))
    return found
