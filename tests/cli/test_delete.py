from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cuectl.executions.lookup import get_execution
from cuectl.process.runtime import Clock, Runtime
from tests.cli.schema_check import assert_fits

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl


@pytest.fixture
def cuectl(cuectl: Cuectl) -> Cuectl:
    cuectl.at("2026-11-21T02:00:00Z")
    cuectl.run("create", "--name", "beat", "--every", "1h", "--", "true")
    return cuectl


def test_a_script_must_say_yes(cuectl: Cuectl) -> None:
    cuectl.run("delete", "beat").fails(8, "needs a yes: delete 'beat'?", "give --yes to go ahead")
    assert len(cuectl.json("list")) == 1


@pytest.mark.parametrize("yes", ["-y", "--yes"])
def test_a_deleted_cue_is_gone_and_its_history_stays(cuectl: Cuectl, yes: str) -> None:
    cuectl.at("2026-11-21T03:00:01Z").run("run-due")
    (execution,) = cuectl.json("get", "beat")["executions"]

    cuectl.run("delete", "beat", yes).gives("deleted 'beat'; its history stays\n")

    assert cuectl.run("get", "beat").status == 5
    assert cuectl.json("list") == []
    runtime = Runtime(home=str(cuectl.home), environment={}, clock=Clock())
    assert get_execution(runtime, execution["id"]).status == "succeeded"


def test_a_dry_run_shows_what_would_go(cuectl: Cuectl) -> None:
    found = cuectl.json("delete", "beat", "--dry-run")

    assert_fits(found, "cues")
    assert [cue["name"] for cue in found] == ["beat"]
    assert len(cuectl.json("list")) == 1


def test_all_or_none_are_deleted(cuectl: Cuectl) -> None:
    cuectl.run("create", "--name", "b", "--", "true")

    assert cuectl.run("delete", "beat", "nope", "--yes").status == 5
    assert len(cuectl.json("list")) == 2

    gone = cuectl.json("delete", "beat", "b", "--yes")
    assert_fits(gone, "cues")
    assert [cue["name"] for cue in gone] == ["beat", "b"]


def test_a_run_that_was_asked_for_by_hand_does_not_start_without_its_cue(cuectl: Cuectl) -> None:
    execution = cuectl.json("fire", "beat")
    cuectl.run("delete", "beat", "-y")

    cuectl.at("2026-11-21T02:00:01Z").run("run-due")

    runtime = Runtime(home=str(cuectl.home), environment={}, clock=Clock())
    skipped = get_execution(runtime, execution["id"])
    assert (skipped.status, skipped.reason) == ("skipped", "deleted")
