"""The name of a zone is found whatever its case, and kept as the zone is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cuectl.schedule.zones import check_zone
from cuectl.values.errors import UsageError

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("america/new_york", "America/New_York"),
        ("EUROPE/PARIS", "Europe/Paris"),
        ("utc", "UTC"),
        ("Europe/Paris", "Europe/Paris"),
    ],
)
def test_case_does_not_matter(name: str, zone: str) -> None:
    assert check_zone(name) == zone


@pytest.mark.parametrize("name", ["", "New_York", "America/NewYork", "Mars/Base", "CES"])
def test_nothing_else_is_guessed(name: str) -> None:
    with pytest.raises(UsageError):
        check_zone(name)


def test_every_door_keeps_the_name_of_the_zone(cuectl: Cuectl) -> None:
    cuectl.at("2026-11-21T02:00:00Z")
    schedule = ("--cron", "0 9 * * *", "--timezone", "america/new_york")
    made = cuectl.json("create", "--name", "a", *schedule, "--", "true")
    assert made["trigger"]["timezone"] == "America/New_York"
    assert made["next_run"] == "2026-11-21T14:00:00Z"
    text = "settings: {timezone: asia/tokyo}\ncues:\n  b:\n    cron: 0 9 * * *\n"
    text += "    timezone: europe/paris\n    command: ['true']\n"
    text += "  c:\n    cron: 0 9 * * *\n    command: ['true']\n"
    cuectl.files({"a.yaml": text}).run("apply", "a.yaml")
    assert cuectl.json("get", "b")["trigger"]["timezone"] == "Europe/Paris"
    assert cuectl.json("get", "c")["trigger"]["timezone"] == "Asia/Tokyo"
    assert cuectl.json("next", *schedule)["fires"][0] == "2026-11-21T14:00:00Z"
