from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.schema_check import assert_fits

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl


@pytest.fixture
def cuectl(cuectl: Cuectl) -> Cuectl:
    cuectl.at("2026-11-21T02:00:00Z")
    cuectl.run("create", "--name", "beat", "--every", "1h", "--", "true")
    return cuectl


def test_a_paused_cue_does_not_fire_and_what_fell_due_is_one_record(cuectl: Cuectl) -> None:
    cuectl.run("pause", "beat", "--reason", "holidays").gives("paused 'beat'\n")
    cuectl.run("pause", "beat").gives("'beat' was paused already\n")
    cuectl.at("2026-11-21T05:30:00Z").run("run-due")
    assert cuectl.json("get", "beat")["executions"] == []

    cuectl.run("resume", "beat").gives(
        "resumed 'beat'\n"
        "3 occurrences fell due meanwhile: recorded as skipped (paused)\n"
        "next: Sat 2026-11-21 06:00 UTC (in 30m), every hour\n"
    )

    (record,) = cuectl.json("get", "beat")["executions"]
    assert (record["status"], record["reason"], record["range"]["count"]) == (
        "skipped",
        "paused",
        3,
    )
    cuectl.run("resume", "beat").gives("'beat' was not paused\n")


def test_a_paused_cue_can_be_started_by_hand(cuectl: Cuectl) -> None:
    cuectl.run("pause", "beat")

    assert cuectl.run("fire", "beat", "--wait").status == 0


def test_several_cues_change_together_or_not_at_all(cuectl: Cuectl) -> None:
    cuectl.run("create", "--name", "b", "--every", "1h", "--", "true")
    cuectl.run("create", "--name", "c", "--every", "1h", "--", "true")

    assert cuectl.run("pause", "beat", "b", "nope").status == 5
    assert {cue["status"] for cue in cuectl.json("list")} == {"active"}

    paused = cuectl.json("pause", "beat", "b", "beat")
    assert_fits(paused, "cues")
    assert [(cue["name"], cue["status"], cue["next_run"]) for cue in paused] == [
        ("beat", "paused", None),
        ("b", "paused", None),
    ]
    resumed = cuectl.json("resume", "beat", "b")
    assert {cue["status"] for cue in resumed} == {"active"}


def test_a_one_shot_whose_time_has_passed_is_over(cuectl: Cuectl) -> None:
    cuectl.run("create", "--name", "once", "--in", "10m", "--", "true")
    cuectl.run("pause", "once")

    answer = cuectl.at("2026-11-21T03:00:00Z").run("resume", "once")

    assert answer.stdout == (
        "resumed 'once'\n"
        "one occurrence fell due meanwhile: recorded as skipped (paused)\n"
        "next: never by itself; start it: cuectl fire once\n"
    )
    cuectl.run("pause", "once").fails(
        6, "cue 'once' is completed and can't be paused", "to run it again: cuectl fire once"
    )


def test_a_name_is_needed(cuectl: Cuectl) -> None:
    assert cuectl.run("pause").status == 2
    cuectl.run("resume", "nope").fails(5, "no cue named 'nope'", "all names: cuectl list")
