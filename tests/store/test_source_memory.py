"""What event sources remember, and who may poll one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.store import source_memory

if TYPE_CHECKING:
    from pathlib import Path

CUE, OTHER = "cue_aaaaaaaaaaaa", "cue_bbbbbbbbbbbb"


def test_one_at_a_time_polls_a_source(home: Path) -> None:
    """Two passes that poll one source would both commit the same events (hole A10)."""
    held = source_memory.hold(str(home), CUE)
    assert held is not None

    assert source_memory.hold(str(home), CUE) is None
    other = source_memory.hold(str(home), OTHER)
    assert other is not None

    source_memory.release(held)
    again = source_memory.hold(str(home), CUE)
    assert again is not None
    source_memory.release(again)
    source_memory.release(other)
