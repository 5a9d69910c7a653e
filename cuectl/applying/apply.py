"""Take definition files over: one change with the compiled file and all of its cues.

A changed file counts only after the next `apply`: pulling a branch must not schedule code
(design.md section 6). Passes take the user's own file over by themselves. A broken or missing one
leaves the last good definitions in force: editors remove and halve files while they write.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from cuectl.applying.file_cues import FileCues, stage_cues, stage_index
from cuectl.applying.rules import ApplyPlan, plan_apply
from cuectl.cues.change import look_again
from cuectl.cues.create import Making
from cuectl.definitions.calendars import days_of_file
from cuectl.definitions.checks import check_definitions, load_definitions
from cuectl.definitions.fields import DefinitionProblem, Findings, ProblemLevel
from cuectl.definitions.in_force import SHORT_HINT, compiled, masker_for, short_secrets
from cuectl.definitions.rules.definitions import Definitions
from cuectl.definitions.rules.files import NAMED_SECTIONS, combine, merged, to_record
from cuectl.definitions.source_files import (
    ABSENT,
    APPLIED,
    HOME,
    HOME_VIEW,
    SourceFile,
    config_records,
    home_path,
    read_source,
    view_of,
)
from cuectl.events.rules.match import cue_of_subscription
from cuectl.executions.claim import keeper, would_keep
from cuectl.store import idle
from cuectl.store.handler_files import read_env_file
from cuectl.store.journal.lines import JournalEntry
from cuectl.store.reading import open_reader
from cuectl.store.store import Transaction
from cuectl.values.errors import Conflict, CuectlError, InvalidFile, NotFound, Refused, StateError
from cuectl.values.records import dataclass, replace
from cuectl.values.times import to_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.definitions.rules.definitions import CueDefinition
    from cuectl.executions.claim import Keep
    from cuectl.process.runtime import Runtime
    from cuectl.store.reading import ViewReader
    from cuectl.values.records import Record
    from cuectl.values.safe_text import Masker


_GONE_AFTER_MS = 60_000
_YOUNG_MS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedFile:
    """What taking a file over changes; `cues` includes changes by hand that are undone."""

    path: str
    plan: ApplyPlan
    cues: FileCues
    warnings: tuple[DefinitionProblem, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        cues = self.cues
        return self.plan.is_empty and not (cues.created or cues.updated or cues.deleted)

    def reset_by_hand(self) -> list[str]:
        """Return the names of cues that were changed by hand since, and are set back."""
        planned = {change.name for change in self.plan.changed if change.section == "cues"}
        return [name for name in self.cues.updated if name not in planned]

    def made_again(self) -> list[str]:
        """Return the names of cues that were deleted by hand since, and are made again."""
        planned = {one.name for one in self.plan.added if one.section != "handlers"}
        return [name for name in self.cues.created if name not in planned]


def _elsewhere(
    source: ViewReader, path: str, home: str
) -> tuple[list[tuple[str, Definitions]], Definitions]:
    """Return the definitions of all files in force but one: each with its path, and together."""
    # A state directory that was moved has its own file under another path than it had.
    own = HOME if path == home_path(home) else None
    others = [one for one in config_records(source) if one["path"] != path and one["kind"] != own]
    # The user's own file is the last record: it counts most, and is named first.
    found = [(one["path"], compiled(one)) for one in reversed(others)]
    return found, merged(each for _, each in reversed(found))


def _stage_definitions(
    tx: Transaction, source: SourceFile, runtime: Runtime, keep: Keep
) -> AppliedFile:
    """Stage that a file is taken over, with its cues; nothing else may have been staged."""
    others, elsewhere = _elsewhere(tx, source.path, tx.store.home)
    own, problems = check_definitions(source.data, source.shown, elsewhere=elsewhere)
    if own is None:
        raise next(one for one in problems if one.level is ProblemLevel.ERROR).as_error()
    zone = own.settings.timezone or elsewhere.settings.timezone or runtime.zone
    days = days_of_file(own, source, runtime.now(), zone)
    masker = _masker_of(own, runtime)
    problems += _short_secrets(own, source, masker)
    combine([*others, (source.path, own)])
    view = _view_for(tx.store.home, source.path)
    record = tx.read(view)
    making = _making(runtime, source.path, record, keep)
    making = replace(making, shown=source.shown, zone=elsewhere.settings.timezone or runtime.zone)
    cues = stage_cues(tx, _cues_of(own, source.path), making)
    after: Record = {"kind": HOME if view == HOME_VIEW else APPLIED, "path": source.path}
    after |= {"sha256": source.sha256, "identity": source.identity, "definitions": to_record(own)}
    _stage_record(tx, view, after | {"cues": cues.ids} | days, record)
    stage_index(tx, making.ids, cues.ids)
    same_windows = _before(record).settings.maintenance == own.settings.maintenance
    if days.get("calendars") != (record or {}).get("calendars") or not same_windows:
        look_again(tx, own.calendars | elsewhere.calendars)
    warnings = tuple(one for one in problems if one.level is ProblemLevel.WARNING)
    plan = plan_apply(_before(record), own)
    plan = plan.masked(masker.mask_json) if masker is not None else plan
    return AppliedFile(path=source.path, plan=plan, cues=cues, warnings=warnings)


def _making(runtime: Runtime, path: str, record: Record | None, keep: Keep) -> Making:
    return Making(
        path=path,
        shown=path,
        zone=runtime.zone,
        random=runtime.random,
        reactions=runtime.reactions,
        keep=keep,
        before=_cues_of(_before(record), path),
        ids=record["cues"] if record else {},
    )


def _cues_of(definitions: Definitions, path: str) -> dict[str, CueDefinition]:
    """Return all cues of a file: its scheduled work, and the subscriptions."""
    directory, listening = os.path.dirname(path), definitions.subscriptions.items()
    return definitions.cues | {name: cue_of_subscription(one, directory) for name, one in listening}


def _view_for(home: str, path: str) -> str:
    """Return the view of a file: the user's own has a name of its own."""
    return HOME_VIEW if path == home_path(home) else view_of(path)


