from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.schema_check import assert_fits

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl


@pytest.fixture
def cuectl(cuectl: Cuectl) -> Cuectl:
    cuectl.at("2026-11-21T02:00:00Z").run(
        *("create", "--name", "backup", "--cron", "0 2 * * *", "--tz", "America/New_York"),
        *("--retries", "3", "--timeout", "5m", "--env", "A=1", "--alert", "ops"),
        *("--payload", '{"n": 1}', "--description", "old", "--", "./backup.sh"),
    )
    return cuectl


def test_a_new_schedule_keeps_the_time_zone(cuectl: Cuectl) -> None:
    cuectl.run("update", "backup", "--cron", "0 3 * * *").gives(
        "cue_1  backup\nnext: Sat 2026-11-21 03:00 EST (in 6h), every day at 03:00\n", ids=True
    )
    cuectl.run("update", "backup", "--at", "2026-11-22 09:00")
    cue = cuectl.json("update", "backup", "--cron", "0 4 * * *")
    assert_fits(cue, "cue")
    assert cue["trigger"]["timezone"] == "America/New_York"


def test_only_what_is_named_changes(cuectl: Cuectl) -> None:
    before = cuectl.json("list")[0]

    after = cuectl.json("update", "backup", "--overlap", "queue")

    assert after["policy"].pop("overlap") == "queue"
    before["policy"].pop("overlap")
    del after["updated_at"], before["updated_at"]
    assert after == before


def test_everything_that_was_set_can_be_cleared(cuectl: Cuectl) -> None:
    cue = cuectl.json(
        *("update", "backup", "--no-retries", "--no-timeout", "--no-env", "--no-alert"),
        *("--no-payload", "--no-description", "--no-schedule"),
    )

    assert (cue["policy"]["max_attempts"], cue["policy"]["timeout_s"]) == (1, None)
    assert (cue["policy"]["alert"], cue["payload"], cue["description"]) == ([], {}, None)
    assert "env" not in cue["target"]
    assert (cue["trigger"], cue["next_run"]) == ({"type": "manual"}, None)


def test_a_checker_goes_away_with_its_mode(cuectl: Cuectl) -> None:
    cuectl.run("update", "backup", "--verify-command", "./check.sh")

    cue = cuectl.json("update", "backup", "--verification-mode", "none")

    assert (cue["policy"]["verification"], cue["policy"]["check"]) == ("none", [])


def test_a_new_command_runs_in_the_old_directory(cuectl: Cuectl) -> None:
    before = cuectl.json("list")[0]["target"]

    cue = cuectl.json("update", "backup", "--", "./other.sh")

    assert cue["target"] == before | {"argv": ["./other.sh"]}


def test_nothing_to_change_is_said(cuectl: Cuectl) -> None:
    cuectl.run("update", "backup").fails(
        2, "expected something to change", "see: cuectl update --help"
    )
    answer = cuectl.run("update", "backup", "--description", "old")
    assert (answer.status, answer.stderr) == (0, "nothing was changed\n")


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("--cron", "0 25 * * *"), 2, "hour '25' is out of range"),
        (("--timeout", "1m", "--no-timeout"), 2, "'--timeout' and '--no-timeout' exclude"),
        (("--no-schedule", "--cron", "@daily"), 2, "a cue has one schedule"),
        (("--name", "a\tb"), 2, "contains the character U+0009"),
        (("--name", "taken"), 6, "a cue named 'taken' exists"),
        (("--at", "2020-01-01"), 2, "is in the past"),
        (("--payload", "[]"), 2, "payload must be a JSON object"),
    ],
)
def test_a_wrong_change_changes_nothing(
    cuectl: Cuectl, words: tuple[str, ...], status: int, message: str
) -> None:
    cuectl.run("create", "--name", "taken", "--", "true")
    before = cuectl.json("list")

    answer = cuectl.run("update", "backup", *words)

    assert (answer.status, message in answer.stderr) == (status, True), answer
    assert cuectl.json("list") == before


def test_an_unknown_cue_is_not_found(cuectl: Cuectl) -> None:
    cuectl.run("update", "bakup", "--cron", "@daily").fails(
        5, "no cue named 'bakup'", "did you mean 'backup'? all names: cuectl list"
    )
