"""Writing views again from the journal: one that is damaged, or all; and what a salvage saves.

`heal_view` is for a running command. Unreadable is not empty (design.md, law 4): the damaged file
is kept under `quarantine/`, and the caller raises an alert.

`rebuild` refuses a damaged journal unless the loss is accepted: then what lines behind the damage
say counts. Where they are silent, a view that had taken in the lost lines is newer than what is
left of the journal, and is kept. The journal continues in a new segment, on a base that holds all
of it (store-protocol.md, hole A33); the damaged files are copied to `quarantine/` before, and
their whole lines stay where they are, to be looked up.
"""

from __future__ import annotations

import errno
import hashlib
import os
from typing import TYPE_CHECKING

from cuectl.store import files
from cuectl.store import home as lock
from cuectl.store.history import History, last_value
from cuectl.store.journal.check import Replay
from cuectl.store.journal.checkpoint import checkpoint, sync_views, withdraw
from cuectl.store.journal.lines import (
    SUM_LETTERS,
    Applied,
    BadLine,
    JournalEntry,
    Position,
    decode_line,
    encode_group,
    read_applied,
    sealed,
    segment_name,
    write_applied,
)
from cuectl.store.journal.segments import (
    LARGEST,
    base_name,
    number_of,
    readable_bytes,
    segment_files,
    write_base,
)
from cuectl.store.repair.agenda import corrections
from cuectl.store.repair.fsck import temporary_files, view_files
from cuectl.store.views import FOLDERS, BadView, apply, check_path, count_all, read_view, records
from cuectl.values.errors import StateError
from cuectl.values.records import dataclass, replace
from cuectl.values.times import to_text

if TYPE_CHECKING:
    from cuectl.store.journal.check import StoreFinding
    from cuectl.store.journal.lines import Value, Views
    from cuectl.store.store import Store
    from cuectl.values.records import Record