def _stage_record(tx: Transaction, view: str, record: Record, old: Record | None) -> None:
    if record["definitions"].get("executors"):
        from cuectl.store import home

        home.need_format(tx.store.home, home.WITH_EXECUTORS)
    """Stage what is known of a file, unless it is what was known."""
    if _without_time(old or {}) != record:
        detail = {"path": record["path"], "sha256": record["sha256"]}
        content = {**record, "at": to_text(tx.now)}
        tx.stage(JournalEntry(type="definitions.applied", set={view: content}, detail=detail))


def _without_time(record: Record) -> Record:
    return {key: value for key, value in record.items() if key != "at"}


def _before(record: Record | None) -> Definitions:
    try:
        return compiled(record) if record is not None else Definitions()
    except StateError:
        # Taking the file over again is what repairs this.
        return Definitions()


def apply_file(runtime: Runtime, path: str) -> AppliedFile:
    """Take a file over. Raises NotFound, InvalidFile, Conflict: nothing was changed."""
    source = read_source(path)
    if runtime.existing_store is None:
        # A file that is not valid must not leave a state directory behind.
        own = load_definitions(source.data, source.shown)
        days_of_file(own, source, runtime.now(), runtime.zone)
    with runtime.store.transaction(runtime.now()) as tx:
        return _stage_definitions(tx, source, runtime, keeper(runtime.home))


def preview(runtime: Runtime, path: str) -> AppliedFile:
    """Return what taking a file over would change, or raise what `apply_file` would."""
    source = read_source(path)
    store = runtime.existing_store
    if store is None:
        own = load_definitions(source.data, source.shown)
        days_of_file(own, source, runtime.now(), runtime.zone)
        cues = FileCues(created=list(own.cues))
        return AppliedFile(path=source.path, plan=plan_apply(None, own), cues=cues)
    with store.locked():
        return _stage_definitions(Transaction(store, runtime.now()), source, runtime, would_keep)


def forget_file(runtime: Runtime, path: str) -> AppliedFile:
    """Take what a file defined out of force, and delete its cues; the file may be gone."""
    absolute = os.path.abspath(path)
    store = runtime.existing_store
    view = _view_for(runtime.home, absolute)
    if store is not None and view != HOME_VIEW:
        with store.transaction(runtime.now()) as tx:
            if (record := tx.read(view)) is not None:
                return _stage_gone(tx, view, record, runtime)
    raise NotFound(f"'{path}' was not applied", hint="applied files: cuectl status")


