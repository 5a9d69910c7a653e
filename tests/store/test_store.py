"""The store of one process: changes under the lock, views that follow, healing, crashes.

The invariant everywhere: the views equal what the journal implies.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from cuectl.store import files, idle
from cuectl.store import home as home_directory
from cuectl.store import home as lock
from cuectl.store import views as views_module
from cuectl.store.journal import checkpoint, segments
from cuectl.store.journal.journal import Journal
from cuectl.store.journal.lines import (
    Applied,
    JournalEntry,
    Position,
    Views,
    unsealed,
    write_applied,
)
from cuectl.store.store import Store, StoreLimits
from cuectl.store.views import BadView
from cuectl.values.errors import LockTimeout, StateError
from cuectl.values.times import to_text
from tests.implied import implied_views

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOW = 1_795_226_400_000
ONE, TWO = "cues/cue_one.json", "cues/cue_two.json"
MARKER = "due/498674/00/1795226400000.c.cue_one"


def change(store: Store, *sets: Views, flush: bool = True) -> None:
    """Commit one event for each `set`."""
    with store.transaction(NOW, flush=flush) as tx:
        for views in sets:
            tx.stage(JournalEntry(type="x.y", set=views))


def on_disk(home: Path) -> Views:
    """Return the views as they stand in files."""
    found: Views = {}
    for folder in ("cues", "open", "waiting", "keys", "due"):
        for path in (home / folder).rglob("*"):
            if path.is_file() and not path.name.endswith("~"):
                name = str(path.relative_to(home))
                raw = path.read_bytes()
                found[name] = unsealed(raw, name)[0] if raw else True
    return found


@pytest.fixture
def store(home: Path) -> Store:
    return Store(str(home))


@pytest.fixture
def other(home: Path) -> Store:
    """The store of another process."""
    return Store(str(home))


# --- transactions -------------------------------------------------------------------------


def test_a_change_is_in_the_journal_and_in_the_views(store: Store, home: Path) -> None:
    change(store, {ONE: {"n": 1}, MARKER: True}, {TWO: {"n": 2}})

    assert on_disk(home) == {ONE: {"n": 1}, MARKER: True, TWO: {"n": 2}}
    assert implied_views(str(home)) == on_disk(home)


def test_a_change_of_nothing_writes_nothing(store: Store, home: Path) -> None:
    with store.transaction(NOW) as tx:
        assert tx.read(ONE) is None

    assert not list((home / "journal").glob("*.jsonl"))


def test_a_change_that_is_broken_off_writes_nothing(store: Store, home: Path) -> None:
    change(store, {ONE: {"n": 1}})
    before = (home / "journal/000000000001.jsonl").read_bytes()

    def break_off() -> None:
        with store.transaction(NOW) as tx:
            tx.stage(JournalEntry(type="x.y", set={ONE: {"n": 2}}))
            raise KeyError

    with pytest.raises(KeyError):
        break_off()

    assert (home / "journal/000000000001.jsonl").read_bytes() == before
    with store.transaction(NOW) as tx:
        assert tx.read(ONE) == {"n": 1}


def test_what_is_staged_can_be_read(store: Store) -> None:
    change(store, {ONE: {"n": 1}})
    with store.transaction(NOW) as tx:
        tx.stage(JournalEntry(type="x.y", set={ONE: {"n": 2}, TWO: {"n": 3}}))
        assert (tx.read(ONE), tx.read(TWO)) == ({"n": 2}, {"n": 3})
        tx.amend({TWO: None})
        assert tx.read(TWO) is None
        assert tx.count == 1


def test_an_event_may_not_name_what_is_no_view(store: Store, home: Path) -> None:
    def escape() -> None:
        with store.transaction(NOW) as tx:
            tx.stage(JournalEntry(type="x.y", set={"../outside": {"n": 1}}))

    with pytest.raises(ValueError, match="not the path of a view"):
        escape()
    assert not (home.parent / "outside").exists()


def test_a_pass_reads_what_it_has_not_written_yet(store: Store, home: Path) -> None:
    change(store, {ONE: {"n": 1}, MARKER: True}, flush=False)
    assert on_disk(home) == {}
    assert store.read(ONE) == {"n": 1}

    # Before a listing the views are written (hole A32).
    with store.locked():
        assert store.names("cues") == ["cue_one.json"]
    assert on_disk(home) == {ONE: {"n": 1}, MARKER: True}


def test_one_sync_for_each_change(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    change(store, {ONE: {"n": 0}})
    synced: list[int] = []
    sync = files.sync

    def count(fd: int) -> None:
        synced.append(fd)
        sync(fd)

    monkeypatch.setattr(files, "sync", count)
    many: list[Views] = [{ONE: {"n": number}} for number in range(50)]
    change(store, *many)

    assert len(synced) == 1


# --- several processes ----------------------------------------------------------------------


def test_two_processes_see_each_other(store: Store, other: Store, home: Path) -> None:
    change(store, {ONE: {"n": 1}})
    with other.transaction(NOW) as tx:
        assert tx.read(ONE) == {"n": 1}
        tx.stage(JournalEntry(type="x.y", set={ONE: {"n": 2}}))
    with store.transaction(NOW) as tx:
        assert tx.read(ONE) == {"n": 2}

    assert on_disk(home) == {ONE: {"n": 2}}


def test_what_one_process_has_not_written_another_one_writes(
    store: Store, other: Store, home: Path
) -> None:
    change(store, {ONE: {"n": 1}}, flush=False)
    change(other, {TWO: {"n": 2}})
    assert on_disk(home) == {ONE: {"n": 1}, TWO: {"n": 2}}

    change(other, {ONE: None})
    change(store, {TWO: {"n": 3}})
    assert on_disk(home) == {TWO: {"n": 3}}


def test_a_remembered_view_does_not_hide_a_newer_one(store: Store, other: Store) -> None:
    change(store, {ONE: {"n": 1}})
    with store.locked():
        assert store.read(ONE) == {"n": 1}
    for number in (2, 3):
        change(other, {ONE: {"n": number}})
        with store.locked():
            assert store.read(ONE) == {"n": number}
            store.flush()
            assert store.read(ONE) == {"n": number}


def test_every_committed_group_is_told(store: Store, other: Store) -> None:
    seen: list[Views] = []
    store.watch = lambda views: seen.append(dict(views))
    change(store, {ONE: {"n": 1}})
    change(other, {ONE: {"n": 2}}, {TWO: {"n": 3}})
    with store.locked():
        assert seen == [{ONE: {"n": 1}}, {ONE: {"n": 2}}, {TWO: {"n": 3}}]


def test_the_lock_is_not_waited_for_longer_than_told(store: Store, other: Store) -> None:
    with store.locked(), pytest.raises(LockTimeout, match="held by process"):
        with other.transaction(NOW, limit_s=0.05):
            pass


def test_readers_sync_what_they_answer_from(
    store: Store, other: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer may have been killed between its write and its sync (hole A3)."""
    change(store, {ONE: {"n": 1}})
    synced: list[int] = []
    monkeypatch.setattr(files, "sync", synced.append)
    with other.transaction(NOW) as tx:
        assert tx.read(ONE) == {"n": 1}

    # What was applied in this boot is known to be synced; what follows is not.
    count = len(synced)
    with monkeypatch.context() as patched:
        patched.setattr(views_module, "apply", lambda *_, **__: [])
        change(store, {ONE: {"n": 2}}, flush=False)
    with other.transaction(NOW) as tx:
        assert tx.read(ONE) == {"n": 2}
    assert len(synced) > count


