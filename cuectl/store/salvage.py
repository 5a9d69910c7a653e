"""Going on over a damaged journal, with everything that is still known.

What lines behind the damage say counts. Where they are silent, a view that had taken in the
lost lines is newer than what is left of the journal, and is kept. Then the journal goes on
in a new segment, on a base that holds all of it; the damaged files are copied aside before,
and their whole lines stay where they are, to be looked up.
"""

from __future__ import annotations

import errno
import hashlib
import os
from typing import TYPE_CHECKING

from cuectl.model.instants import to_text
from cuectl.model.values import dataclass
from cuectl.store import files
from cuectl.store.base import base_name, write_base
from cuectl.store.checkpoint import sync_views
from cuectl.store.healing import FOLDER
from cuectl.store.history_blocks import number_of, readable_bytes
from cuectl.store.lines import SUM_LETTERS, BadLine, Event, decode_line, encode_group
from cuectl.store.mending import corrections
from cuectl.store.position import Applied, Position, read_applied, segment_name, write_applied
from cuectl.store.segments import segment_files
from cuectl.store.view_check import view_files
from cuectl.store.views import BadView, apply, read_view

if TYPE_CHECKING:
    from cuectl.store.journal_check import Replay
    from cuectl.store.lines import Value, Views
    from cuectl.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Salvaged:
    """What was done about a damaged journal.

    Attributes:
        put_aside: where copies of the damaged files are, below the home.
        kept: views that are newer than what is left of the journal.
        mended: views that were changed, because what belongs to them is lost.
    """

    put_aside: tuple[str, ...]
    kept: tuple[str, ...] = ()
    mended: tuple[str, ...] = ()


def salvage(store: Store, replay: Replay, now: int) -> Salvaged:
    """Make a whole journal of a damaged one; its views are still to be rebuilt.

    The lock is held, and the journal is not caught up with. Interrupted anywhere, it can be
    done again and comes to the same: the views are made what is known first, then new
    commands begin in the new segment, then the base says so.

    Raises:
        OSError: it was interrupted.
    """
    aside = _put_aside(store.home, replay.bad_files, now)
    seen = _seen_by_views(store)
    kept: list[str] = []
    mended: Views = {}
    if replay.damaged_at is not None or seen > replay.place.seq:
        known, kept = _known(store.home, replay, seen)
        mended = corrections(known, now)
        known |= mended
        seq = max(replay.place.seq, seen, _last_number(store.home))
        _change_over(store, seq, known, _event(replay, aside, kept, mended), to_text(now))
    for path in replay.bad_files:
        if not os.path.basename(path).startswith("base-"):
            _keep_whole_lines(path)
    store.forget()
    return Salvaged(put_aside=tuple(aside), kept=tuple(kept), mended=tuple(sorted(mended)))


def _seen_by_views(store: Store) -> int:
    """Return the number of the last line that the views are known to have taken in."""
    checkpoint = read_applied(f"{store.home}/journal/checkpoint")
    applied = read_applied(f"{store.home}/journal/applied")
    found = checkpoint.position.seq if checkpoint else 0
    if applied and applied.boot == store.boot != "-":
        found = max(found, applied.position.seq)
    return found


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


def _last_number(home: str) -> int:
    """Return the highest name of a segment, so that none is used twice."""
    found = segment_files(home)
    return number_of(found[-1]) if found else 0


def _put_aside(home: str, paths: list[str], now: int) -> list[str]:
    kept = []
    files.make_directory(f"{home}/{FOLDER}")
    for path in paths:
        raw = files.read_file(path, limit=1 << 34)
        if raw is not None:
            name = f"{FOLDER}/{now}-{os.path.basename(path)}"
            files.replace_file(f"{home}/{name}", raw, durable=True)
            kept.append(name)
    files.sync_directory(home)
    return kept


def _change_over(store: Store, seq: int, known: Views, event: Event, at: str) -> None:
    """Let the journal go on behind line `seq`, on a base."""
    home = store.home
    _correct_views(home, known)
    sync_views(home)
    chain = hashlib.sha256(f"{seq} {at}".encode()).hexdigest()[:SUM_LETTERS]
    segment = segment_name(seq + 1)
    data, last = encode_group([event], seq + 1, chain, at)
    files.replace_file(f"{home}/journal/{segment}", data, durable=True)
    # Nobody may go on in the old segments once the base is there: it hides what they would
    # add. So new commands are sent to the new segment first.
    place = Position(segment=segment, size=len(data), seq=seq + 1, sum=last)
    here = Applied(position=place, boot=store.boot)
    write_applied(f"{home}/journal/checkpoint", here, durable=True)
    write_applied(f"{home}/journal/applied", here, durable=True)
    write_base(home, seq, chain, known, at)
    for name in files.list_directory(f"{home}/journal"):
        if name.startswith("base-") and name != base_name(seq):
            files.remove_file(f"{home}/journal/{name}")


def _correct_views(home: str, known: Views) -> None:
    """Write the views that are not what is known, and no others.

    What only a view knows is not touched until the base has it too: what is written anew can
    be lost in a power cut. All that is written here, the journal says.
    """
    wrong = {path: value for path, value in known.items() if _on_disk(home, path) != (True, value)}
    failed = apply(home, wrong, anew=True)
    if failed:
        raise OSError(errno.EIO, "the view can't be written", f"{home}/{failed[0]}")


def _event(replay: Replay, aside: list[str], kept: list[str], mended: Views) -> Event:
    lost = [f"{one.file}:{one.line or 0}: {one.reason}" for one in replay.damage]
    detail = {"lost": lost, "put_aside": aside, "kept_views": len(kept)}
    if mended:
        detail["mended_views"] = sorted(mended)
    return Event(type="journal.salvaged", detail=detail)


def _keep_whole_lines(path: str) -> None:
    """Leave in a damaged segment the lines that are whole, so that they can be looked up."""
    raw_path = path.removesuffix(".gz")
    files.replace_file(raw_path, _whole_lines(path), durable=True)
    if path != raw_path:
        files.remove_file(path)
        files.sync_directory(os.path.dirname(path))


def _whole_lines(path: str) -> bytes:
    kept = []
    for line in readable_bytes(path).split(b"\n"):
        try:
            decode_line(line)
        except BadLine:
            continue
        kept.append(line + b"\n")
    return b"".join(kept)
