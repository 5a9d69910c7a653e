"""`gc`: packing, dropping behind a base, sweeping."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

import pytest

from cuectl.cues.rules.record import CueState, CueStatus
from cuectl.executions import claim
from cuectl.executions.rules.record import ExecutionStatus
from cuectl.store import files, paths
from cuectl.store.history import settled_newest_first
from cuectl.store.home import named_lock
from cuectl.store.journal.lines import JournalEntry
from cuectl.store.reading import open_reader
from cuectl.store.repair.fsck import check, view_files
from cuectl.store.repair.gc import LOCK_NAME, Collected, Keep, collect
from cuectl.store.store import Store
from cuectl.values.errors import LockTimeout, StateError
from tests.fixtures.past import (
    START,
    a_cue,
    an_execution,
    create,
    note,
    revise,
    rotate,
    settle,
    succeeded,
)

DAY = 24 * 3_600_000
KEEP = Keep(output_s=30 * 86_400, journal_s=400 * 86_400)
CUE = a_cue()
SEGMENTS = 6
NOW = START + (SEGMENTS + 1) * 100 * DAY


@pytest.fixture
def store(home: Path) -> Store:
    """Six segments, each with an execution, a hundred days apart."""
    store = Store(str(home))
    create(store, CUE)
    for number in range(SEGMENTS):
        at = START + number * 100 * DAY
        settle(store, succeeded(an_execution(CUE, at)))
        rotate(store, at + 3000)
    note(store, NOW)
    return store


def run(store: Store, *, dry_run: bool = False, keep: Keep = KEEP, now: int = NOW) -> Collected:
    return collect(Store(store.home), keep, now, dry_run=dry_run)


def names(store: Store) -> list[str]:
    return sorted(
        path.name for path in Path(store.home, "journal").iterdir() if path.name[0] in "0b"
    )


def contents(store: Store) -> dict[str, bytes]:
    return {path: Path(store.home, path).read_bytes() for path in view_files(store.home)}


def settled(store: Store) -> list[int]:
    """Return the days, counted from the first, of the executions that can be looked up."""
    from cuectl.values.times import from_text

    history = open_reader(Store(store.home)).history
    found = settled_newest_first(history, ())
    return [(from_text(record["scheduled_for"]) - START) // DAY for record in found]


def old(path: Path, age_ms: int, now: int = NOW) -> Path:
    """Make a file, and its directories, that is so old."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"12345678")
    at = (now - age_ms) / 1000
    os.utime(path, (at, at))
    return path


def assert_it_starts_from_its_journal(store: Store) -> None:
    before = contents(store)
    for path in before:
        Path(store.home, path).unlink()
    for name in ("applied", "checkpoint"):
        Path(store.home, "journal", name).unlink()
    from cuectl.store.repair.rebuild import rebuild

    rebuild(Store(store.home), NOW)
    assert contents(store) == before


def test_closed_segments_are_packed_but_for_the_newest(store: Store) -> None:
    whole = {path.name: path.read_bytes() for path in Path(store.home, "journal").glob("0*")}

    done = run(store, keep=Keep(output_s=1, journal_s=4000 * 86_400))

    assert len(done.packed) == SEGMENTS - 2
    assert done.freed_bytes > 0
    for name in done.packed:
        packed = Path(store.home, "journal", f"{name}.gz")
        assert gzip.decompress(packed.read_bytes()) == whole[name]
        assert packed.stat().st_mode & 0o777 == 0o600
        assert not Path(store.home, "journal", name).exists()
    assert settled(store) == [500, 400, 300, 200, 100, 0]
    assert check(Store(store.home)).findings == ()


def test_old_segments_are_dropped_behind_a_base(store: Store) -> None:
    before = contents(store)

    done = run(store)

    assert len(done.dropped) == 3
    assert done.base in names(store)
    assert settled(store) == [500, 400, 300]
    assert contents(store) == before
    assert check(Store(store.home)).findings == ()


def test_a_base_takes_the_place_of_the_one_before(store: Store) -> None:
    first = run(store)
    second = run(store, now=NOW + 150 * DAY)

    assert [name for name in names(store) if name[0] == "b"] == [second.base]
    assert first.base != second.base
    assert check(Store(store.home)).findings == ()


def test_everything_can_be_rebuilt_from_the_base(store: Store) -> None:
    run(store)

    assert_it_starts_from_its_journal(store)


def test_a_second_run_finds_nothing_to_do(store: Store) -> None:
    run(store)
    before = names(store)

    again = run(store)

    assert (again.packed, again.dropped, again.removed) == ([], [], [])
    assert names(store) == before


def test_a_dry_run_says_the_same_and_changes_nothing(store: Store) -> None:
    old(Path(store.home, "runs/2026-11-21/exec_x.out"), 60 * DAY)
    before = names(store)

    said = run(store, dry_run=True)

    assert names(store) == before
    assert Path(store.home, "runs/2026-11-21/exec_x.out").exists()
    done = run(store)
    assert (said.packed, said.dropped, said.removed) == (done.packed, done.dropped, done.removed)


def test_a_damaged_journal_is_not_dropped(store: Store) -> None:
    first = Path(store.home, "journal", names(store)[0])
    first.write_bytes(first.read_bytes().replace(b"audit", b"audot", 1))
    before = names(store)

    with pytest.raises(StateError, match="is damaged"):
        run(store)

    assert names(store) == before


