"""Removing files that have been kept long enough, and those that dead processes left."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from cuectl.model.instants import DAY, days_from_civil
from cuectl.model.values import dataclass
from cuectl.store import files
from cuectl.store.history_blocks import blocks
from cuectl.store.leftovers import run_files, temporary_files
from cuectl.store.segments import base_file, segment_files
from cuectl.store.views import FOLDERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.store.store import Store

_LOCKED_FOLDERS = ("", "due", "journal", *FOLDERS)
_REFERENCE = re.compile(rb'"payload_ref":"([0-9a-f]{64})"')


@dataclass(frozen=True, slots=True, kw_only=True)
class _Old:
    path: str
    size: int


class Sweep:
    """One sweep; file times are the machine's, days and limits those of the store."""

    def __init__(self, store: Store, *, now: int, output_limit: int, journal_limit: int) -> None:
        self.store = store
        self.home = store.home
        self.now = now
        self.output_limit = output_limit
        self.journal_limit = journal_limit

    def run(self, *, dry_run: bool) -> tuple[list[str], int]:
        """Remove what is to go; return the paths below the home, and how many bytes they had."""
        found = [*self._outputs(), *self._payloads(), *self._temporaries(), *self._put_aside()]
        found += self._beside_views()
        if not dry_run:
            self._remove(found)
            self._remove_empty_days()
        return [one.path for one in found], sum(one.size for one in found)

    def _remove(self, found: list[_Old]) -> None:
        # With the lock nobody is writing a view, so a temporary file of one is a dead one's.
        with self.store.locked():
            undecided = self._undecided()
            for one in found:
                execution = os.path.basename(one.path).partition(".")[0]
                if not (one.path.startswith("runs/") and execution in undecided):
                    files.remove_file(f"{self.home}/{one.path}")

    def _outputs(self) -> Iterator[_Old]:
        with self.store.locked():
            undecided = self._undecided()
        for identity, path in run_files(self.home):
            day = _day_start(path.split("/")[1])
            is_over = day is not None and day + DAY <= self.output_limit
            if is_over and identity not in undecided:
                yield from self._older(path, self.output_limit)

    def _undecided(self) -> set[str]:
        names = [*self.store.names("open"), *self.store.names("waiting")]
        live = [name[5:] for name in self.store.names("workflows") if name.startswith("live.")]
        return {name.removesuffix(".json") for name in (*names, *live)}

    def _payloads(self) -> list[_Old]:
        names = files.list_directory(f"{self.home}/payloads")
        # A payload is kept a moment before the line that names it is written.
        old = [
            one
            for name in names
            if name[-1] != "~"
            for one in self._older(f"payloads/{name}", self.now - DAY)
        ]
        if not old:
            return []
        named = self._named_payloads()
        return [one for one in old if os.path.basename(one.path).removesuffix(".json") not in named]

    def _named_payloads(self) -> set[str]:
        found: set[bytes] = set()
        base = base_file(self.home)
        for path in [*([base] if base else []), *segment_files(self.home)]:
            for block in blocks(path):
                found.update(_REFERENCE.findall(block))
        return {digest.decode("ascii") for digest in found}

    def _temporaries(self) -> Iterator[_Old]:
        for path in temporary_files(self.home):
            folder = os.path.dirname(path)
            limit = self.now if folder in _LOCKED_FOLDERS else self.now - DAY
            yield from self._older(path, limit)

    def _put_aside(self) -> Iterator[_Old]:
        for name in files.list_directory(f"{self.home}/journal"):
            if name.startswith("torn-") and name[-1] != "~":
                yield from self._older(f"journal/{name}", self.journal_limit)
        for name in files.list_directory(f"{self.home}/quarantine"):
            yield from self._older(f"quarantine/{name}", self.journal_limit)

    def _beside_views(self) -> Iterator[_Old]:
        """Yield the histories and transcripts whose runs and sessions are forgotten."""
        for folder in ("workflows", "sessions"):
            names = files.list_directory(f"{self.home}/{folder}")
            known = {name.removesuffix(".json").removeprefix("live.") for name in names
                     if name.endswith(".json")}  # fmt: skip
            for name in names:
                beside = not name.endswith((".json", "~"))
                if beside and name.partition(".")[0] not in known:
                    yield from self._older(f"{folder}/{name}", self.journal_limit)

    def _older(self, path: str, limit: int) -> Iterator[_Old]:
        try:
            found = os.stat(f"{self.home}/{path}", follow_symlinks=False)
        except FileNotFoundError:
            return
        if found.st_mtime_ns // 1_000_000 < limit:
            yield _Old(path=path, size=found.st_size)

    def _remove_empty_days(self) -> None:
        for day in files.list_directory(f"{self.home}/runs"):
            start = _day_start(day)
            if start is not None and start + DAY <= self.output_limit:
                try:
                    os.rmdir(f"{self.home}/runs/{day}")
                except OSError:
                    # What is still in it is kept.
                    continue


def _day_start(name: str) -> int | None:
    words = name.split("-")
    if len(words) != 3 or not all(word.isascii() and word.isdigit() for word in words):
        return None
    return days_from_civil(*map(int, words)) * DAY
