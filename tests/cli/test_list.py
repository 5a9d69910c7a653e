from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cuectl.cli.commands.cues.listing import STATUSES
from cuectl.cues.rules.record import CueStatus
from tests.cli.schema_check import assert_fits

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl


@pytest.fixture
def cuectl(cuectl: Cuectl) -> Cuectl:
    return cuectl.at("2026-11-21T02:00:00Z")


@pytest.fixture
def three(cuectl: Cuectl) -> Cuectl:
    cuectl.run("create", "--name", "backup", "--cron", "30 2 * * *", "--", "./backup.sh")
    cuectl.run("create", "--name", "beat", "--every", "15m", "--", "./ping.sh")
    cuectl.run("create", "--name", "by hand", "--", "./x.sh")
    return cuectl


def test_the_states_of_the_command_line_are_those_of_the_model() -> None:
    assert set(STATUSES) == set(CueStatus) - {CueStatus.DELETED}


def test_no_store_reads_as_an_empty_one(cuectl: Cuectl) -> None:
    cuectl.run("list").gives("", "no cues yet; make one: cuectl create --help\n")
    assert cuectl.json("list") == []
    assert not cuectl.home.exists()


def test_the_cue_that_fires_next_comes_first(three: Cuectl) -> None:
    three.run("list").gives(
        "CUE        RESULT  LAST    NEXT  RECENT  SCHEDULE    WHY\n"
        "  beat     -          -  in 15m  -       every 15m   -\n"
        "  backup   -          -  in 30m  -       30 2 * * *  -\n"
        "  by hand  -          -       -  -       by hand     -\n"
        "3 cues.\n"
    )


def test_plain_is_for_cut_and_awk(three: Cuectl) -> None:
    lines = three.run("list", "--plain").stdout.splitlines()

    keys = ["name", "next_run", "last_run", "last_status", "status", "id", "verdict", "why"]
    assert lines[0].split("\t") == keys
    assert lines[1].split("\t")[:2] == ["beat", "2026-11-21T02:15:00Z"]


def test_json_is_an_array_of_whole_cues(three: Cuectl) -> None:
    found = three.json("list")

    assert_fits(found, "cues")
    assert [cue["name"] for cue in found] == ["beat", "backup", "by hand"]


def test_cues_are_chosen_by_state_name_and_number(three: Cuectl) -> None:
    three.run("pause", "beat")

    def names(*words: str) -> list[str]:
        return [cue["name"] for cue in three.json("list", *words)]

    assert names("--status", "paused") == ["beat"]
    assert names("--status", "paused", "--status", "active") == ["backup", "beat", "by hand"]
    assert names("--name", "ea") == ["beat"]
    assert names("--name", "b*") == ["backup", "beat", "by hand"]
    assert names("--name", "b?at") == ["beat"]
    assert names("-n", "1") == ["backup"]
    three.run("list", "--name", "nothing").gives("", "no cues match\n")
    three.run("list", "--status", "sleeping").fails(
        2, "no cue has the status 'sleeping'", "it can be: active, paused, held, completed, failed"
    )


def test_a_result_and_a_streak_of_failures_are_shown(cuectl: Cuectl) -> None:
    cuectl.run("create", "--name", "bad", "--every", "1h", "--", "false")
    cuectl.run("create", "--name", "good", "--every", "1h", "--", "true")
    for hour in ("03", "04"):
        cuectl.at(f"2026-11-21T{hour}:00:30Z").run("run-due")

    lines = cuectl.run("list").stdout.splitlines()[1:]

    assert [line.split("  ")[0] for line in lines] == ["✗ bad", "✓ good", "2 cues: 1 failing."]
    assert "failed \u00d72" in lines[0]
    assert lines[0].endswith("  in 59m  ✗✗      every 1h  exit 1")
    assert "passed" in lines[1]
