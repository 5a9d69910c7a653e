"""Each hole of the store protocol is kept closed by a test, or told in the manual."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .holes import HOLES

TESTS = Path(__file__).resolve().parents[1]
PROGRAM = TESTS.parent / "cuectl"
MANUAL = PROGRAM / "cli" / "manual" / "topics" / "cuectl-state.7.md"


def test_no_hole_is_forgotten() -> None:
    assert list(HOLES) == [f"A{number}" for number in range(1, 42)]
    assert all(HOLES.values())


@pytest.mark.parametrize("hole", HOLES)
def test_what_keeps_it_closed_is_there(hole: str) -> None:
    manual = " ".join(MANUAL.read_text().split())
    for entry in HOLES[hole]:
        kind, _, sentence = entry.partition("says: ")
        if not kind:
            assert sentence in manual, entry
            continue
        path, _, name = entry.partition("::")
        assert re.search(rf"^def {name}\(", (TESTS / path).read_text(), re.MULTILINE), entry


def test_what_the_program_refers_to_is_a_hole() -> None:
    text = "\n".join(path.read_text() for path in PROGRAM.rglob("*.py"))
    named = set(re.findall(r"\bholes? (A\d+)|\(A(\d+)\)", text))
    assert {one or f"A{other}" for one, other in named} <= HOLES.keys()


def test_nothing_is_ever_unlocked() -> None:
    """LOCK_UN on any copy of a descriptor lets go for all of them; only closing is safe."""
    guilty = [
        str(path)
        for path in PROGRAM.rglob("*.py")
        if re.search(r"fcntl\.LOCK_UN|fcntl\.lockf", path.read_text())
    ]
    assert guilty == []
