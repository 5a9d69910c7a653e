"""Writing all views anew from the journal; and going on when the journal itself is damaged.

A whole journal: each view is replaced in one step, what the journal does not have is removed,
and only then `applied` and the checkpoint say so. A damaged one is refused unless the loss is
accepted; then everything that is known goes into a new base, on which the journal goes on
(store-protocol.md, hole A33).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cuectl.model.errors import StateError
from cuectl.model.values import dataclass, replace
from cuectl.store import files, lock
from cuectl.store.checkpoint import checkpoint
from cuectl.store.fsck import of_damage
from cuectl.store.journal_check import Replay
from cuectl.store.leftovers import temporary_files
from cuectl.store.named_lock import named_lock
from cuectl.store.position import Applied, write_applied
from cuectl.store.view_check import view_files
from cuectl.store.views import FOLDERS, apply

if TYPE_CHECKING:
    from cuectl.store.findings import Finding
    from cuectl.store.lines import Views
    from cuectl.store.position import Position
    from cuectl.store.store import Store

LOCK_NAME = "rebuild"
_TIDIED = (*FOLDERS, "due", "journal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What a rebuild did.

    Attributes:
        views: how many views were written.
        removed: files that stood in the place of views and were no views.
        failed: views that could not be written.
        damage: what was wrong with the journal and was accepted as lost.
        put_aside: where copies of the damaged files of the journal are.
        kept: views that are newer than what is left of the journal.
        mended: views that were changed, because what belongs to them is lost.
    """

    views: int
    removed: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    damage: tuple[Finding, ...] = ()
    put_aside: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    mended: tuple[str, ...] = ()


def rebuild(store: Store, now: int, *, accept_loss: bool = False) -> Rebuilt:
    """Write all views anew from the journal.

    Args:
        store: not locked by this process.
        now: the instant.
        accept_loss: go on over damage with what is known, rather than refuse.

    Raises:
        StateError: the journal is damaged; nothing was changed.
        LockTimeout: another rebuild is at work, or the store lock was not free.
        OSError: interrupted; everything that was acknowledged is still there.
    """
    with named_lock(store.home, LOCK_NAME):
        # A long journal is read while others go on; only its end is read with the lock.
        replay = Replay(store.home)
        replay.run()
        done = _rebuild_whole(store, replay)
        if done is None:
            if not accept_loss:
                raise _refusal(store, replay)
            done = _rebuild_rest(store, now)
        checkpoint(store)
        return done


def _rebuild_rest(store: Store, now: int) -> Rebuilt:
    """Accept what is lost, then rebuild from the journal that is left."""
    from cuectl.store.salvage import salvage

    fd = lock.acquire(f"{store.home}/lock", lock.COMMAND_LIMIT_S)
    try:
        replay = Replay(store.home)
        replay.run()
        salvaged = salvage(store, replay, now)
    finally:
        os.close(fd)
    after = Replay(store.home)
    after.run()
    done = _rebuild_whole(store, after)
    if done is None:
        raise _refusal(store, after)
    return replace(
        done,
        damage=tuple(of_damage(one) for one in replay.damage),
        put_aside=salvaged.put_aside,
        kept=salvaged.kept,
        mended=salvaged.mended,
    )


def _rebuild_whole(store: Store, replay: Replay) -> Rebuilt | None:
    """Rebuild from a whole journal; None when it is damaged."""
    if replay.damage:
        return None
    try:
        with store.locked():
            store.journal.sync()
            place = store.journal.place
            replay.run(place)
            if replay.damage:
                return None
            return write_views(store, replay.views, place)
    except StateError:
        store.forget()
        return None


def write_views(store: Store, implied: Views, place: Position) -> Rebuilt:
    """Make the views what they should be at a place of the journal; the lock is held."""
    failed = apply(store.home, implied, anew=True)
    removed = [path for path in view_files(store.home) if path not in implied]
    written = temporary_files(store.home)
    removed += [path for path in written if path.partition("/")[0] in _TIDIED]
    failed += [path for path in removed if not _removed(store.home, path)]
    views = tuple(path for path in failed if path in implied)
    store.overlay = {path: implied[path] for path in views}
    store.behind = views
    applied = Applied(position=place, boot=store.boot, behind=views)
    write_applied(f"{store.home}/journal/applied", applied)
    return Rebuilt(views=len(implied), removed=tuple(removed), failed=tuple(failed))


def _removed(home: str, path: str) -> bool:
    try:
        files.remove_file(f"{home}/{path}")
    except OSError:
        return False
    return True


def _refusal(store: Store, replay: Replay) -> StateError:
    found = [of_damage(one) for one in replay.damage]
    if found:
        first = found[0]
        place = f"{first.subject}:{first.line}" if first.line else first.subject
        more = f", and {len(found) - 1} more" if len(found) > 1 else ""
        words = f"the journal is damaged ('{place}': {first.message}{more})"
    else:
        words = f"the journal in '{store.home}' lacks what was already applied"
    hint = "nothing was changed; go on with what is left: cuectl fsck --rebuild --accept-loss"
    return StateError(words, hint=hint)
