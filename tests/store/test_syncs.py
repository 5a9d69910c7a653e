"""What is said to be done is on the disk: each sync, and that it comes before what stands on it.

The sweeps of `tests/faults` cut the power at every point of whole operations. These tests say for
one operation each what must be synced before what, and fail in a second where it is not.
"""

from __future__ import annotations

import gzip
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cuectl.executions import claim
from cuectl.executions.reports import HandlerReport, report_from_handler
from cuectl.executions.rules.record import ExecutionStatus
from cuectl.store import files, output, paths, source_memory, workflow_files
from cuectl.store import home as home_directory
from cuectl.store.journal import checkpoint
from cuectl.store.journal.lines import JournalEntry
from cuectl.store.reading import open_reader
from cuectl.store.repair.archive import read_archive, write_archive
from cuectl.store.repair.fsck import check
from cuectl.store.repair.gc import Keep, collect
from cuectl.store.repair.rebuild import rebuild
from cuectl.store.store import Store
from tests.fixtures.past import START, a_cue, an_execution, create, note, rotate, settle, succeeded
from tests.fixtures.syncing import Disk, only_here

if TYPE_CHECKING:
    from cuectl.process.runtime import Runtime

pytestmark = only_here

FIRST = "journal/000000000001.jsonl"
VIEW = "cues/cue_audit0000000.json"
ONE = "cues/cue_one.json"


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch, home: Path) -> Disk:
    """What this process does from here on."""
    return Disk(monkeypatch, home)


@pytest.fixture
def store(home: Path) -> Store:
    """A store with one cue, which settled once, in the second segment."""
    store = Store(str(home))
    cue = create(store, a_cue())
    settle(store, succeeded(an_execution(cue)))
    rotate(store, START)
    return store


def change(store: Store, *, flush: bool = True, value: int = 1) -> None:
    with store.transaction(START, flush=flush) as tx:
        tx.stage(JournalEntry(type="x.y", set={ONE: {"n": value}}))


def segment(store: Store) -> str:
    return f"journal/{store.journal.place.segment}"


# --- the journal ------------------------------------------------------------------------------


def test_a_new_home_is_there_after_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch, tmp_path)
    home_directory.make(str(tmp_path / "cue"))

    assert disk("sync", "name") == ["sync cue/FORMAT~", "name cue/FORMAT", "sync cue", "sync ."]


def test_the_name_of_a_first_segment_is_durable_before_its_first_line(
    home: Path, disk: Disk
) -> None:
    change(Store(str(home)), flush=False)

    found = disk("write journal/0", "sync")
    assert found == ["sync journal", f"write {FIRST}", f"sync {FIRST}"]


def test_a_change_is_durable_before_a_view_shows_it(store: Store, disk: Disk) -> None:
    change(store)

    here = segment(store)
    assert disk("write", "sync")[:3] == [f"write {here}", f"sync {here}", f"write {ONE}"]
    assert here not in disk.unsynced()


