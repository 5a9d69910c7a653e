"""The state directory: whose it is, who may read it, what it lies on, and the records in it."""

from __future__ import annotations

import fcntl
import os
import shlex
import stat

from cuectl.executions.rules.record import execution_from_record
from cuectl.executions.targets import limit_s
from cuectl.installation.open_work import open_work
from cuectl.installation.status import findings_of, ok, problem, status_report, warning
from cuectl.store import home as home_directory
from cuectl.store import idle, pass_files
from cuectl.store.journal.check import ERROR
from cuectl.store.repair.fsck import check
from cuectl.store.views import BadView
from cuectl.values.errors import CuectlError, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.installation.checks.patient import Patient

_IN_MEMORY = frozenset({"tmpfs", "ramfs"})
_LEAST_BYTES = 100 << 20
_LEAST_FILES = 10_000
_ELSEWHERE = "set CUECTL_HOME to a directory on a local disk"
_YOUR_OWN = "set CUECTL_HOME to a directory of your own"
_SLACK_MS = 120_000
_SHOWN = 5
# What `status` says of the state itself; how work went is not this program's health.
_OF_STATUS = frozenset(
    "definitions_broken definitions_drifted quarantine unreadable store "
    "overdue alerts_undelivered alerts_waiting".split()
)


def owner_and_modes(patient: Patient) -> Iterator[Finding]:
    """Answer whether the directory is ours alone."""
    home = patient.home
    try:
        found = os.lstat(home)
    except FileNotFoundError:
        yield warning("home_missing", f"there is no '{home}' yet", "make it: cuectl init")
        return
    if not stat.S_ISDIR(found.st_mode):
        yield problem("home_no_directory", f"'{home}' is not a directory", "move it away")
    elif found.st_uid != os.geteuid():
        yield problem("home_foreign", f"'{home}' belongs to another user", _YOUR_OWN)
    elif not (wide := list(open_to_others(home))):
        yield ok("home", f"'{home}' is yours alone")
    else:
        for path in wide:
            say = problem if os.lstat(path).st_mode & 0o022 else warning
            hint = f"chmod 700 {shlex.quote(path)}, or: cuectl doctor --fix"
            yield say("home_open", f"'{path}' is open to other users", hint)


def above(patient: Patient) -> Iterator[Finding]:
    """Answer who else may put another directory in the place of the state directory."""
    for place in sorted(idle.above(patient.home)):
        try:
            found = os.stat(place)
        except FileNotFoundError:
            continue
        if found.st_uid not in (0, os.geteuid()):
            message = f"'{place}', above the state directory, belongs to another user"
            yield warning("home_above_foreign", message, _YOUR_OWN)
        elif found.st_mode & 0o1020 == 0o020:
            message = f"a group may write to '{place}', above the state directory"
            yield warning("home_above_open", message, f"chmod g-w {shlex.quote(place)}")


def open_to_others(home: str) -> Iterator[str]:
    """Yield the state directory and its folders, as far as others may enter them."""
    for path in (home, *(f"{home}/{name}" for name in sorted(os.listdir(home)))):
        found = os.lstat(path)
        if stat.S_ISDIR(found.st_mode) and found.st_mode & 0o077:
            yield path


def layout(patient: Patient) -> Iterator[Finding]:
    """Answer whether this version can work with it."""
    try:
        if home_directory.check(patient.home):
            yield ok("format", f"the layout is {home_directory.FORMAT}, which this version writes")
    except CuectlError as error:
        yield problem("home_refused", error.message, error.hint or "see: cuectl help state")


def file_system(patient: Patient) -> Iterator[Finding]:
    """Answer whether what is written stays, and whether locks work (hole A35)."""
    kind = home_directory.file_system(patient.home)
    if kind in home_directory.NETWORK_FILE_SYSTEMS:
        yield problem("file_system", f"it is on a network file system ({kind})", _ELSEWHERE)
    elif kind in _IN_MEMORY:
        yield warning("file_system", f"it is in memory ({kind}), gone after a boot", _ELSEWHERE)
    else:
        yield ok("file_system", f"it is on a local file system ({kind or 'of unknown type'})")
    if lock_keeps_others_out(patient.home):
        yield ok("flock", "locks keep others out")
    else:
        yield problem("flock", "two can hold the same lock at once", _ELSEWHERE)


