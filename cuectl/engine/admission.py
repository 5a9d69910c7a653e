"""How many more executions a pass may claim and start: limits hold over all passes.

The store says who has claimed what. A pass keeps a mirror of `open/` that follows the
lines of the others, so that counting costs no listing.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from cuectl.model.errors import StateError

if TYPE_CHECKING:
    from cuectl.store.lines import Views
    from cuectl.store.store import Store

CLAIM_AHEAD = 64
CLAIM_MOST = 1_024


class Admission:
    """What other passes hold, and what this one may.

    Attributes:
        slots: how many executions this pass may run at once, by its own limit.
    """

    def __init__(self, pass_id: str, slots: int, total: int) -> None:
        self.pass_id = pass_id
        self.slots = slots
        self.total = total
        self._holder: dict[str, str] = {}
        self._others: int | None = None
        self._cancelled: set[str] = set()

    def forget(self) -> None:
        """Begin to count anew."""
        self._holder.clear()
        self._others = None

    def see(self, execution_id: str, pass_id: str | None, *, queued: bool) -> None:
        """Note who holds an execution that is open."""
        self._others = None
        if queued or pass_id is None or pass_id == self.pass_id:
            self._holder.pop(execution_id, None)
        else:
            self._holder[execution_id] = pass_id

    def follow(self, views: Views) -> None:
        """Note what a journal line says of `open/`."""
        for path, value in views.items():
            if not path.startswith("open/"):
                continue
            execution_id = path[5:-5]
            if isinstance(value, dict):
                if value.get("cancel"):
                    self._cancelled.add(execution_id)
                queued = value.get("status") == "queued"
                self.see(execution_id, value.get("pass_id"), queued=queued)
            elif self._holder.pop(execution_id, None) is not None:
                self._others = None

    def is_cancelled(self, store: Store, execution_id: str) -> bool:
        """Tell whether somebody has asked to end an execution since it was claimed.

        Looks at the lines that this process has not taken in yet, without the lock. Asked
        before a start and after it, so that a request which comes in between is not lost:
        whoever asks earlier is seen here, and whoever asks later finds the process.
        """
        if store.journal.grew():
            from cuectl.store.reading import read_on

            # Damage is told of by whoever takes the lines in.
            with contextlib.suppress(StateError, OSError):
                self.follow(read_on(store.home, store.journal.place, {})[1])
        return execution_id in self._cancelled

    def slots_now(self) -> int:
        """Return how many executions this pass may run at once as things are."""
        if self._others is None:
            self._others = self._count_others()
        return max(0, min(self.slots, self.total - self._others))

    def _count_others(self) -> int:
        held: dict[str, int] = {}
        for holder in self._holder.values():
            held[holder] = held.get(holder, 0) + 1
        return sum(min(count, slots_of(holder)) for holder, count in held.items())

    def room(self, held: int) -> int:
        """Return how many more this pass may claim when it holds `held`."""
        slots = self.slots_now()
        return max(0, min(CLAIM_MOST, slots + CLAIM_AHEAD) - held) if slots else 0


def slots_of(pass_id: str) -> int:
    """Return the limit that a pass wrote in its id: `<ms>-<pid>-<slots>`."""
    text = pass_id.rpartition("-")[2]
    return int(text) if text.isdigit() else 1
