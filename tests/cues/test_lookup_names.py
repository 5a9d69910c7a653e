"""A name that needs quotes is a name in every command, in files and in what is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl

START = "2026-11-21T02:00:00Z"
NAMES = ["check: org/repo#7", "../x [a-z]* ~1", "'q' \"r\" $(id)", " a "]


@pytest.mark.parametrize("name", NAMES)
def test_every_look_up_finds_it(cuectl: Cuectl, name: str) -> None:
    cuectl.at(START)
    made = cuectl.json("create", "--name", name, "--cron", "0 9 * * *", "--", "true")
    assert made["name"] == name
    assert cuectl.json("get", name)["id"] == made["id"]
    assert [one["name"] for one in cuectl.json("list", "--name", name)] == [name]
    assert cuectl.json("fire", name, "--wait")["cue_name"] == name
    assert [one["cue_name"] for one in cuectl.json("executions", "list", "--cue", name)] == [name]
    assert cuectl.json("next", name, "-n", "1")["name"] == name
    assert cuectl.json("pause", name)[0]["status"] == "paused"
    assert cuectl.json("resume", name)[0]["status"] == "active"
    assert cuectl.json("update", name, "--description", "d")["description"] == "d"
    assert cuectl.run("dashboard", "page.html").status == 0
    assert cuectl.run("graph").status == 0
    assert cuectl.run("metrics").status == 0
    again = cuectl.run("create", "--name", name, "--", "true")
    assert again.status == 6
    assert cuectl.run("delete", name, "--yes").status == 0


def test_a_hint_can_be_copied(cuectl: Cuectl) -> None:
    cuectl.run("create", "--name", "check: a'b", "--", "true")
    again = cuectl.run("create", "--name", "check: a'b", "--", "true")
    assert "cuectl update 'check: a'\"'\"'b'" in again.stderr


def test_a_file_may_name_cues_and_handlers_so(cuectl: Cuectl) -> None:
    text = (
        "handlers:\n  'org/repo: build': 'exit 0'\n"
        "cues:\n  'check: org/repo#7':\n    cron: '0 9 * * *'\n    task: 'org/repo: build'\n"
    )
    cuectl.at(START).files({"a.yaml": text}).run("apply", "a.yaml")
    assert cuectl.json("fire", "check: org/repo#7", "--wait")["status"] == "succeeded"
