from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.schema_check import assert_fits

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl


@pytest.fixture
def cuectl(cuectl: Cuectl) -> Cuectl:
    return cuectl.at("2026-11-21T02:00:00Z")


def test_an_expression_is_explained_with_the_clock_changes(cuectl: Cuectl) -> None:
    words = ("--cron", "30 2 * * *", "--timezone", "America/New_York", "--since", "2027-03-13")

    cuectl.run("next", *words, "-n", "3").gives(
        "'30 2 * * *' in America/New_York: every day at 02:30\n"
        "Sat 2027-03-13 02:30 EST  2027-03-13T07:30:00Z  in 112d\n"
        "Sun 2027-03-14 03:00 EDT  clocks have gone forward by 1h\n"
        "Sun 2027-03-14 03:00 EDT  2027-03-14T07:00:00Z  in 113d\n"
        "Mon 2027-03-15 02:30 EDT  2027-03-15T06:30:00Z  in 114d\n"
    )
    found = cuectl.json("next", *words, "-n", "3")
    assert_fits(found, "next")
    assert found["fires"][1] == "2027-03-14T07:00:00Z"
    assert found["clock_changes"] == [
        {"at": "2027-03-14T07:00:00Z", "offset_before_s": -18_000, "offset_after_s": -14_400}
    ]
    assert not cuectl.home.exists()


def test_the_fires_of_all_cues_are_one_list(cuectl: Cuectl) -> None:
    cuectl.run("create", "--name", "a", "--every", "40m", "--", "true")
    cuectl.run("create", "--name", "b", "--cron", "0 * * * *", "--", "true")
    cuectl.run("create", "--name", "c", "--every", "10m", "--", "true")
    cuectl.run("pause", "c")

    found = cuectl.json("next", "-n", "4")

    assert_fits(found, "next")
    assert [(one["name"], one["at"][11:16]) for one in found["fires"]] == [
        ("a", "02:40"),
        ("b", "03:00"),
        ("a", "03:20"),
        ("a", "04:00"),
    ]
    lines = cuectl.run("next", "-n", "2").stdout.splitlines()
    assert lines[1].startswith("a    in 40m  Sat 2026-11-21 02:40 UTC  ")
    since = cuectl.json("next", "-n", "2", "--since", "2026-11-22 00:00")
    assert since["fires"][0]["at"] == "2026-11-22T00:00:00Z"


def test_the_fires_of_one_cue_are_a_list_of_instants(cuectl: Cuectl) -> None:
    cue = cuectl.json("create", "--name", "b", "--cron", "0 * * * *", "--", "true")

    found = cuectl.json("next", "b", "-n", "2")

    assert_fits(found, "next")
    assert found["cue"] == cue["id"]
    assert found["fires"] == ["2026-11-21T03:00:00Z", "2026-11-21T04:00:00Z"]
    since = cuectl.json("next", "b", "-n", "1", "--since", "2026-11-21T09:00:00Z")
    assert since["fires"] == ["2026-11-21T09:00:00Z"]
    plain = cuectl.run("next", "b", "-n", "1", "--plain").stdout
    assert plain == "at\n2026-11-21T03:00:00Z\n"


def test_a_late_fire_is_still_the_next_one(cuectl: Cuectl) -> None:
    cuectl.run("create", "--name", "b", "--cron", "0 * * * *", "--", "true")

    found = cuectl.at("2026-11-21T03:30:00Z").json("next", "b", "-n", "2")

    assert found["fires"] == ["2026-11-21T03:00:00Z", "2026-11-21T04:00:00Z"]


def test_nothing_to_come_is_an_answer_of_its_own(cuectl: Cuectl) -> None:
    cuectl.run("next").gives("", "no cue fires by itself\n", status=4)
    cuectl.run("create", "--name", "hand", "--", "true")
    cuectl.run("next", "hand").gives(
        "hand: never by itself; start it: cuectl fire hand\n", status=4
    )
    cuectl.run("create", "--name", "b", "--cron", "0 * * * *", "--", "true")
    cuectl.run("pause", "b")
    cuectl.run("next", "b").gives("b: not while it is paused\n", status=4)
    answer = cuectl.run("next", "b", "--json")
    assert (answer.status, answer.json["fires"]) == (4, [])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--cron", "0 9"), "has 2 fields instead of 5"),
        (("--cron", "0 9 * * *", "--tz", "Mars"), "'Mars' is not a known time zone"),
        (("--tz", "UTC"), "'--timezone' goes with '--cron'"),
        (("x", "--cron", "0 9 * * *"), "a cue and '--cron' exclude each other"),
        (("--cron", "0 9 * * *", "--since", "soon"), "option '--since': 'soon' is not a point"),
        (("-n", "0"), "0 is less than 1"),
    ],
)
def test_bad_input_is_one_line(cuectl: Cuectl, words: tuple[str, ...], message: str) -> None:
    answer = cuectl.run("next", *words)

    assert (answer.status, message in answer.stderr.splitlines()[0]) == (2, True), answer
