"""A state directory: the first making, taking it away in a file, and setting it up elsewhere."""

from __future__ import annotations

import os
from importlib.resources import files

from cuectl.definitions.source_files import HOME_VIEW, home_path
from cuectl.store.journal.lines import JournalEntry, Views
from cuectl.store.repair.archive import read_archive, write_archive
from cuectl.values.errors import Conflict, NotFound
from cuectl.values.records import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.process.runtime import Runtime
    from cuectl.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """What went into a file, or came out of it."""

    path: str
    files: int
    size: int


def export_home(runtime: Runtime, path: str) -> Archived:
    """Write the state directory into a new file."""
    store = runtime.existing_store
    if store is None:
        raise NotFound(f"there is no state directory '{runtime.home}'")
    target = os.path.abspath(path)
    count, size = write_archive(store, target, runtime.now())
    return Archived(path=target, files=count, size=size)


def import_home(runtime: Runtime, path: str) -> Archived:
    """Make the state directory of a file; Conflict where there is one."""
    source = os.path.abspath(path)
    if not os.path.isfile(source):
        raise NotFound(f"there is no file '{source}'")
    count = read_archive(source, runtime.home, lambda store: _rename_own_file(store, runtime))
    return Archived(path=source, files=count, size=os.stat(source).st_size)


def _rename_own_file(store: Store, runtime: Runtime) -> None:
    """Move the user's definitions to the new `cue.yaml`, or they would be another file's."""
    place = home_path(runtime.home)
    with store.transaction(runtime.now()) as tx:
        known = tx.read(HOME_VIEW)
        if known is not None and known["path"] != place:
            detail = {"path": place, "sha256": known["sha256"], "was": known["path"]}
            views: Views = {HOME_VIEW: {**known, "path": place}}
            tx.stage(JournalEntry(type="definitions.applied", set=views, detail=detail))


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """Whether the state directory is new, and the definition file if one was asked for."""

    created: bool
    file: str | None


def begin(runtime: Runtime, folder: str | None) -> Begun:
    """Make the state directory, and a definition file in `folder`; a Conflict changes nothing."""
    path = None if folder is None else os.path.join(folder, "cue.yaml")
    if path is not None and os.path.lexists(path):
        raise _exists(path)
    created = runtime.existing_store is None
    _ = runtime.store
    if path is not None:
        _write_new(path)
    return Begun(created=created, file=path)


def _write_new(path: str) -> None:
    starter = (files("cuectl.installation") / "starter.yaml").read_text(encoding="utf-8")
    temporary = f"{path}.{os.getpid()}~"
    with open(temporary, "x", encoding="utf-8") as file:
        file.write(starter)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise _exists(path) from None
    finally:
        os.unlink(temporary)


def _exists(path: str) -> Conflict:
    return Conflict(f"'{path}' exists", hint="check it with: cuectl validate")
