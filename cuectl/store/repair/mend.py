"""Writing again what `store/views.py` has found missing, as far as the journal can give it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.store.journal.check import Replay
from cuectl.store.repair.fsck import suspects
from cuectl.store.repair.rebuild import put_aside
from cuectl.store.views import apply, count_all

if TYPE_CHECKING:
    from cuectl.store.store import Store


def mend(store: Store) -> None:
    """Make the views what the journal says, and count them; the lock is held, all is flushed."""
    replay = Replay(store.home)
    replay.run(store.journal.place)
    first = replay.damage[0] if replay.damage else None
    store.lost = f"the journal is damaged: '{first.subject}': {first.message}" if first else ""
    if not first:
        wrong = sorted(suspects(store.home, replay.views) & replay.views.keys() - set(store.behind))
        for path in wrong:
            put_aside(store.home, path, store.journal.last_at() or 0)
            store.forget_seen(path)
        # In new files, because what was put aside may be a link to the old one.
        apply(store.home, {path: replay.views[path] for path in wrong}, anew=True)
        more = f" and {len(wrong) - 1} more" if wrong[1:] else ""
        words = "missing or damaged; restored from the journal"
        store.mended = f"'{wrong[0]}'{more}: {words}" if wrong else store.mended
    store.counts = count_all(store.home)
    store.flush(anyway=True)
