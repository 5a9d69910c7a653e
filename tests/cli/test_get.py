from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.schema_check import assert_fits

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl


@pytest.fixture
def cuectl(cuectl: Cuectl) -> Cuectl:
    return cuectl.at("2026-11-21T02:00:00Z")


def test_a_cue_is_shown_with_all_that_is_not_as_usual(cuectl: Cuectl) -> None:
    cuectl.run(
        *("create", "--name", "backup", "--cron", "30 2 * * 1-5", "--tz", "Europe/Paris"),
        *("--retries", "2", "--backoff", "1m,5m", "--timeout", "90m", "--env", "A=1"),
        *("--verify-command", "./check.sh 'a b'", "--payload", '{"n": 1}'),
        *("--description", "nightly", "--cwd", "/srv", "--", "./backup.sh", "a b"),
    )

    cuectl.run("get", "backup").gives(
        "  backup  cue_1  active\n"
        "nightly\n"
        "next: Mon 2026-11-23 02:30 CET (in 2d), at 02:30, Monday through Friday\n"
        "then: Tue 2026-11-24 02:30 CET, Wed 2026-11-25 02:30 CET, Thu 2026-11-26 02:30 CET, "
        "Fri 2026-11-27 02:30 CET\n"
        "runs: ./backup.sh 'a b'\n"
        "directory: /srv\n"
        "variable: A=1\n"
        "schedule: 30 2 * * 1-5 (Europe/Paris)\n"
        'payload: {"n": 1}\n'
        "verification: command\n"
        "checker: ./check.sh 'a b'\n"
        "timeout: 1h30m\n"
        "retries: 2\n"
        "backoff: 1m, 5m\n",
        ids=True,
    )


def test_executions_are_shown_the_newest_first(cuectl: Cuectl) -> None:
    cuectl.run("create", "--name", "beat", "--every", "1h", "--", "true")
    for hour in ("03", "04", "05"):
        cuectl.at(f"2026-11-21T{hour}:00:01Z").run("run-due")

    found = cuectl.json("get", "beat", "--executions", "2")

    assert_fits(found, "get")
    times = [one["scheduled_for"] for one in found["executions"]]
    assert times == ["2026-11-21T05:00:00Z", "2026-11-21T04:00:00Z"]
    assert found["run_count"] == 3
    assert found["fires"][0] == "2026-11-21T06:00:00Z"
    lines = cuectl.run("get", "beat").stdout.splitlines()
    runs = [line.split()[:3] for line in lines[-3:]]
    assert runs == [["✓", run, "passed"] for run in ("beat", "beat~1", "beat~2")]


def test_a_cue_that_never_ran_has_no_executions(cuectl: Cuectl) -> None:
    cuectl.run("create", "--name", "x", "--", "true")

    found = cuectl.json("get", "x")

    assert_fits(found, "get")
    assert (found["fires"], found["executions"]) == ([], [])


def test_a_near_miss_is_suggested(cuectl: Cuectl) -> None:
    cuectl.run("create", "--name", "backup", "--", "true")

    cuectl.run("get", "bakcup").fails(
        5, "no cue named 'bakcup'", "did you mean 'backup'? all names: cuectl list"
    )


def test_nothing_is_found_where_there_is_no_store(cuectl: Cuectl) -> None:
    cuectl.run("get", "x").fails(5, "no cue named 'x'", "all names: cuectl list")
    assert not cuectl.home.exists()


def test_control_characters_in_values_are_shown_not_sent(cuectl: Cuectl) -> None:
    cuectl.run("create", "--name", "x", "--description", "a\x1b[31mb", "--", "true")

    assert "\x1b" not in cuectl.run("get", "x").stdout
