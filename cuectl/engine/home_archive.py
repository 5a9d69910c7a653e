"""Taking a state directory away, and setting it up at another place."""

from __future__ import annotations

import os

from cuectl.model.errors import NotFound
from cuectl.model.values import dataclass
from cuectl.store.archive import read_archive, write_archive
from cuectl.store.definition_views import HOME_VIEW, home_path
from cuectl.store.lines import Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.engine.runtime import Runtime
    from cuectl.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """What went into a file, or came out of it.

    Attributes:
        path: the file, absolute.
        files: how many files of the state directory.
        size: bytes of the file.
    """

    path: str
    files: int
    size: int


def export_home(runtime: Runtime, path: str) -> Archived:
    """Write the state directory into a new file.

    Raises:
        NotFound: there is no state directory.
        Conflict: there is such a file.
        StateError: the journal is damaged.
    """
    store = runtime.existing_store
    if store is None:
        raise NotFound(f"there is no state directory '{runtime.home}'")
    target = os.path.abspath(path)
    files, size = write_archive(store, target, runtime.now())
    return Archived(path=target, files=files, size=size)


def import_home(runtime: Runtime, path: str) -> Archived:
    """Make the state directory of a file.

    Raises:
        NotFound: there is no such file.
        Conflict: there is a state directory.
        InvalidFile: it is no such file, or damaged.
    """
    source = os.path.abspath(path)
    if not os.path.isfile(source):
        raise NotFound(f"there is no file '{source}'")

    def adapt(store: Store) -> None:
        _rename_own_file(store, runtime)

    files = read_archive(source, runtime.home, adapt)
    return Archived(path=source, files=files, size=os.stat(source).st_size)


def _rename_own_file(store: Store, runtime: Runtime) -> None:
    """Let the user's own definitions be those of `cue.yaml` at the new place.

    Known under the old path they would be taken for another file's, with the same names.
    """
    place = home_path(runtime.home)
    with store.transaction(runtime.now()) as tx:
        known = tx.read(HOME_VIEW)
        if known is not None and known["path"] != place:
            detail = {"path": place, "sha256": known["sha256"], "was": known["path"]}
            record = {**known, "path": place}
            tx.stage(Event(type="definitions.applied", set={HOME_VIEW: record}, detail=detail))
