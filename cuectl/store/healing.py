"""Mending one damaged view in a running command: put it aside, write what the journal says.

Unreadable is not empty (design.md, law 4): the damaged file is kept under `quarantine/`, and
whoever calls this raises an alert of it.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from cuectl.model.values import dataclass
from cuectl.store import files
from cuectl.store.history import History
from cuectl.store.last_value import last_value
from cuectl.store.views import BadView, apply, check_path, read_view

if TYPE_CHECKING:
    from cuectl.store.lines import Record, Views
    from cuectl.store.store import Store

FOLDER = "quarantine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Healed:
    """What became of a damaged view.

    Attributes:
        path: the view.
        reason: what was wrong with it, '' when it was what the journal says after all.
        kept_as: where the damaged file is now, below the home; None where none was put aside.
        record: its content as the journal has it, None when it should not be there.
    """

    path: str
    reason: str
    kept_as: str | None
    record: Record | None


def heal_view(store: Store, path: str, now: int) -> Healed:
    """Mend a view; the store lock is held and the journal is caught up with.

    A view that can be read and is as the journal says is left alone: then the record itself
    is not what the caller expects, and nothing here can help.

    Args:
        store: locked.
        path: the view that could not be read, or whose content made no sense.
        now: the instant, for the name of what is put aside.

    Raises:
        OSError: it could not be looked at for reasons that are not its own (no descriptor or
            memory left), could not be put aside, or not be written.
    """
    check_path(path)
    _, value = last_value(History(store.home, store.journal.place), path)
    expected = value if isinstance(value, dict) else None
    reason = _damage(store.home, path, expected)
    if reason is None:
        return Healed(path=path, reason="", kept_as=None, record=expected)
    kept = put_aside(store.home, path, now)
    views: Views = {path: value}
    if apply(store.home, views, anew=True):
        raise OSError(errno.EIO, "the view can't be written", f"{store.home}/{path}")
    store.overlay.pop(path, None)
    store.forget_seen(path)
    return Healed(path=path, reason=reason, kept_as=kept, record=expected)


def _damage(home: str, path: str, expected: Record | None) -> str | None:
    try:
        found = read_view(home, path)
    except BadView as bad:
        return bad.reason
    return None if found == expected else "not what the journal says"


def put_aside(home: str, path: str, now: int) -> str | None:
    """Move a file to `quarantine/`; return where it is, None when there was none."""
    files.make_directory(f"{home}/{FOLDER}")
    name = f"{now}-{path.replace('/', '-')}"
    kept = f"{FOLDER}/{name}"
    for number in range(2, 1000):
        if not os.path.lexists(f"{home}/{kept}"):
            break
        kept = f"{FOLDER}/{name}.{number}"
    try:
        os.rename(f"{home}/{path}", f"{home}/{kept}")
    except FileNotFoundError:
        return None
    return kept
