"""Payloads that are too large for a line of the journal."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cuectl.store import files, handler_files, paths

if TYPE_CHECKING:
    from pathlib import Path

DATA = b'{"text": "' + b"x" * 70_000 + b'"}'


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was synced, by name."""
    found: list[str] = []
    sync, sync_directory = files.sync, files.sync_directory

    def note(fd: int) -> None:
        found.append(os.path.basename(os.readlink(f"/proc/self/fd/{fd}")))
        sync(fd)

    def note_directory(path: str) -> None:
        found.append(f"{os.path.basename(path)}/")
        sync_directory(path)

    monkeypatch.setattr(files, "sync", note)
    monkeypatch.setattr(files, "sync_directory", note_directory)
    return found


def test_it_is_durable_before_anybody_names_it(home: Path, synced: list[str]) -> None:
    """A line that names a payload which a power cut has taken would be lost work (hole A11)."""
    digest = handler_files.keep(str(home), DATA)

    name = os.path.basename(paths.payload_file(str(home), digest))
    assert synced == [f"{name}~", "payloads/", "cue/"]
    assert handler_files.read(str(home), digest)["text"] == "x" * 70_000


def test_one_that_is_there_is_not_taken_for_durable(home: Path, synced: list[str]) -> None:
    """Whoever wrote it may have died before the sync, and the cache shows it all the same."""
    digest = handler_files.keep(str(home), DATA)
    once = list(synced)
    before = os.stat(paths.payload_file(str(home), digest)).st_ino
    synced.clear()

    assert handler_files.keep(str(home), DATA) == digest
    assert synced == once
    assert os.stat(paths.payload_file(str(home), digest)).st_ino != before


def test_what_is_not_what_its_hash_says_is_refused(home: Path) -> None:
    digest = handler_files.keep(str(home), DATA)
    with open(paths.payload_file(str(home), digest), "ab") as file:
        file.write(b" ")

    with pytest.raises(ValueError, match="not what its hash says"):
        handler_files.read(str(home), digest)