# --- crashes and damage ---------------------------------------------------------------------


def test_a_process_that_dies_before_it_writes_the_views_is_healed(home: Path) -> None:
    change(Store(str(home)), {ONE: {"n": 1}, MARKER: True}, flush=False)
    change(Store(str(home)), {TWO: {"n": 2}})

    assert on_disk(home) == {ONE: {"n": 1}, MARKER: True, TWO: {"n": 2}}


def test_every_torn_length_of_the_last_group_is_as_if_it_had_not_been(home: Path) -> None:
    journal = home / "journal" / "000000000001.jsonl"
    change(Store(str(home)), {ONE: {"n": 1}}, {TWO: {"n": 2}})
    whole = journal.read_bytes()
    change(Store(str(home)), {ONE: {"n": 3}}, {TWO: None, MARKER: True}, flush=False)
    longer = journal.read_bytes()

    for length in range(len(whole), len(longer)):
        journal.write_bytes(longer[:length])
        with Store(str(home)).locked():
            assert journal.read_bytes() == whole, length
    assert on_disk(home) == {ONE: {"n": 1}, TWO: {"n": 2}}
    journal.write_bytes(longer)
    with Store(str(home)).transaction(NOW):
        pass
    assert on_disk(home) == {ONE: {"n": 3}, MARKER: True}


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b'{"segment": "../x"}', b"\xff"])
@pytest.mark.parametrize("name", ["applied", "checkpoint"])
def test_a_lost_or_damaged_place_costs_time_and_nothing_else(
    home: Path, name: str, content: bytes | None
) -> None:
    change(Store(str(home)), {ONE: {"n": 1}}, {TWO: {"n": 2}})
    checkpoint.checkpoint(Store(str(home)))
    change(Store(str(home)), {ONE: {"n": 3}})
    path = home / "journal" / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    change(Store(str(home)), {TWO: None})

    assert on_disk(home) == {ONE: {"n": 3}}


