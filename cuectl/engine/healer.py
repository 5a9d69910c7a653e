"""What a pass does about damaged views: mend them from the journal, and tell somebody.

One bad record never stops a pass, and unreadable is never empty (design.md, law 4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.engine.alerts import raise_alert
from cuectl.store.healing import Healed, heal_view
from cuectl.store.lines import Event

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.engine.settling import Settling
    from cuectl.model.execution import Record
    from cuectl.store.store import Store, Transaction
    from cuectl.store.views import BadView


class Healer:
    """Mends views for one pass; put in as `Store.heal`."""

    def __init__(self, store: Store, now: Callable[[], int]) -> None:
        self._store = store
        self._now = now
        self._healed: list[Healed] = []

    def __call__(self, bad: BadView) -> Record | None:
        """Mend a view and return its record; None when the journal does not have it either.

        Raises:
            OSError: it can't be mended now, for reasons that are not its own.
        """
        healed = heal_view(self._store, bad.path, self._now())
        self._healed.append(healed)
        return healed.record

    def stage(self, tx: Transaction, to: Settling) -> None:
        """Put what was mended on record, with an alert for each view."""
        while self._healed:
            healed = self._healed.pop()
            if not healed.reason:
                continue
            detail = {"path": healed.path, "reason": healed.reason, "kept_as": healed.kept_as}
            tx.stage(Event(type="view.quarantined", detail=detail))
            message = f"'{healed.path}' was damaged ({healed.reason}) and is mended"
            raise_alert(
                tx,
                to.now,
                type="view_quarantined",
                message=message,
                cue=None,
                state=None,
                execution_id=None,
                sinks=to.sinks_of(()),
                randomness=to.random(9),
                subject=healed.path,
            )
            to.lines.append(f"alert: view_quarantined: {message}")
