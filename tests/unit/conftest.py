"""What unit tests give back: the descriptors of the stores that they have made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cuectl.store.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _journals_are_closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close what stores have left open: a process has one for its life, a test run thousands."""
    made: list[Journal] = []
    begin = Journal.__init__

    def note(journal: Journal, home: str) -> None:
        made.append(journal)
        begin(journal, home)

    monkeypatch.setattr(Journal, "__init__", note)
    yield
    for journal in made:
        journal.close()