def lock_keeps_others_out(home: str) -> bool:
    """Lock a file, and try to lock it a second time; OSError where that can't be tried."""
    path = f"{home}/doctor-{os.getpid()}~"
    first = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        second = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(second)
        return False
    finally:
        os.unlink(path)
        os.close(first)


def room(patient: Patient) -> Iterator[Finding]:
    """Answer whether there is room for more records."""
    found = os.statvfs(patient.home)
    free = found.f_bavail * found.f_frsize
    hint = "free space, or keep less: cuectl gc"
    if free < _LEAST_BYTES:
        yield problem("disk_full", f"only {free >> 20} MiB are free under '{patient.home}'", hint)
    elif found.f_files and found.f_favail < _LEAST_FILES:
        message = f"only {found.f_favail} more files fit on the disk of '{patient.home}'"
        yield problem("disk_full", message, hint)
    else:
        yield ok("disk", f"{free >> 20} MiB are free")


def as_status_says(patient: Patient) -> Iterator[Finding]:
    """Answer what `status` finds about definitions, damage, and work that is overdue."""
    report = status_report(patient.runtime)
    found = [one for one in findings_of(report, max_age_s=None) if one.code in _OF_STATUS]
    yield from found
    if not found:
        yield ok("definitions", "definitions are as they were applied, nothing is in quarantine")


def orphans(patient: Patient) -> Iterator[Finding]:
    """Answer for executions whose pass has died."""
    lost = [name for name in sorted(patient.reader.names("open")) if _has_lost_pass(patient, name)]
    for one in lost[:_SHOWN]:
        message = f"the pass of '{one.removesuffix('.json')}' has died"
        yield warning("orphan", message, "the next pass: cuectl run-due")
    if len(lost) > _SHOWN:
        message = f"the passes of {len(lost) - _SHOWN} more executions have died"
        yield warning("orphan", message, "the next pass recovers them: cuectl run-due")
    if not lost:
        yield ok("orphans", "every unfinished execution has its pass")


def _has_lost_pass(patient: Patient, name: str) -> bool:
    try:
        pass_id = (patient.reader.read(f"open/{name}") or {}).get("pass_id")
    except BadView:
        # What can't be read is counted by `as_status_says`.
        return False
    return pass_id is not None and not pass_files.is_alive(patient.home, pass_id)


def stuck(patient: Patient) -> Iterator[Finding]:
    """Answer for executions that run longer than they may."""
    now = patient.runtime.now()
    running = open_work(patient.reader, patient.home, now).running
    late = 0
    for one in running:
        record = patient.reader.read(f"open/{one.id}.json")
        if record is None:
            continue
        limit = limit_s(execution_from_record(record), patient.in_force)
        if now - one.started_at > limit * 1000 + _SLACK_MS:
            late += 1
            message = f"'{one.id}' of '{one.cue_name}' runs longer than its time limit"
            yield problem("stuck", message, f"end it: cuectl cancel {one.id}")
    if not late:
        yield ok("running", f"{len(running)} executions run, none for too long")


def journal(patient: Patient) -> Iterator[Finding]:
    """Answer whether the journal is whole, and the views are what it implies."""
    store = patient.runtime.existing_store
    if store is None:
        return
    report = check(store)
    errors = [one for one in report.findings if one.level == ERROR]
    for one in errors[:_SHOWN]:
        yield problem("journal", f"'{one.subject}': {one.message}", "see: cuectl fsck")
    if len(errors) > _SHOWN:
        message = f"{len(errors) - _SHOWN} more things are not what the journal says"
        yield problem("journal", message, "see: cuectl fsck")
    if not errors:
        yield ok("journal", f"{report.lines} lines are whole, {report.views} records agree")