def test_a_place_of_another_boot_is_not_trusted(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut may have lost views that `applied` speaks of (hole A7)."""
    change(Store(str(home)), {ONE: {"n": 1}}, {TWO: {"n": 2}}, {MARKER: True})
    (home / ONE).write_bytes(b"")
    (home / TWO).unlink()
    (home / MARKER).unlink()
    monkeypatch.setattr(idle, "boot_id", lambda: "another-boot")
    with Store(str(home)).transaction(NOW):
        pass

    assert on_disk(home) == {ONE: {"n": 1}, TWO: {"n": 2}, MARKER: True}


def test_a_boot_that_cannot_be_told_is_never_trusted(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idle, "boot_id", lambda: "-")
    change(Store(str(home)), {ONE: {"n": 1}})
    (home / ONE).unlink()
    with Store(str(home)).transaction(NOW):
        pass

    assert on_disk(home) == {ONE: {"n": 1}}


def test_a_journal_that_lacks_what_was_applied_is_an_error(home: Path) -> None:
    change(Store(str(home)), {ONE: {"n": 1}})
    journal = home / "journal" / "000000000001.jsonl"
    old = journal.read_bytes()
    change(Store(str(home)), {ONE: {"n": 2}})
    journal.write_bytes(old)

    with pytest.raises(StateError, match="went back"):
        with Store(str(home)).locked():
            pass
    assert journal.read_bytes() == old
    assert on_disk(home) == {ONE: {"n": 2}}


def test_a_failed_sync_leaves_nothing_behind(
    store: Store, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(store, {ONE: {"n": 1}})

    def fail(_fd: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(files, "sync", fail)
        with pytest.raises(OSError, match="Input/output"):
            change(store, {ONE: {"n": 2}})

    assert on_disk(home) == {ONE: {"n": 1}}
    with store.transaction(NOW) as tx:
        assert tx.read(ONE) == {"n": 1}
    change(store, {TWO: {"n": 2}})
    assert on_disk(home) == {ONE: {"n": 1}, TWO: {"n": 2}}


def test_what_stays_behind_is_written_by_whoever_can(store: Store, home: Path) -> None:
    (home / ONE).mkdir()
    change(store, {ONE: {"n": 1}, TWO: {"n": 2}})
    assert store.behind == (ONE,)
    assert on_disk(home) == {TWO: {"n": 2}}
    assert store.read(ONE) == {"n": 1}

    another = Store(str(home))
    change(another, {MARKER: True})
    assert another.behind == (ONE,)
    (home / ONE).rmdir()
    with Store(str(home)).transaction(NOW) as tx:
        assert tx.read(ONE) == {"n": 1}
    assert on_disk(home) == {ONE: {"n": 1}, TWO: {"n": 2}, MARKER: True}
    assert json.loads((home / "journal" / "applied").read_text()).get("behind") is None


def test_what_stays_behind_in_one_process_does_not_undo_what_another_wrote(
    store: Store, home: Path
) -> None:
    (home / ONE).mkdir()
    change(store, {ONE: {"n": 1}})
    (home / ONE).rmdir()
    change(Store(str(home)), {ONE: {"n": 2}})
    change(store, {TWO: {"n": 3}})

    assert on_disk(home) == {ONE: {"n": 2}, TWO: {"n": 3}}


def test_a_damaged_view_is_an_error_for_a_command(store: Store, home: Path) -> None:
    change(store, {ONE: {"n": 1}})
    (home / ONE).write_bytes(b"{")
    fresh = Store(str(home))

    with pytest.raises((StateError, BadView), match="cue_one"):
        with fresh.transaction(NOW) as tx:
            tx.read(ONE)


def test_a_damaged_view_is_healed_where_somebody_can(store: Store, home: Path) -> None:
    change(store, {ONE: {"n": 1}})
    (home / ONE).write_bytes(b"{")
    fresh = Store(str(home))
    asked: list[str] = []

    def heal(bad: BadView) -> dict[str, Any]:
        asked.append(bad.path)
        return {"n": 1}

    fresh.heal = heal
    with fresh.transaction(NOW) as tx:
        assert tx.decoded(ONE, lambda record: record["n"]) == 1
        assert tx.decoded(TWO, lambda record: record["n"]) is None
    assert asked == [ONE]


# --- long lives -----------------------------------------------------------------------------


def test_a_large_overlay_is_written_before_it_grows_on(home: Path) -> None:
    first = Store(str(home))
    for number in range(20):
        change(first, {f"cues/cue_{number}.json": {"n": number}}, flush=False)
    small = Store(str(home), limits=StoreLimits(overlay_paths=10))
    with small.locked():
        assert small.overlay == {}
    assert len(on_disk(home)) == 20


@pytest.mark.parametrize("name", ["applied", "checkpoint"])
def test_a_place_before_a_packed_segment_does_not_fork_the_history(home: Path, name: str) -> None:
    """A second segment of the name of a packed one would be a second history."""
    store = Store(str(home))
    change(store, {ONE: {"n": 1}})
    with store.locked():
        before = store.journal.place
        store.journal.rotate(to_text(NOW))
    change(store, {TWO: {"n": 2}})
    first = home / "journal" / before.segment
    (first.with_name(f"{first.name}.gz")).write_bytes(gzip.compress(first.read_bytes()))
    first.unlink()
    for one in ("applied", "checkpoint"):
        (home / "journal" / one).unlink(missing_ok=True)
    stale = Applied(position=Position(segment=before.segment), boot=store.boot)
    write_applied(f"{home}/journal/{name}", stale)

    other = Store(str(home))
    change(other, {TWO: {"n": 3}})

    assert not first.exists()
    assert [line["seq"] for line in segments.read_lines(str(home))] == [1, 2, 3, 4]
    assert other.read(ONE) == {"n": 1}
    lost = Journal(str(home))
    with pytest.raises(StateError, match="packed already"):
        lost.append([JournalEntry(type="x.y")], to_text(NOW))


def test_what_is_durable_is_no_error_though_applied_can_not_be_written(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(str(home))
    change(store, {ONE: {"n": 1}})
    known = (home / "journal" / "applied").read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("cuectl.store.store.write_applied", full)
        change(store, {TWO: {"n": 2}})

        assert "no space left" in str(store.unapplied)
        assert (home / "journal" / "applied").read_bytes() == known
        # Segments behind a checkpoint are packed away; `applied` must not lead into one.
        checkpoint.checkpoint(store)
        assert not (home / "journal" / "checkpoint").exists()
    assert Store(str(home)).read(TWO) == {"n": 2}
    with store.locked():
        store.flush()
    assert store.unapplied is None
    assert (home / "journal" / "applied").read_bytes() != known


def test_a_process_whose_segment_was_packed_away_starts_again(home: Path) -> None:
    store = Store(str(home), limits=StoreLimits(segment_bytes=1))
    change(store, {ONE: {"n": 1}})
    other = Store(str(home))
    with other.locked():
        checkpoint.rotate_if_large(other, NOW)
    with Store(str(home), limits=StoreLimits(segment_bytes=1)).locked():
        pass
    fresh = Store(str(home), limits=StoreLimits(segment_bytes=1))
    with fresh.transaction(NOW) as tx:
        tx.stage(JournalEntry(type="x.y", set={TWO: {"n": 2}}))
    with fresh.locked():
        checkpoint.rotate_if_large(fresh, NOW)
    first = home / "journal" / "000000000001.jsonl"
    _pack(first)
    change(store, {TWO: {"n": 3}})

    assert on_disk(home) == {ONE: {"n": 1}, TWO: {"n": 3}}


def _pack(path: Path) -> None:
    import gzip

    path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()


# --- everything at once -----------------------------------------------------------------------

PATHS = [
    *(f"cues/cue_{letter}.json" for letter in "ab"),
    *(f"open/exec_{letter}.json" for letter in "ab"),
    "keys/name.a.json",
    *(f"due/498674/0{minute}/{NOW + minute * 60_000}.c.cue_a" for minute in (0, 1)),
]
SETS = st.dictionaries(st.sampled_from(PATHS), st.integers(-1, 9), min_size=1, max_size=4).map(
    lambda found: {path: _value(path, number) for path, number in found.items()}
)
BOTH = st.integers(0, 1)


def _value(path: str, number: int) -> Any:
    if number < 0:
        return None
    return True if path.startswith("due/") else {"n": number, "text": "x" * number * 40}


class Dead(BaseException):
    """The process is killed here."""


class StoreMachine(RuleBasedStateMachine):
    """Two processes over one home, which die, and a machine that loses its power."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="cuectl-store-"))
        home_directory.make(str(self.home))
        self.boot = 1
        self.model: Views = {}
        self.synced: Views = {}
        self.blocked: str | None = None
        self.stores: list[Store] = []

    @initialize()
    def start(self) -> None:
        self.stores = [self._new_store(), self._new_store()]

    def _renew(self, *which: int) -> None:
        """Let processes die, and others come."""
        for place in which or (0, 1):
            self.stores[place].journal.close()
            self.stores[place] = self._new_store()

    def _new_store(self) -> Store:
        store = Store(str(self.home), limits=StoreLimits(segment_bytes=900, overlay_paths=12))
        store.boot = f"boot-{self.boot}"
        return store

    def _reads(self, read: Callable[[str], Any]) -> None:
        for path in PATHS:
            value = self.model.get(path)
            in_the_way = path == self.blocked and value is None
            if not path.startswith("due/") and not in_the_way:
                assert read(path) == value, path

    def _applied(self, model: Views, sets: list[Views]) -> Views:
        result = dict(model)
        for views in sets:
            for path, value in views.items():
                result.pop(path, None)
                if value is not None:
                    result[path] = value
        return result

    @rule(which=BOTH, sets=st.lists(SETS, min_size=1, max_size=3), flush=st.booleans())
    def commit(self, which: int, sets: list[Views], flush: bool) -> None:
        store = self.stores[which]
        with store.transaction(NOW, flush=flush) as tx:
            self._reads(tx.read)
            for views in sets:
                tx.stage(JournalEntry(type="x.y", set=views))
            checkpoint.rotate_if_large(store, NOW)
        self.model = self._applied(self.model, sets)

    @rule(which=BOTH, sets=st.lists(SETS, min_size=1, max_size=3), sync=st.booleans())
    def fail(self, which: int, sets: list[Views], sync: bool) -> None:
        """The disk fails or is full in the middle of a commit."""

        def broken(fd: int, data: bytes = b"") -> None:
            if data:
                os.write(fd, data[: len(data) // 2])
            raise OSError(5 if sync else 28, "broken")

        with _patched(files, "sync" if sync else "write_all", broken):
            with pytest.raises(OSError, match="broken"):
                change(self.stores[which], *sets, flush=False)

    @rule(which=BOTH, sets=st.lists(SETS, min_size=1, max_size=3), kept=st.floats(0, 1))
    def die_in_a_write(self, which: int, sets: list[Views], kept: float) -> None:
        """A process is killed, or the power goes, before its group is whole."""
        with self.stores[which].locked():
            before = self.stores[which].journal.place
            path = self.home / "journal" / before.segment
            start = before.size
        change(self.stores[which], *sets, flush=False)
        size = path.stat().st_size
        os.truncate(path, start + int((size - start - 1) * kept))
        self._renew(which)

    @rule(which=BOTH, after=st.integers(0, 6), sets=st.lists(SETS, min_size=1, max_size=3))
    def die_in_a_flush(self, which: int, after: int, sets: list[Views]) -> None:
        """A process is killed while it writes the views."""
        store = self.stores[which]
        change(store, *sets, flush=False)
        self.model = self._applied(self.model, sets)
        left = [after]

        def dying(call: Callable[..., Any]) -> Callable[..., Any]:
            def act(*arguments: Any, **named: Any) -> Any:
                if left[0] == 0:
                    raise Dead
                left[0] -= 1
                return call(*arguments, **named)

            return act

        names = ("overwrite_file", "replace_file", "touch_new", "remove_file")
        with _patched_all(files, {name: dying(getattr(files, name)) for name in names}):
            try:
                with store.locked():
                    store.flush()
            except Dead:
                pass
        self._renew(which)

    @rule(which=BOTH)
    def die(self, which: int) -> None:
        self._renew(which)

    @rule(which=BOTH)
    def flush(self, which: int) -> None:
        with self.stores[which].locked():
            self.stores[which].flush()

    @rule(which=BOTH)
    def take_a_checkpoint(self, which: int) -> None:
        checkpoint.checkpoint(self.stores[which])
        self.synced = dict(self.model)

    @rule(content=st.sampled_from([None, b"", b"{", b"[1]"]))
    def lose_applied(self, content: bytes | None) -> None:
        """It is removed or damaged; processes that run do not look at it any more."""
        path = self.home / "journal" / "applied"
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        self._renew()

    @rule(data=st.data())
    def lose_power(self, data: st.DataObject) -> None:
        """Views that changed since the checkpoint come back old, new, empty, or not at all."""
        self.boot += 1
        changed = [path for path in PATHS if self.model.get(path) != self.synced.get(path)]
        for path in changed:
            target = self.home / path
            if target.is_dir():
                continue
            fate = data.draw(st.sampled_from(["new", "old", "gone", "empty"]))
            old = self.synced.get(path)
            if fate == "gone" or (fate == "old" and old is None):
                target.unlink(missing_ok=True)
            elif fate == "empty" or (fate == "old" and old is True):
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(b"")
            elif fate == "old":
                target.write_text(json.dumps(old))
        self._renew()

    @precondition(lambda self: self.blocked is None)
    @rule(path=st.sampled_from(PATHS[:5]))
    def block_a_view(self, path: str) -> None:
        """Something stands in the place of a view that is not there now."""
        with self.stores[0].locked():
            self.stores[0].flush()
        if not (self.home / path).exists():
            (self.home / path).mkdir()
            (self.home / path / "in the way").touch()
            self.blocked = path

    @precondition(lambda self: self.blocked is not None)
    @rule()
    def unblock(self) -> None:
        shutil.rmtree(self.home / str(self.blocked))
        self.blocked = None

    @rule()
    def rotate(self) -> None:
        store = self.stores[0]
        with store.locked():
            if store.journal.place.size:
                store.flush()
                store.journal.rotate("2026-11-21T02:00:00Z")
                store.flush()

    @rule(which=BOTH)
    def die_between_two_segments(self, which: int) -> None:
        store = self.stores[which]
        with store.locked():
            if not store.journal.place.size:
                return
            store.journal.rotate("2026-11-21T02:00:00Z")
            (self.home / "journal" / store.journal.place.segment).unlink()
        self._renew()

    @invariant()
    def the_journal_implies_the_model(self) -> None:
        if self.stores:
            assert implied_views(str(self.home)) == self.model

    @rule()
    def whoever_comes_next_sees_the_model_and_writes_it(self) -> None:
        copy = Path(tempfile.mkdtemp(prefix="cuectl-copy-"))
        try:
            shutil.copytree(self.home, copy / "home")
            fresh = Store(str(copy / "home"))
            fresh.boot = f"boot-{self.boot}"
            with fresh.locked():
                self._reads(fresh.read)
                fresh.flush()
            fresh.journal.close()
            expected = {p: v for p, v in self.model.items() if p != self.blocked}
            found = on_disk(copy / "home")
            found = {p: v for p, v in found.items() if not p.endswith("/in the way")}
            assert found == expected
            if self.blocked in self.model:
                assert fresh.behind == (self.blocked,)
        finally:
            shutil.rmtree(copy)

    def teardown(self) -> None:
        self.whoever_comes_next_sees_the_model_and_writes_it()
        for store in self.stores:
            store.journal.close()
        shutil.rmtree(self.home)


@contextmanager
def _patched(module: Any, name: str, value: Any) -> Iterator[None]:
    with _patched_all(module, {name: value}):
        yield


@contextmanager
def _patched_all(module: Any, values: dict[str, Any]) -> Iterator[None]:
    before = {name: getattr(module, name) for name in values}
    try:
        for name, value in values.items():
            setattr(module, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(module, name, value)


def test_the_views_are_what_the_journal_implies_whatever_happens() -> None:
    from hypothesis import settings

    run_state_machine_as_test(
        StoreMachine, settings=settings(max_examples=25, stateful_step_count=20)
    )


@pytest.mark.stress
def test_the_views_are_what_the_journal_implies_over_a_long_time() -> None:
    from hypothesis import settings

    run_state_machine_as_test(
        StoreMachine, settings=settings(max_examples=600, stateful_step_count=40)
    )


def test_the_lock_file_is_private(store: Store, home: Path) -> None:
    change(store, {ONE: {"n": 1}})

    assert (home / "lock").stat().st_mode & 0o777 == 0o600
    assert not lock.is_held(f"{home}/lock")
