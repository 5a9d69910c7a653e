from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.schema_check import assert_fits

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.builder import Cuectl


def test_init_makes_a_private_directory_and_says_what_is_next(cuectl: Cuectl) -> None:
    answer = cuectl.run("init")
    assert answer.status == 0
    lines = answer.stdout.splitlines()
    assert lines[0] == f"made {cuectl.home}"
    assert [line.split("  #")[0].strip() for line in lines[3:]] == [
        "cuectl create --name hello --cron '@hourly' -- echo hello",
        "cuectl scheduler install",
        "cuectl doctor",
    ]
    assert cuectl.home.stat().st_mode & 0o777 == 0o700
    cuectl.run("init", "-q").gives(f"there is {cuectl.home}\n")


def test_the_commands_that_init_names_are_command_lines(cuectl: Cuectl) -> None:
    import shlex

    for line in cuectl.json("init")["next"]:
        words = shlex.split(line)[1:]
        assert cuectl.run(words[0], "--help").status == 0
    assert cuectl.run(*shlex.split(cuectl.json("init")["next"][0])[1:]).status == 0


def test_the_file_to_begin_with_is_valid_and_can_be_applied(cuectl: Cuectl) -> None:
    found = cuectl.json("init", "--here")
    assert_fits(found, "init")
    assert found["file"] == str(cuectl.work / "cue.yaml")
    assert cuectl.run("validate").status == 0
    assert cuectl.run("apply").status == 0
    assert [cue["name"] for cue in cuectl.json("list")] == ["hello"]
    assert sorted(path.name for path in cuectl.work.iterdir()) == ["cue.yaml"]


def test_all_that_stands_in_comments_of_the_file_is_valid_too(cuectl: Cuectl) -> None:
    assert cuectl.run("init", "--here").status == 0
    path = cuectl.work / "cue.yaml"
    lines = [
        line.replace("# ", "", 1) if line.lstrip().startswith("# ") and number > 5 else line
        for number, line in enumerate(path.read_text().splitlines(), 1)
    ]
    path.write_text("\n".join(lines) + "\n")
    assert "alerts:" in path.read_text().splitlines()[-3]
    answer = cuectl.run("validate")
    assert (answer.status, answer.stderr) == (0, ""), answer
    assert "2 alert sinks" in answer.stdout


def test_a_file_that_is_there_is_not_overwritten(cuectl: Cuectl) -> None:
    cuectl.files({"cue.yaml": "handlers: {}\n"})
    cuectl.run("init", "--here").fails(
        6, f"'{cuectl.work}/cue.yaml' exists", "check it with: cuectl validate"
    )
    assert (cuectl.work / "cue.yaml").read_text() == "handlers: {}\n"
    assert not cuectl.home.exists()


def test_bad_words_are_refused(cuectl: Cuectl) -> None:
    assert cuectl.run("init", "there").status == 2
    assert cuectl.run("demo", "--fast").status == 2
    assert not cuectl.home.exists()


def test_the_demo_tells_its_story_and_leaves_nothing(cuectl: Cuectl, tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    cuectl.env(TMPDIR=str(temporary), CUECTL_NOW="2030-01-01T00:00:00Z")
    answer = cuectl.run("demo")
    assert (answer.status, answer.stderr) == (0, "")
    text = answer.stdout
    for told in (
        "$ cuectl run-due\n",
        "verification_failed: 'forgetful-audit' is unproven: exited 0, no external_id",
        "UNPROVEN           in ",
        "verified           in ",
        "1 of 2 issues addressed",
        "check-of-2026-11-21",
    ):
        assert told in text, told
    assert "FAILED" not in text
    assert not cuectl.home.exists()
    assert list(temporary.iterdir()) == []


def test_the_steps_of_the_demo_are_what_the_schema_says(cuectl: Cuectl) -> None:
    answer = cuectl.run("demo", "--json")
    assert (answer.status, answer.stderr) == (0, "")
    steps = [json.loads(line) for line in answer.stdout.splitlines()]
    for step in steps:
        assert_fits(step, "demo")
    assert {step["status"] for step in steps} == {0}
    assert steps[0]["command"] == ["cuectl", "apply", "cue.yaml"]
    assert {step["command"][1] for step in steps} >= {"create", "run-due", "chain", "log"}


def test_a_step_that_fails_is_an_error(cuectl: Cuectl, monkeypatch: pytest.MonkeyPatch) -> None:
    from cuectl.installation import demo
    from cuectl.values.errors import CuectlError

    scene = demo.Scene(at="2026-11-20T17:00:00Z", about="x", words=("get", "nobody"))
    monkeypatch.setattr(demo, "STORY", (scene,))
    played = demo.play(cuectl.environment)
    assert next(played).status == 5
    with pytest.raises(CuectlError, match="'cuectl get nobody' ended with 5"):
        next(played)
