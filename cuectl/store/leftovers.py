"""Files that nothing names any more: left by a process that died, harmless, taken by `gc`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cuectl.store import files, passes, source_memory
from cuectl.store.findings import NOTE, Finding
from cuectl.store.views import FOLDERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.store.lines import Record, Views


class Named:
    """Collects what lines and views name: executions, and payloads that are kept in files.

    Attributes:
        wanted: remember no other executions than these, None for all: a long journal has
            millions.
    """

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
        self._see_record(line.get("record"))
        self._see_record(line.get("detail"))
        for value in line.get("set", {}).values():
            self._see_record(value)

    def see_views(self, views: Views) -> None:
        """Note what lives."""
        for path, value in views.items():
            folder, _, name = path.partition("/")
            if folder in ("open", "waiting", "revised"):
                self.executions.add(name.removesuffix(".json"))
            elif folder in ("workflows", "queues"):
                # A run, live or over; a task, at its place in the line or over.
                self.executions.add(name.removesuffix(".json").rpartition(".")[2])
            self._see_record(value)

    def _see_record(self, record: object) -> None:
        if isinstance(record, dict):
            self.payloads.update(references(record))


def references(record: Record) -> list[str]:
    """Return the hashes of the files that a record needs: its payload, and its prompt."""
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
    """Yield the paths, below the home, of files that were being written by somebody."""
    folders = [*FOLDERS, "journal", "passes", "payloads", "memory", "runs"]
    runs = [f"runs/{day}" for day in files.list_directory(f"{home}/runs")]
    for folder in ["", *folders, *runs]:
        below = f"{folder}/" if folder else ""
        for name in files.list_directory(f"{home}/{folder}"):
            if name[-1] == "~":
                yield below + name


def leftovers(home: str, views: Views, named: Named) -> list[Finding]:
    """Return the files that nothing names; the lock is held."""
    found = [
        _note(path, "a file that somebody was writing who died")
        for path in sorted(temporary_files(home))
        if os.path.lexists(f"{home}/{path}")
    ]
    found += [
        _note(path, "an output of an execution that nobody knows")
        for identity, path in sorted(run_files(home))
        if identity not in named.executions
    ]
    found += _pass_files(home, views)
    found += [
        _note(path, "what an event source remembered once")
        for path in source_memory.unnamed(home, views)
    ]
    found += [
        _note(f"payloads/{name}", "a payload that nobody uses")
        for name in sorted(files.list_directory(f"{home}/payloads"))
        if name[-1] != "~" and name.removesuffix(".json") not in named.payloads
    ]
    return found


def _pass_files(home: str, views: Views) -> list[Finding]:
    claimed = {
        value.get("pass_id")
        for path, value in views.items()
        if path.startswith("open/") and isinstance(value, dict)
    }
    return [
        _note(f"passes/{one}", "the file of a pass that has died, which the next pass removes")
        for one in sorted(passes.pass_ids(home))
        if one not in claimed and not passes.is_alive(home, one)
    ]


def missing_payloads(home: str, views: Views) -> list[Finding]:
    """Return the payloads that something which lives needs and that are gone or damaged."""
    from cuectl.store import paths, payload_files

    found = []
    for path, value in sorted(views.items()):
        for reference in references(value) if isinstance(value, dict) else ():
            try:
                payload_files.read(home, reference)
            except (OSError, ValueError) as error:
                where = os.path.relpath(paths.payload_file(home, reference), home)
                words = f"the payload of '{path}' can't be read: {error}"
                found.append(Finding(kind="payload", subject=where, message=words))
    for where, why in source_memory.damaged(home, views):
        words = f"what an event source has seen can't be read: {why}"
        found.append(Finding(kind="memory", subject=where, message=words))
    return found


def _note(subject: str, message: str) -> Finding:
    return Finding(level=NOTE, kind="leftover", subject=subject, message=message)
