"""The user's own file, `~/.cue/cue.yaml`: every pass takes it over when it has changed.

A broken file leaves the last good definitions in force, and so does a missing one at first:
editors write files by way of moments in which they are gone or half there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.engine.apply import stage_definitions, stage_record
from cuectl.engine.known_definitions import HOME
from cuectl.engine.payloads import keeper
from cuectl.model.definition_records import to_record
from cuectl.model.definitions import Definitions
from cuectl.model.errors import Conflict, CuectlError, InvalidFile, NotFound
from cuectl.store import idle
from cuectl.store.definition_sources import SourceFile, read_source
from cuectl.store.definition_views import ABSENT, HOME_VIEW, home_path

if TYPE_CHECKING:
    from cuectl.engine.runtime import Runtime
    from cuectl.store.store import Transaction

Record = dict[str, Any]

GONE_AFTER_MS = 60_000
YOUNG_MS = 2_000


def apply_home_file(runtime: Runtime) -> str | None:
    """Take the user's own file over; return why that could not be done.

    The problem is kept with the definitions, for `status`.
    """
    path = home_path(runtime.home)
    found = idle.identity(path)
    try:
        with runtime.store.transaction(runtime.now()) as tx:
            _stage_home(tx, path, runtime)
    except (InvalidFile, Conflict) as error:
        if isinstance(error.__cause__, OSError):
            # It may be readable again without having changed.
            found = idle.UNKNOWN
        with runtime.store.transaction(runtime.now()) as tx:
            return _stage_problem(tx, path, found, error)
    except _Later:
        return None
    return None


class _Later(Exception):
    """The file may not be all there yet; the next pass looks again."""


def _stage_home(tx: Transaction, path: str, runtime: Runtime) -> None:
    record = tx.read(HOME_VIEW)
    try:
        source = read_source(path)
    except NotFound:
        if record is not None:
            _stage_gone(tx, path, record, runtime)
        return
    applied = stage_definitions(
        tx, source, zone=runtime.zone, random=runtime.random, keep=keeper(runtime.home)
    )
    real_now = runtime.now() - runtime.clock.offset_ms
    if applied.plan.removed and 0 <= real_now - source.mtime_ms < YOUNG_MS:
        raise _Later


def _stage_gone(tx: Transaction, path: str, record: Record, runtime: Runtime) -> None:
    since = record.get("gone_since")
    if since is None or not since <= tx.now:
        stage_record(tx, HOME_VIEW, _without_time(record) | {"gone_since": tx.now}, record)
    elif tx.now - since >= GONE_AFTER_MS:
        nothing = SourceFile(
            path=path, shown=path, data=b"", sha256="", identity=ABSENT, mtime_ms=0
        )
        stage_definitions(
            tx, nothing, zone=runtime.zone, random=runtime.random, keep=keeper(runtime.home)
        )


def _stage_problem(tx: Transaction, path: str, found: str, error: CuectlError) -> str | None:
    record = tx.read(HOME_VIEW)
    base = _without_time(record) if record else _nothing_yet(path)
    problem = {"message": error.message, "hint": error.hint}
    if found == idle.UNKNOWN and base.get("problem") == problem:
        return None
    stage_record(tx, HOME_VIEW, base | {"identity": found, "problem": problem}, record)
    return f"{error.message} (what was defined before stays in force)"


def _without_time(record: Record) -> Record:
    return {key: value for key, value in record.items() if key != "at"}


def _nothing_yet(path: str) -> Record:
    return {
        "kind": HOME,
        "path": path,
        "sha256": "",
        "definitions": to_record(Definitions()),
        "cues": {},
    }