def test_lines_of_another_process_are_durable_before_a_view_shows_them(
    store: Store, home: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other may have been killed between its write and its sync (hole A3)."""
    with monkeypatch.context() as patched:
        patched.setattr(files, "sync", lambda _fd: None)
        change(store, flush=False)
    here = segment(store)
    assert disk.unsynced() == {here}

    open_reader(Store(str(home)))

    assert disk.before(f"sync {here}", f"write {ONE}")
    assert here not in disk.unsynced()


@pytest.mark.parametrize("way", ["transaction", "fsck", "export", "rebuild"])
def test_nothing_is_answered_from_lines_that_may_be_lost(
    store: Store, home: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(files, "sync", lambda _fd: None)
        change(store, flush=False)
    here = segment(store)
    assert here in disk.unsynced()

    if way == "transaction":
        with Store(str(home)).transaction(START, flush=False):
            pass
    elif way == "fsck":
        check(Store(str(home)))
    elif way == "export":
        write_archive(Store(str(home)), str(home.parent / "export"), START)
    else:
        rebuild(Store(str(home)), START)

    assert here not in disk.unsynced()


def test_the_line_that_leads_to_a_segment_is_durable_before_any_in_it(
    home: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = Store(str(home)), Store(str(home))
    change(store)
    with other.locked():
        pass
    with monkeypatch.context() as patched:
        patched.setattr(files, "sync", lambda _fd: None)
        with store.locked():
            store.journal.rotate("2026-11-21T02:00:00Z")
    disk.steps.clear()

    change(other, flush=False, value=2)

    second = segment(other)
    assert second != FIRST
    assert disk("write", "sync")[:2] == [f"sync {FIRST}", "sync journal"]
    assert disk.unsynced() == set()


def test_a_torn_end_that_was_cut_off_is_synced_with_the_next_line(
    store: Store, home: Path, disk: Disk
) -> None:
    path = home / segment(store)
    with path.open("ab") as file:
        file.write(b'{"seq":')

    with Store(str(home)).transaction(START, flush=False):
        pass

    here = segment(store)
    assert disk.before(f"cut {here}", f"sync {here}")
    assert here not in disk.unsynced()


# --- checkpoints ------------------------------------------------------------------------------


def test_a_checkpoint_stands_on_views_that_are_synced(store: Store, home: Path, disk: Disk) -> None:
    change(store)
    disk.steps.clear()

    checkpoint.checkpoint(store)

    pending = f"journal/checkpoint.{os.getpid()}~"
    assert disk("sync", "name") == [
        f"name {pending}",
        "syncfs .",
        "name journal/checkpoint",
        "sync journal",
    ]


def test_a_sync_that_fails_is_told_with_its_reason(store: Store, home: Path, disk: Disk) -> None:
    change(store)
    before = (home / "journal" / "checkpoint").read_bytes()
    disk.syncfs_gives = 5

    with pytest.raises(OSError, match="Input/output") as error:
        checkpoint.checkpoint(store)

    assert (error.value.errno, error.value.filename) == (5, str(home))
    assert (home / "journal" / "checkpoint").read_bytes() == before


def test_without_a_call_for_the_whole_file_system_each_file_is_synced(
    store: Store, home: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(store)
    there = {str(path.relative_to(home)) for path in home.rglob("*")} | {"."}
    disk.steps.clear()

    with monkeypatch.context() as patched:
        uname = os.uname()
        patched.setattr(os, "uname", lambda: os.uname_result(("Darwin", *uname[1:])))
        checkpoint.sync_views(str(home))

    assert set(disk("sync")) == {f"sync {path}" for path in there}


def test_a_directory_is_synced_as_a_directory(home: Path, disk: Disk) -> None:
    files.sync_directory(str(home / "journal"))
    assert disk.steps == ["sync journal"]
    with pytest.raises(NotADirectoryError):
        files.sync_directory(str(home / "FORMAT"))


# --- rebuild, gc, export, import --------------------------------------------------------------


def test_a_rebuild_ends_with_a_checkpoint_on_synced_views(
    store: Store, home: Path, disk: Disk
) -> None:
    (home / VIEW).write_text("damaged")
    disk.steps.clear()

    rebuild(Store(str(home)), START)

    last = [step for step in disk.steps if step.startswith(("write", "name", "sync"))]
    written = len(last) - last[::-1].index(f"name {VIEW}")
    assert "syncfs ." in last[written:]
    pending = f"journal/checkpoint.{os.getpid()}~"
    assert disk("sync", "name")[-4:] == [
        f"name {pending}",
        "syncfs .",
        "name journal/checkpoint",
        "sync journal",
    ]


def test_a_rebuild_writes_no_view_from_lines_that_may_be_lost(
    store: Store, home: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(files, "sync", lambda _fd: None)
        change(store, flush=False)
    here = segment(store)
    disk.steps.clear()

    rebuild(Store(str(home)), START)

    views = [at for at, step in enumerate(disk.steps) if step.endswith((ONE, f"{ONE}~"))]
    assert disk.steps.index(f"sync {here}") < views[0]


def test_accepting_a_loss_puts_each_thing_on_the_disk_before_the_next_stands_on_it(
    store: Store, home: Path, disk: Disk
) -> None:
    note(store, START)
    first = home / FIRST
    raw = first.read_bytes()
    first.write_bytes(raw.replace(b'"at":"2026', b'"at":"~026', 1))
    (home / VIEW).unlink()
    disk.steps.clear()

    done = rebuild(Store(str(home)), START, accept_loss=True)

    (aside,) = done.put_aside
    assert disk.before(f"sync {aside}~", f"name {FIRST}")
    assert disk.before("sync quarantine", f"name {FIRST}")
    assert disk.before("sync .", f"name {FIRST}")
    assert "journal" not in disk.unsynced()
    assert not {path for path in disk.unsynced() if path.startswith("journal/0")}
    (base,) = (path.name for path in (home / "journal").glob("base-*"))
    new = max(path.name for path in (home / "journal").glob("0*.jsonl"))
    names = [f"name journal/{one}" for one in (new, "checkpoint", "applied", base)]
    found = [step for step in disk.steps if step in names]
    # A rebuild of the rest and a checkpoint follow.
    assert found[: len(names)] == names
    for name in names:
        path = name.removeprefix("name ")
        assert disk.steps[disk.steps.index(name) - 1] == f"sync {path}~"
        assert disk.steps[disk.steps.index(name) + 1] == "sync journal"
    # What only a view knows is on the disk before the journal goes on without the lost lines.
    assert disk.before("syncfs .", names[0])


def test_a_packed_segment_that_loses_lines_is_gone_durably(
    store: Store, home: Path, disk: Disk
) -> None:
    first = home / FIRST
    first.with_name(f"{first.name}.gz").write_bytes(gzip.compress(first.read_bytes())[:-40])
    first.unlink()
    disk.steps.clear()

    rebuild(Store(str(home)), START, accept_loss=True)

    gone = disk.steps.index(f"remove {FIRST}.gz")
    assert f"sync {FIRST}~" in disk.steps[:gone]
    assert "sync journal" in disk.steps[gone:]


def test_gc_packs_and_drops_only_behind_what_is_synced(
    store: Store, home: Path, disk: Disk
) -> None:
    day = 86_400_000
    for number in range(1, 6):
        rotate(store, START + number * 100 * day)
    disk.steps.clear()

    keep = Keep(output_s=86_400, journal_s=250 * 86_400)
    done = collect(Store(str(home)), keep, START + 500 * day)

    assert len(done.packed) >= 1
    for name in done.packed:
        packed = f"journal/{name}.gz"
        assert disk.before(f"sync {packed}~", f"name {packed}")
        between = disk.steps[disk.steps.index(f"name {packed}") :]
        assert between.index("sync journal") < between.index(f"remove journal/{name}")
    assert len(done.dropped) >= 1
    base = f"journal/{done.base}"
    after = disk.steps[disk.steps.index(f"name {base}") :]
    assert disk.before(f"sync {base}~", f"name {base}")
    for name in done.dropped:
        gone = next(one for one in after if one.startswith(f"remove journal/{name}"))
        assert after.index("sync journal") < after.index(gone)


def test_an_export_gets_its_name_when_it_is_on_the_disk(
    store: Store, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch, home.parent)
    write_archive(store, str(home.parent / "export"), START)

    temporary = f"export.{os.getpid()}~"
    assert disk("sync export", "name export") == [f"sync {temporary}", "name export"]
    assert disk.steps[-1] == "sync ."


def test_an_import_gets_its_name_when_all_of_it_is_on_the_disk(
    store: Store, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_archive(store, str(home.parent / "export"), START)
    disk = Disk(monkeypatch, home.parent)
    target = home.parent / "new"
    read_archive(str(home.parent / "export"), str(target), lambda _store: None)

    temporary = f"new.import-{os.getpid()}~"
    named = disk.steps.index("name new")
    there = {str(path.relative_to(target)) for path in target.rglob("*")}
    last_writes = [step for step in disk.steps[:named] if step.startswith("write")]
    assert last_writes
    for path in there:
        assert f"sync {temporary}/{path}" in disk.steps[:named], path
    assert disk.steps[-1] == "sync ."


def test_what_is_written_outside_appears_when_it_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch, tmp_path)
    files.write_whole(str(tmp_path / "out"), b"data")

    (synced, named) = disk("sync", "name")
    assert synced.startswith("sync .cuectl-")
    assert named == "name out"


# --- reports, memories, histories -------------------------------------------------------------


REPORT = HandlerReport(success=True, fields={"result": "done"})


def test_a_report_is_in_the_journal_before_it_is_acknowledged(
    store: Store, home: Path, runtime: Runtime, disk: Disk
) -> None:
    execution = replace(an_execution(a_cue(), START + 60_000), status=ExecutionStatus.RUNNING)
    with store.transaction(START) as tx:
        tx.stage(claim.open_event("started", execution))
    path = Path(paths.run_file(str(home), execution.id, execution.attempt, "outcome.json"))
    path.parent.mkdir(parents=True, exist_ok=True)
    disk.steps.clear()

    given = {"CUE_OUTCOME_FILE": str(path), "CUE_EXECUTION_ID": execution.id}
    report_from_handler(replace(runtime, environment=given), REPORT)

    here = segment(store)
    assert f"write {here}" in disk.steps
    assert here not in disk.unsynced()
    assert (Store(str(home)).read(paths.open_execution(execution.id)) or {})["reported"] == {
        "success": True,
        "result": "done",
    }


@pytest.mark.parametrize("identity", ["", "exec_20261121T020000Z_000000000000"])
def test_a_report_that_the_store_does_not_take_is_durable_in_its_file(
    home: Path, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, identity: str
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    disk = Disk(monkeypatch, folder)
    path = folder / "outcome.json"
    given = {"CUE_OUTCOME_FILE": str(path), "CUE_EXECUTION_ID": identity}

    report_from_handler(replace(runtime, environment=given), REPORT)

    temporary = f"outcome.json.{os.getpid()}~"
    assert disk(f"sync {temporary}", "name outcome", "sync .") == [
        f"sync {temporary}",
        "name outcome.json",
        "sync .",
    ]


def test_an_outcome_is_synced_only_where_it_is_an_acknowledgement(home: Path, disk: Disk) -> None:
    output.write(str(home / "outcome.json"), b"{}", durable=False)
    assert disk("sync") == []
    output.write(str(home / "outcome.json"), b"{}")
    assert disk("sync") == [f"sync outcome.json.{os.getpid()}~"]


def test_a_memory_is_durable_before_a_record_names_it(home: Path, disk: Disk) -> None:
    named = source_memory.write(str(home), "cue_one", 1, {"seen": [1]})

    path = f"memory/{source_memory.file_name('cue_one', named)}"
    assert disk("sync", "name") == [f"sync {path}~", f"name {path}", "sync memory"]


def test_a_history_is_as_durable_as_its_lines_say(home: Path, disk: Disk) -> None:
    history = workflow_files.RunHistory(str(home), "run")
    assert disk("sync") == ["sync workflows", "sync ."]
    history.append({"n": 1})
    assert disk.unsynced() == {"workflows/run.jsonl"}
    history.append({"n": 2}, sync=True)
    assert disk.unsynced() == set()
    history.append({"n": 3})
    history.close()
    assert disk.unsynced() == set()


def test_a_message_for_a_session_is_durable_when_it_is_left(home: Path, disk: Disk) -> None:
    workflow_files.append_inbox(str(home), "h", {"text": "one"})
    assert disk.unsynced() == set()
    assert "write sessions/h.inbox" in disk.steps
    workflow_files.append_transcript(str(home), "h", {"turn": 1, "role": "user"})
    assert disk.unsynced() == {"sessions/h.jsonl"}