def test_outputs_go_by_day(store: Store) -> None:
    home = Path(store.home)
    gone = old(home / "runs/2026-11-21/exec_a.out", 31 * DAY)
    kept = old(home / "runs" / "2029-01-25" / "exec_b.out", 40 * DAY, NOW)
    strange = old(home / "runs" / "notes" / "exec_c.out", 90 * DAY)

    done = run(store)

    assert done.removed == ["runs/2026-11-21/exec_a.out"]
    assert not gone.parent.exists()
    assert kept.exists()
    assert strange.exists()


def test_an_output_that_was_written_lately_is_kept_whatever_its_day(store: Store) -> None:
    fresh = old(Path(store.home, "runs/2026-11-21/exec_a.out"), DAY)

    assert run(store).removed == []
    assert fresh.exists()


def test_outputs_of_what_is_undecided_are_kept(store: Store) -> None:
    running = an_execution(CUE, pass_id="1-1-1")
    pending = succeeded(an_execution(CUE, START + 1), outcome_state="verification_pending")
    with store.transaction(NOW) as tx:
        tx.stage(claim.open_event("claimed", running))
        tx.stage(claim.waiting_event("waiting", pending))
    kept = [
        old(Path(paths.run_file(store.home, one.id, 1, "out")), 60 * DAY)
        for one in (running, pending)
    ]

    assert run(store).removed == []
    assert all(path.exists() for path in kept)


def test_payloads_stay_as_long_as_a_line_names_them(store: Store) -> None:
    named, unnamed, fresh = ("a" * 64, "b" * 64, "c" * 64)
    create(store, a_cue("large", payload={}, payload_ref=named), NOW)
    for digest in (named, unnamed):
        old(Path(paths.payload_file(store.home, digest)), 2 * DAY)
    old(Path(paths.payload_file(store.home, fresh)), 1000)

    assert run(store).removed == [f"payloads/{unnamed}.json"]


def test_leftovers_of_dead_writers_are_swept(store: Store) -> None:
    home = Path(store.home)
    old(home / "cues/cue_a.json~", 1000)
    old(home / "next~", 1000)
    old(home / "journal/torn-7", 500 * DAY)
    old(home / "quarantine/1-cues-x.json", 500 * DAY)
    old(home / "quarantine/2-cues-x.json", 5 * DAY)
    old(home / "passes/1-1-1~", 2 * DAY)
    old(home / "passes/2-2-2~", 1000)

    assert sorted(run(store).removed) == [
        "cues/cue_a.json~",
        "journal/torn-7",
        "next~",
        "passes/1-1-1~",
        "quarantine/1-cues-x.json",
    ]


def test_small_records_go_with_the_journal_that_they_belong_to(store: Store) -> None:
    resting = create(store, a_cue("resting"))
    rested = CueState(status=CueStatus.COMPLETED, last_run=START, last_at=START)
    chain = paths.chain_key(an_execution(CUE).id, "key")
    with store.transaction(NOW) as tx:
        tx.stage(
            JournalEntry(type="cue.updated", set={paths.state(resting.id): rested.to_record()})
        )
        tx.stage(JournalEntry(type="cue.created", set={chain: {"cue": "cue_x"}}))
    revise(store, succeeded(an_execution(CUE)), NOW)

    assert run(store, dry_run=True).forgotten == 3
    assert run(store).forgotten == 3

    left = contents(store)
    assert sorted(left) == sorted(
        [paths.cue(CUE.id), paths.state(CUE.id), paths.name_key(CUE.name)]
    )
    assert check(Store(store.home)).findings == ()


def test_a_chain_key_of_what_still_runs_is_kept(store: Store) -> None:
    running = an_execution(CUE, pass_id="1-1-1", status=ExecutionStatus.PENDING)
    chain = paths.chain_key(running.id, "key")
    with store.transaction(NOW) as tx:
        tx.stage(claim.open_event("claimed", running, {chain: {"cue": "cue_x"}}))

    run(store)

    assert chain in contents(store)


def test_only_one_is_at_work(store: Store) -> None:
    with named_lock(store.home, LOCK_NAME), pytest.raises(LockTimeout, match="another"):
        run(store)


def test_interrupted_at_any_step_it_can_be_done_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(store)
    whole = Path(store.home)
    copy = whole.with_name("copy")
    shutil.copytree(whole, copy)
    calls, stop_at = 0, 10_000
    steps: set[str] = set()

    def counted(name: str) -> None:
        real = getattr(files, name)

        def call(*args: object, **options: object) -> object:
            nonlocal calls
            calls += 1
            steps.add(f"{name} {os.path.basename(str(args[0]))}")
            if calls == stop_at:
                raise KeyboardInterrupt
            return real(*args, **options)

        monkeypatch.setattr(files, name, call)

    for name in ("replace_file", "remove_file", "sync_directory", "sync"):
        counted(name)
    there = set(names(store))
    done = run(store)
    total, wanted = calls, names(store)

    # Each file that came or went was one of the steps, and so was what makes that durable.
    assert {f"remove_file {name}" for name in there - set(wanted)} <= steps
    assert {f"replace_file {name}" for name in set(wanted) - there} <= steps
    assert {"sync_directory journal", f"replace_file {done.base}"} <= steps
    assert (len(done.dropped), len(done.packed)) == (3, 1)
    for stop_at in range(1, total + 1):
        shutil.rmtree(whole)
        shutil.copytree(copy, whole)
        calls = 0
        with pytest.raises(KeyboardInterrupt):
            run(store)
        calls = -10_000_000
        assert check(Store(store.home)).is_clean, stop_at
        assert settled(store)[:3] == [500, 400, 300]
        run(store)
        assert names(store) == wanted, stop_at
        assert contents(store) == before