LOCK_NAME = "rebuild"
_QUARANTINE = "quarantine"
_TIDIED = (*FOLDERS, "due", "journal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Healed:
    """What became of a damaged view; `reason` is '' when it was what the journal says after all.

    `kept_as` is where the damaged file is now, below the home.
    """

    path: str
    reason: str
    kept_as: str | None
    record: Record | None


def heal_view(store: Store, path: str, now: int) -> Healed:
    """Repair a view; the store lock is held and the journal is caught up with.

    One that is as the journal says is left alone: the record itself is not what the caller expects.
    Raises OSError: no descriptor or memory was left, or it could not be moved away or written.
    """
    check_path(path)
    _, value = last_value(History(store.home, store.journal.place), path)
    expected = value if isinstance(value, dict) else None
    try:
        reason = "" if read_view(store.home, path) == expected else "not what the journal says"
    except BadView as bad:
        reason = bad.reason
    if not reason:
        return Healed(path=path, reason="", kept_as=None, record=expected)
    kept = put_aside(store.home, path, now)
    if expected is None:
        _apply_all(store.home, {path: value})
    else:
        # Durable, because a checkpoint may vouch for it: nothing would write it again.
        files.replace_file(f"{store.home}/{path}", sealed(expected, path), durable=True)
    store.overlay.pop(path, None)
    store.forget_seen(path)
    return Healed(path=path, reason=reason, kept_as=kept, record=expected)


def put_aside(home: str, path: str, now: int) -> str | None:
    """Keep a file in `quarantine/`; return where it is, None when there was none.

    It stays in its place, so that a view is never missing; only what can't be linked is moved.
    """
    files.make_directory(f"{home}/{_QUARANTINE}")
    name = f"{now}-{path.replace('/', '-')}"
    kept = f"{_QUARANTINE}/{name}"
    for number in range(2, 1000):
        if not os.path.lexists(f"{home}/{kept}"):
            break
        kept = f"{_QUARANTINE}/{name}.{number}"
    try:
        os.link(f"{home}/{path}", f"{home}/{kept}", follow_symlinks=False)
    except FileNotFoundError:
        return None
    except OSError:
        os.rename(f"{home}/{path}", f"{home}/{kept}")
    return kept


def _apply_all(home: str, views: Views) -> None:
    failed = apply(home, views, anew=True)
    if failed:
        raise OSError(errno.EIO, "the view can't be written", f"{home}/{failed[0]}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What a rebuild did: `removed` files were no views, `damage` was accepted as lost.

    Copies of damaged files of the journal are in `put_aside`; views in `kept` are newer than the
    journal's rest; those in `mended` were changed, because what belongs to them is lost.
    """

    views: int = 0
    removed: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    damage: tuple[StoreFinding, ...] = ()
    put_aside: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    mended: tuple[str, ...] = ()


def rebuild(store: Store, now: int, *, accept_loss: bool = False) -> Rebuilt:
    """Write all views again from the journal; the store is not locked by this process.

    Raises StateError: the journal is damaged; nothing was changed. Raises LockTimeout.
    Raises OSError: interrupted; everything that was acknowledged is still there.
    """
    with lock.named_lock(store.home, LOCK_NAME):
        # A long journal is read while others work; only its end is read with the lock.
        replay = _replayed(store)
        done = _rebuild_whole(store, replay)
        if done is None:
            if not accept_loss:
                raise _refusal(store, replay)
            done = _rebuild_rest(store, now)
        checkpoint(store)
        return done


def _replayed(store: Store) -> Replay:
    replay = Replay(store.home)
    replay.run()
    return replay


def _rebuild_rest(store: Store, now: int) -> Rebuilt:
    """Accept what is lost, then rebuild from the journal that is left."""
    fd = lock.acquire(f"{store.home}/lock", lock.COMMAND_LIMIT_S)
    try:
        salvaged = _salvage(store, _replayed(store), now)
    finally:
        os.close(fd)
    after = _replayed(store)
    done = _rebuild_whole(store, after)
    if done is None:
        raise _refusal(store, after)
    return replace(salvaged, views=done.views, removed=done.removed, failed=done.failed)


def _rebuild_whole(store: Store, replay: Replay) -> Rebuilt | None:
    """Rebuild from a whole journal; None when it is damaged."""
    if replay.damage:
        return None
    try:
        with store.locked():
            store.journal.sync()
            place = store.journal.place
            replay.run(place)
            return None if replay.damage else _write_views(store, replay.views, place)
    except StateError:
        store.forget()
        return None


def _write_views(store: Store, implied: Views, place: Position) -> Rebuilt:
    """Make the views what they should be at a place of the journal; the lock is held."""
    withdraw(store.home)
    failed = apply(store.home, implied, anew=True)
    removed = [path for path in view_files(store.home) if path not in implied]
    written = temporary_files(store.home)
    removed += [path for path in written if path.partition("/")[0] in _TIDIED]
    for path in removed:
        try:
            files.remove_file(f"{store.home}/{path}")
        except OSError:
            failed.append(path)
    views = tuple(path for path in failed if path in implied)
    store.overlay = {path: implied[path] for path in views}
    store.behind = views
    store.counts, store.mended, store.lost = count_all(store.home), "", ""
    applied = Applied(position=place, boot=store.boot, behind=views, counts=store.counts)
    write_applied(f"{store.home}/journal/applied", applied)
    return Rebuilt(views=len(implied), removed=tuple(removed), failed=tuple(failed))


def _refusal(store: Store, replay: Replay) -> StateError:
    found = replay.damage
    if found:
        first = found[0]
        place = f"{first.subject}:{first.line}" if first.line else first.subject
        more = f", and {len(found) - 1} more" if len(found) > 1 else ""
        words = f"the journal is damaged ('{place}': {first.message}{more})"
    else:
        words = f"the journal in '{store.home}' lacks what was already applied"
    hint = "nothing was changed; continue with the rest: cuectl fsck --rebuild --accept-loss"
    return StateError(words, hint=hint)


def _salvage(store: Store, replay: Replay, now: int) -> Rebuilt:
    """Make a whole journal of a damaged one; its views are still to be rebuilt.

    The lock is held, and the journal is not caught up with. Interrupted anywhere, it can be done
    again and comes to the same: the views are made what is known first, then new commands start in
    the new segment, then the base says so.
    """
    copies = _copied(store.home, replay.bad_files, now)
    seen = _seen_by_views(store)
    kept: list[str] = []
    changed: Views = {}
    if replay.damaged_at is not None or seen > replay.place.seq:
        known, kept = _known(store.home, replay, seen)
        changed = corrections(known, now)
        # Behind the highest name of a segment too, so that none is used twice.
        names = [number_of(path) for path in segment_files(store.home)]
        seq = max(replay.place.seq, seen, *names)
        event = _event(replay, copies, kept, changed)
        _change_over(store, seq, known | changed, event, to_text(now))
    for path in replay.bad_files:
        if not os.path.basename(path).startswith("base-"):
            _keep_whole_lines(path)
    store.forget()
    return Rebuilt(
        damage=tuple(replay.damage),
        put_aside=tuple(copies),
        kept=tuple(kept),
        mended=tuple(sorted(changed)),
    )


def _seen_by_views(store: Store) -> int:
    """Return the number of the last line that the views are known to have taken in."""
    checkpoint = read_applied(f"{store.home}/journal/checkpoint")
    applied = read_applied(f"{store.home}/journal/applied")
    found = checkpoint.position.seq if checkpoint else 0
    if applied and applied.boot == store.boot != "-":
        found = max(found, applied.position.seq)
    # Where the whole journal is gone, the views alone say that there was one.
    return found or int(next(records(store.home), None) is not None)


def _known(home: str, replay: Replay, seen: int) -> tuple[Views, list[str]]:
    """Return what is known of each view, None for one that should be gone; and what was kept."""
    on_disk = set(view_files(home))
    lost_from = replay.place.seq + 1 if replay.damaged_at is None else replay.damaged_at
    if seen < lost_from:
        # The views never took in what is lost, so the journal knows more than they do.
        gone: Views = dict.fromkeys(on_disk - replay.views.keys())
        return {**replay.views, **gone}, []
    known: Views = {}
    kept: list[str] = []
    for path in sorted(on_disk | replay.views.keys()):
        said = replay.views.get(path)
        known[path] = said
        if path in replay.since_damage:
            continue
        is_readable, value = _on_disk(home, path)
        # That a view is not there says something only if a lost line may have removed it.
        may_be_gone = replay.is_silent or path in replay.touched or replay.damaged_at is None
        if is_readable and value != said and (value is not None or may_be_gone):
            known[path] = value
            kept.append(path)
    return known, kept


def _on_disk(home: str, path: str) -> tuple[bool, Value]:
    """Return whether a view can be read, and what it is: None where there is no file."""
    try:
        size = os.stat(f"{home}/{path}", follow_symlinks=False).st_size
        if path.startswith("due/") or size == 0:
            return size == 0 and path.startswith("due/"), True
        return True, read_view(home, path)
    except FileNotFoundError:
        return True, None
    except (OSError, BadView):
        return False, None


def _copied(home: str, paths: list[str], now: int) -> list[str]:
    kept = []
    files.make_directory(f"{home}/{_QUARANTINE}")
    for path in paths:
        raw = files.read_file(path, LARGEST)
        if raw is not None:
            name = f"{_QUARANTINE}/{now}-{os.path.basename(path)}"
            files.replace_file(f"{home}/{name}", raw, durable=True)
            kept.append(name)
    files.sync_directory(home)
    return kept


def _change_over(store: Store, seq: int, known: Views, event: JournalEntry, at: str) -> None:
    """Continue the journal behind line `seq`, on a base."""
    home = store.home
    # What only a view knows is not touched until the base has it too: what is written again can
    # be lost in a power cut. All that is written here, the journal says.
    wrong = {path: value for path, value in known.items() if _on_disk(home, path) != (True, value)}
    _apply_all(home, wrong)
    sync_views(home)
    chain = hashlib.sha256(f"{seq} {at}".encode()).hexdigest()[:SUM_LETTERS]
    segment = segment_name(seq + 1)
    data, last = encode_group([event], seq + 1, chain, at)
    files.replace_file(f"{home}/journal/{segment}", data, durable=True)
    # Nothing may be added to the old segments once the base is there: it hides what comes in
    # them. So new commands are sent to the new segment first.
    place = Position(segment=segment, size=len(data), seq=seq + 1, sum=last)
    here = Applied(position=place, boot=store.boot)
    write_applied(f"{home}/journal/checkpoint", here, durable=True)
    write_applied(f"{home}/journal/applied", here, durable=True)
    write_base(home, seq, chain, known, at)
    for name in files.list_directory(f"{home}/journal"):
        if name.startswith("base-") and name != base_name(seq):
            files.remove_file(f"{home}/journal/{name}")


def _event(replay: Replay, copies: list[str], kept: list[str], changed: Views) -> JournalEntry:
    start = len("journal/")
    lost = [f"{one.subject[start:]}:{one.line or 0}: {one.message}" for one in replay.damage]
    detail = {"lost": lost, "put_aside": copies, "kept_views": len(kept)}
    if changed:
        detail["mended_views"] = sorted(changed)
    return JournalEntry(type="journal.salvaged", detail=detail)


def _keep_whole_lines(path: str) -> None:
    """Leave in a damaged segment the lines that are whole, so that they can be looked up."""
    kept = []
    for line in readable_bytes(path).split(b"\n"):
        try:
            decode_line(line)
        except BadLine:
            continue
        kept.append(line + b"\n")
    raw_path = path.removesuffix(".gz")
    files.replace_file(raw_path, b"".join(kept), durable=True)
    if path != raw_path:
        files.remove_file(path)
        files.sync_directory(os.path.dirname(path))