def _stage_gone(tx: Transaction, view: str, record: Record, runtime: Runtime) -> AppliedFile:
    making = _making(runtime, record["path"], record, would_keep)
    cues = stage_cues(tx, {}, making)
    stage_index(tx, making.ids, {})
    if "calendars" in record:
        look_again(tx, _elsewhere(tx, making.path, tx.store.home)[1].calendars)
    detail = {"path": making.path, "removed": True}
    tx.stage(JournalEntry(type="definitions.applied", set={view: None}, detail=detail))
    plan = plan_apply(_before(record), Definitions())
    return AppliedFile(path=making.path, plan=plan, cues=cues)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedFile:
    """What was found, in the order of the file; no definitions when the file is not valid."""

    problems: tuple[DefinitionProblem, ...]
    definitions: Definitions | None

    @property
    def is_valid(self) -> bool:
        """Whether it can be applied."""
        return not any(problem.level is ProblemLevel.ERROR for problem in self.problems)

    @property
    def summary(self) -> str:
        """How many of which things it defines."""
        if self.definitions is None:
            return ""
        counts = []
        for section, word in NAMED_SECTIONS.items():
            if count := len(getattr(self.definitions, section)):
                counts.append(f"{count} {word}{'s' if count > 1 else ''}")
        return ", ".join(counts) or "nothing is defined"


def check_file(runtime: Runtime, path: str) -> CheckedFile:
    """Return what is to be said about a definition file that can be read at all."""
    source = read_source(path)
    reader = open_reader(runtime.existing_store)
    _, elsewhere = _elsewhere(reader, source.path, reader.home)
    definitions, problems = check_definitions(source.data, path, elsewhere=elsewhere)
    if definitions is not None:
        problems += _short_secrets(definitions, source, _masker_of(definitions, runtime))
        try:
            # Only taking it over would show a name that is taken, or a time that is past.
            preview(runtime, path)
        except CuectlError as error:
            message = error.message.removeprefix(f"{path}: ")
            first = InvalidFile(message, path=path, line=1, column=1, hint=error.hint)
            Findings(problems).invalid(
                error if isinstance(error, InvalidFile) and error.line else first
            )
    return CheckedFile(problems=tuple(problems), definitions=definitions)


def _masker_of(own: Definitions, runtime: Runtime) -> Masker | None:
    file: dict[str, str] = {}
    with suppress(Refused):
        file = read_env_file(runtime.home) if own.secrets else file
    return masker_for(own.secrets, {**file, **runtime.environment}.get)


def _short_secrets(
    own: Definitions, source: SourceFile, masker: Masker | None
) -> Iterator[DefinitionProblem]:
    for name in short_secrets(own, masker):
        line = source.data.partition(name.encode())[0].count(b"\n") + 1
        yield DefinitionProblem(
            path=source.shown, line=line, column=1, level=ProblemLevel.WARNING,
            message=f"the secret '{name}' is too short to be masked in texts", hint=SHORT_HINT,
        )  # fmt: skip


def apply_home_file(runtime: Runtime) -> str | None:
    """Take the user's own file over; return why not. `status` tells the problem from then on."""
    path = home_path(runtime.home)
    found = idle.identity(path)
    try:
        with runtime.store.transaction(runtime.now()) as tx:
            _stage_home(tx, path, runtime)
    except (InvalidFile, Conflict) as error:
        if isinstance(error.__cause__, OSError | NotFound | InvalidFile):
            # It may be good again without having changed, when what it names is there.
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
            _stage_home_gone(tx, path, record, runtime)
        return
    applied = _stage_definitions(tx, source, runtime, keeper(runtime.home))
    real_now = runtime.now() - runtime.clock.offset_ms
    if applied.plan.removed and 0 <= real_now - source.mtime_ms < _YOUNG_MS:
        raise _Later


def _stage_home_gone(tx: Transaction, path: str, record: Record, runtime: Runtime) -> None:
    since = record.get("gone_since")
    if since is None or not since <= tx.now:
        _stage_record(tx, HOME_VIEW, _without_time(record) | {"gone_since": tx.now}, record)
    elif tx.now - since >= _GONE_AFTER_MS:
        nothing = SourceFile(
            path=path, shown=path, data=b"", sha256="", identity=ABSENT, mtime_ms=0
        )
        _stage_definitions(tx, nothing, runtime, keeper(runtime.home))


def _stage_problem(tx: Transaction, path: str, found: str, error: CuectlError) -> str | None:
    record = tx.read(HOME_VIEW)
    base: Record = {"kind": HOME, "path": path, "sha256": "", "cues": {}}
    base |= {"definitions": to_record(Definitions())}
    if record:
        base = _without_time(record)
    problem = {"message": error.message, "hint": error.hint}
    if found == idle.UNKNOWN and base.get("problem") == problem:
        return None
    _stage_record(tx, HOME_VIEW, base | {"identity": found, "problem": problem}, record)
    return f"{error.message} (the previous definitions stay in force)"
