"""The newest ends of a cue, as its state keeps them: a list of cues reads no execution.

They stand in one string, the oldest first: `p0.4 f12 q3.1@avh3a4` is a letter of
`verdict.LETTERS`, the seconds that it took, and of one that waits for a person's verdict the
last letters of its id.
"""

from __future__ import annotations

from cuectl.executions.rules.verdict import LETTERS, VerdictWord
from cuectl.values.records import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.cues.rules.record import CueState

_WORDS = {letter: word for word, letter in LETTERS.items()}


@dataclass(frozen=True, slots=True)
class RecentEnd:
    """One end: its word, and how long it took where that is known."""

    word: VerdictWord
    took_s: float | None = None


def recent_ends(state: CueState) -> Iterator[RecentEnd]:
    """Yield the newest ends of a cue, the oldest first; at most 30."""
    for item in state.recent.split():
        took = item[1:].partition("@")[0]
        yield RecentEnd(_WORDS[item[0]], float(took) if took else None)
