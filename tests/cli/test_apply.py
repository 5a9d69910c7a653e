from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.schema_check import assert_fits

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl

FILE = """\
handlers:
  audit: {cmd: "echo audited", timeout: 60}
cues:
  nightly: {cron: "0 2 * * *", timezone: America/New_York, task: audit}
  beat: {every: 15m, command: [./ping.sh]}
"""


@pytest.fixture
def cuectl(cuectl: Cuectl) -> Cuectl:
    return cuectl.at("2026-11-21T02:00:00Z").files({"cue.yaml": FILE})


def test_a_file_is_taken_over_with_its_cues(cuectl: Cuectl) -> None:
    cuectl.run("apply").gives("applied 'cue.yaml': 3 added\n")

    found = {cue["name"]: cue for cue in cuectl.json("list")}
    assert set(found) == {"nightly", "beat"}
    assert found["beat"]["origin"]["path"] == f"{cuectl.work}/cue.yaml"
    assert found["beat"]["target"]["cwd"] == str(cuectl.work)
    cuectl.run("apply").gives("applied 'cue.yaml': nothing to change\n")


def test_its_handlers_run_its_tasks(cuectl: Cuectl) -> None:
    cuectl.run("apply")

    assert cuectl.run("fire", "nightly", "--wait").status == 0


def test_the_difference_is_shown_before(cuectl: Cuectl) -> None:
    cuectl.run("apply")
    text = FILE.replace("15m", "20m").replace("  nightly", "  daily")
    cuectl.files({"cue.yaml": text})

    cuectl.run("diff").gives(
        "+ cue 'daily'\n"
        "    trigger.type: cron\n"
        "    trigger.expression: 0 2 * * *\n"
        "    trigger.timezone: America/New_York\n"
        "    target.type: task\n"
        "    target.task: audit\n"
        "~ cue 'beat'\n"
        "    trigger.every_s: 900 -> 1200\n"
        "- cue 'nightly'\n",
        status=4,
    )
    planned = cuectl.json("apply", "--dry-run")
    assert_fits(planned, "plan")
    assert [one["name"] for one in planned["cues"]["created"]] == ["daily"]
    done = cuectl.json("apply")
    assert_fits(done, "plan")
    assert done["cues"]["deleted"] == [{"name": "nightly"}]
    cuectl.run("diff").gives("")


def test_a_change_by_hand_is_a_difference(cuectl: Cuectl) -> None:
    cuectl.run("apply")
    cuectl.run("update", "beat", "--description", "mine")

    cuectl.run("diff").gives(
        "~ cue 'beat': changed by hand since, and set back to the file\n", status=4
    )
    cuectl.run("apply").gives("applied 'cue.yaml': 1 set back\n")
    cuectl.run("diff").gives("")


def test_a_broken_file_changes_nothing_and_names_the_place(cuectl: Cuectl) -> None:
    cuectl.run("apply")
    cuectl.files({"cue.yaml": FILE.replace("every: 15m", "evry: 15m")})

    answer = cuectl.run("apply")

    assert answer.status == 7
    assert answer.stderr.startswith("cue.yaml:5:10: error: unknown key 'evry' in cue 'beat'\n")
    assert {cue["name"] for cue in cuectl.json("list")} == {"nightly", "beat"}


def test_a_file_can_be_taken_out_of_force(cuectl: Cuectl) -> None:
    cuectl.run("apply")
    (cuectl.work / "cue.yaml").unlink()

    cuectl.run("apply", "--remove").gives("took out of force 'cue.yaml': 3 removed\n")

    assert cuectl.json("list") == []
    cuectl.run("apply", "--remove").fails(
        5, "'cue.yaml' was not applied", "applied files: cuectl status"
    )


def test_one_handler_in_two_files_is_refused(cuectl: Cuectl) -> None:
    cuectl.files({"b/cue.yaml": FILE})
    cuectl.run("apply")

    answer = cuectl.run("apply", "b/cue.yaml")

    assert answer.status == 6
    assert f"{cuectl.work}/cue.yaml" in answer.stderr
    assert f"{cuectl.work}/b/cue.yaml" in answer.stderr


def test_a_missing_task_is_a_warning(cuectl: Cuectl) -> None:
    cuectl.files({"cue.yaml": "cues: {a: {cron: '@daily', task: nobody}}\n"})

    answer = cuectl.run("apply")

    assert (answer.status, answer.stdout) == (0, "applied 'cue.yaml': 1 added\n")
    assert "cuectl: warning: cue.yaml:1:" in answer.stderr


def test_the_worker_file_of_the_page_is_taken_as_it_stands(cuectl: Cuectl) -> None:
    page = """\
handlers:
  audit:
    cmd: "python3 audit.py"
    timeout: 3600
    env:
      ANTHROPIC_API_KEY: "${ANTHROPIC_API_KEY}"
      GITHUB_TOKEN: "${GITHUB_TOKEN}"
BLANK
  check-followup:
    cmd: "python3 check_followup.py"
    timeout: 600
    env:
      GITHUB_TOKEN: "${GITHUB_TOKEN}"
"""
    # The page has a blank in its empty line.
    cuectl.files({"cueapi-worker.yaml": page.replace("BLANK", " ")})

    cuectl.run("validate", "cueapi-worker.yaml").gives(
        "'cueapi-worker.yaml' is valid: 2 handlers\n"
    )
    cuectl.run("apply", "cueapi-worker.yaml").gives("applied 'cueapi-worker.yaml': 2 added\n")


def test_validate_names_all_problems_and_notes(cuectl: Cuectl) -> None:
    cuectl.files(
        {"bad.yaml": 'api_key: x\ncues:\n  a: {cron: "0 25 * * *", task: t}\n  b: {shel: "x"}\n'}
    )

    answer = cuectl.run("validate", "bad.yaml")

    assert answer.status == 7
    places = [line.split(" ")[0] for line in answer.stdout.splitlines() if line[0] != " "]
    assert {"bad.yaml:1:1:", "bad.yaml:3:13:", "bad.yaml:4:7:"} <= set(places)
    found = cuectl.run("validate", "bad.yaml", "--json")
    assert found.status == 7
    assert_fits(found.json, "validate")
    assert {one["level"] for one in found.json["problems"]} >= {"error", "note"}
    assert not cuectl.home.exists()


def test_validate_finds_what_only_the_store_knows(cuectl: Cuectl) -> None:
    cuectl.run("create", "--name", "beat", "--", "true")

    answer = cuectl.run("validate")

    assert answer.status == 7
    assert "cue 'beat' of 'cue.yaml' has the name of a cue that was made by hand" in answer.stdout


@pytest.mark.parametrize("command", ["apply", "diff", "validate"])
def test_a_missing_file_is_not_found(cuectl: Cuectl, command: str) -> None:
    cuectl.run(command, "none.yaml").fails(5, "there is no file 'none.yaml'")
    assert not cuectl.home.exists()


def test_a_pass_reads_the_users_own_file_and_goes_on_without_it(cuectl: Cuectl) -> None:
    cuectl.home.mkdir(mode=0o700)
    own = cuectl.home / "cue.yaml"
    shutil.copy(Path(cuectl.work) / "cue.yaml", own)
    cuectl.run("run-due").gives()
    assert {cue["name"] for cue in cuectl.json("list")} == {"nightly", "beat"}

    own.write_text(FILE + "nonsense: 1\n")
    answer = cuectl.run("run-due")

    assert answer.stderr.startswith(f"{own}:6:1: unknown key 'nonsense'")
    assert {cue["name"] for cue in cuectl.json("list")} == {"nightly", "beat"}
