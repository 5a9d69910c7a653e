from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cuectl.cues.create import creation_event
from cuectl.cues.lookup import all_cues, cue_ids, find_cue
from cuectl.store import paths
from cuectl.values.errors import NotFound, StateError
from tests.fixtures.cue_making import change, found, make

if TYPE_CHECKING:
    from cuectl.process.runtime import Runtime


def test_a_cue_is_found_by_name_id_and_start_of_id(runtime: Runtime) -> None:
    cue = make(runtime, name="night audit")
    make(runtime, name="other")

    for ref in ("night audit", cue.id, cue.id[:8], cue.id[:12]):
        assert found(runtime, ref)[0] == cue


def test_three_letters_of_an_id_are_too_few(runtime: Runtime) -> None:
    cue = make(runtime)

    with pytest.raises(NotFound):
        found(runtime, cue.id[:7])


def test_an_ambiguous_start_names_the_ids(runtime: Runtime) -> None:
    cue = make(runtime)
    with change(runtime) as tx:
        for letters in ("aaaabbbbcccc", "aaaaddddeeee"):
            other = replace(cue, id=f"cue_{letters}", name=letters)
            tx.stage(creation_event(tx, other, runtime.now()))

    with pytest.raises(NotFound) as caught:
        found(runtime, "cue_aaaa")

    message = "'cue_aaaa' is ambiguous: cue_aaaabbbbcccc, cue_aaaaddddeeee"
    assert caught.value.message == message
    assert found(runtime, "cue_aaaab")[0].name == "aaaabbbbcccc"


def test_a_near_name_is_suggested(runtime: Runtime) -> None:
    make(runtime, name="backup")

    with pytest.raises(NotFound) as caught:
        found(runtime, "bakcup")

    assert caught.value.message == "no cue named 'bakcup'"
    assert caught.value.hint == "did you mean 'backup'? all names: cuectl list"


@pytest.mark.parametrize("ref", ["../../etc/passwd", "cue_....", "a\nb", "\udcff", "x" * 5000, ""])
def test_strange_references_are_just_not_there(runtime: Runtime, ref: str) -> None:
    make(runtime)

    with pytest.raises(NotFound) as caught:
        found(runtime, ref)

    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 150


def test_a_damaged_record_is_not_an_absent_one(runtime: Runtime) -> None:
    cue = make(runtime)
    with open(f"{runtime.home}/{paths.cue(cue.id)}", "w", encoding="utf-8") as file:
        file.write("{}")

    with pytest.raises(StateError):
        find_cue(runtime.store, "backup")


def test_all_cues_are_listed_once(runtime: Runtime) -> None:
    ids = {make(runtime, name=f"n{number}", cron="@daily").id for number in range(3)}

    with runtime.store.locked():
        assert set(cue_ids(runtime.store)) == ids
        assert {cue.id for cue, _ in all_cues(runtime.store)} == ids
