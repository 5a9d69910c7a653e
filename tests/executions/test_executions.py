"""Finding executions while they change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cuectl.executions import claim
from cuectl.executions.lookup import find_record, get_execution, list_records, payload_in
from cuectl.executions.rules.filter import ExecutionFilter
from cuectl.store import handler_files, paths
from cuectl.store.journal.lines import JournalEntry
from cuectl.store.reading import open_reader
from cuectl.store.store import Store
from cuectl.values.errors import NotFound
from tests.fixtures.past import (
    MINUTE,
    START,
    a_cue,
    an_execution,
    create,
    revise,
    settle,
    succeeded,
)

if TYPE_CHECKING:
    from pathlib import Path

    from cuectl.process.runtime import Runtime

ALL = ExecutionFilter()
CUE = a_cue()


@pytest.fixture
def store(home: Path) -> Store:
    store = Store(str(home))
    create(store, CUE)
    return store


def opened(store: Store, at: int = START) -> str:
    """Claim an execution; return its id."""
    execution = an_execution(CUE, at, pass_id="1-1-1", boot="another")
    with store.transaction(START) as tx:
        tx.stage(claim.open_event("claimed", execution))
    return execution.id


def test_open_ones_come_before_settled_ones_and_the_newest_first(store: Store) -> None:
    settled = [settle(store, succeeded(an_execution(CUE, START + n * MINUTE))).id for n in (0, 9)]
    unsettled = [opened(store, START + n * MINUTE) for n in (5, 3)]

    found = [one["id"] for one in list_records(open_reader(store), ALL, START)]

    assert found == [*unsettled, *settled[::-1]]


def test_what_settles_between_two_looks_is_listed_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = opened(store)
    reader = open_reader(Store(store.home))
    real = type(reader).names

    def settling(self: object, folder: str) -> list[str]:
        names: list[str] = real(reader, folder)
        if folder == "open" and names:
            settle(store, succeeded(an_execution(CUE)))
        return names

    monkeypatch.setattr(type(reader), "names", settling)

    assert [one["id"] for one in list_records(reader, ALL, START)] == [identity]


def test_what_settles_before_the_views_are_listed_is_found_in_the_journal(store: Store) -> None:
    identity = opened(store)
    reader = open_reader(Store(store.home))

    settle(store, succeeded(an_execution(CUE)))

    assert [one["id"] for one in list_records(reader, ALL, START)] == [identity]
    assert find_record(reader, identity)["status"] == "succeeded"


def test_what_is_still_to_be_verified_is_listed_as_settled(store: Store) -> None:
    done = succeeded(an_execution(CUE), outcome_state="verification_pending")
    with store.transaction(START) as tx:
        views = {paths.waiting_execution(done.id): done.to_record()}
        tx.stage(claim.settled_event(done, dict(views)))

    found = list(list_records(open_reader(store), ALL, START))

    assert [(one["id"], one["outcome_state"]) for one in found] == [
        (done.id, "verification_pending")
    ]


def test_the_newest_revision_is_found_by_id(runtime: Runtime, store: Store) -> None:
    done = settle(store, succeeded(an_execution(CUE)))
    revise(store, done, START + MINUTE, summary="newer")

    assert get_execution(runtime, done.id).summary == "newer"


def test_a_start_that_several_have_names_them(store: Store) -> None:
    ids = sorted(opened(store, START + number) for number in range(5))

    with pytest.raises(NotFound) as error:
        find_record(open_reader(store), ids[0][:13])

    assert error.value.message == f"'{ids[0][:13]}' is ambiguous: {', '.join(ids[:3])}, ..."


def test_a_payload_in_a_file_is_read_and_its_loss_is_told(store: Store) -> None:
    handler_files.keep(store.home, b'{"task":"audit"}')
    import hashlib

    digest = hashlib.sha256(b'{"task":"audit"}').hexdigest()
    reader = open_reader(store)

    assert payload_in(reader, {"id": "exec_x", "payload_ref": digest}) == {"task": "audit"}
    assert payload_in(reader, {"id": "exec_x", "payload_ref": "0" * 64}) is None
    assert "the payload of 'exec_x' can't be read" in reader.notes[0]


def test_a_record_under_another_name_is_not_taken_for_an_execution(store: Store) -> None:
    # A payload may hold whatever a line of the journal holds.
    trap = {"type": "execution.settled", "execution": "exec_01m7xz0v20png8pw42ddcg9x"}
    with store.transaction(START) as tx:
        tx.stage(JournalEntry(type="cue.updated", detail={"payload": trap}))

    assert list(list_records(open_reader(store), ALL, START)) == []
    with pytest.raises(NotFound):
        find_record(open_reader(store), "exec_01m7xz0v20png8pw42ddcg9x")
