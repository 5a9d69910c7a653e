from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from tests.cli.schema_check import assert_fits

if TYPE_CHECKING:
    from tests.builder import Cuectl

CRONTAB = """\
# m h dom mon dow command
MAILTO=ana@example.org
0 3 * * *  /usr/local/bin/backup --all > /tmp/log 2>&1
@daily  date +\\%F | tee today
TOKEN = "a b ${C}"
CRON_TZ=Europe/Paris
*/5 9-17 * * mon-fri  cd src && make
SHELL=/bin/bash
HOME=/srv
@hourly  /usr/local/bin/backup
@reboot  /usr/local/bin/start
0 4 * * *  mail ana%hello%there
61 * * * *  true
not a line
* * * * *  /usr/bin/env PATH=/bin cuectl run-due
0 5 * * *  echo '{{ x }}'
"""
LEFT_OUT = {
    11: "@reboot: cuectl is not told of a boot",
    12: "what follows '%' is given to the command, and cues have no standard input",
    14: "it is no line of a crontab",
    15: "it calls cuectl itself",
    16: "it holds '{{', which cuectl would fill in",
}


@pytest.fixture
def cuectl(cuectl: Cuectl) -> Cuectl:
    return cuectl.at("2026-11-21T02:00:00Z").files({"crontab": CRONTAB})


def test_the_commands_are_printed_and_nothing_is_changed(cuectl: Cuectl) -> None:
    answer = cuectl.run("import-crontab", "crontab")
    assert answer.status == 3
    user = cuectl.user
    tail = f"--cwd {user} --env 'TOKEN=a b $${{C}}' --shell 'cd src && make'"
    work = "'*/5 9-17 * * mon-fri' --timezone Europe/Paris"
    assert answer.stdout.splitlines() == [
        (
            f"cuectl create --name backup --cron '0 3 * * *' --cwd {user} "
            "--shell '/usr/local/bin/backup --all > /tmp/log 2>&1'"
        ),
        f"cuectl create --name date --cron @daily --cwd {user} --shell 'date +%F | tee today'",
        f"cuectl create --name cd --cron {work} {tail}",
        (
            "cuectl create --name backup-2 --cron @hourly --timezone Europe/Paris --cwd /srv "
            "--env 'TOKEN=a b $${C}' --env HOME=/srv -- /bin/bash -c /usr/local/bin/backup"
        ),
    ]
    for line, why in LEFT_OUT.items():
        assert f"line {line} is not carried over: {why}: " in answer.stderr
    assert "line 13 is not carried over: minute '61'" in answer.stderr
    assert "line 2: MAILTO=ana@example.org: nothing is mailed" in answer.stderr
    assert not cuectl.home.exists()


def test_the_cues_are_those_that_the_commands_make(cuectl: Cuectl) -> None:
    printed = cuectl.run("import-crontab", "crontab").stdout.splitlines()
    for line in printed:
        assert cuectl.run(*shlex.split(line)[1:]).status == 0
    by_command = cuectl.json("list")
    for cue in by_command:
        assert cuectl.run("delete", cue["name"], "--yes").status == 0
    assert cuectl.run("import-crontab", "crontab", "--apply").status == 3
    parts = ("name", "trigger", "target", "policy", "payload", "next_run")
    found = [{part: cue[part] for part in parts} for cue in cuectl.json("list")]
    assert found == [{part: cue[part] for part in parts} for cue in by_command]
    assert len(found) == 4
    assert {cue["origin"]["kind"] for cue in cuectl.json("list")} == {"import"}


def test_importing_twice_makes_nothing_twice(cuectl: Cuectl) -> None:
    first = cuectl.run("--json", "import-crontab", "crontab", "--apply")
    assert_fits(first.json, "import-crontab")
    assert [cue["line"] for cue in first.json["cues"]] == [3, 4, 7, 10]
    assert all(cue["id"].startswith("cue_") for cue in first.json["cues"])
    second = cuectl.run("--json", "import-crontab", "crontab", "--apply").json
    assert_fits(second, "import-crontab")
    assert second["cues"] == []
    assert len(cuectl.json("list")) == 4


def test_a_crontab_that_is_carried_over_whole_is_no_failure(cuectl: Cuectl) -> None:
    answer = cuectl.run("import-crontab", "-", "--apply", stdin="0 3 * * * true\n")
    assert answer.status == 0
    assert answer.stderr == (
        "note: the crontab still runs these lines too; take them out: crontab -e\n"
    )
    cuectl.run("import-crontab", "-", stdin="").gives()


def test_a_variable_arrives_as_it_stands_in_the_crontab(cuectl: Cuectl) -> None:
    text = "A=x ${HOME} $$ y\n* * * * * printf '\\%s' \"$A\" > " + str(cuectl.work / "seen") + "\n"
    assert cuectl.run("import-crontab", "-", "--apply", stdin=text).status == 0
    assert cuectl.run("fire", "printf").status == 0
    assert cuectl.run("run-due").status == 0
    assert (cuectl.work / "seen").read_text() == "x ${HOME} $$ y"


def test_what_is_no_crontab_is_refused(cuectl: Cuectl) -> None:
    cuectl.run("import-crontab", "nowhere").fails(
        5,
        f"there is no file '{cuectl.work}/nowhere'",
        "your own crontab: crontab -l | cuectl import-crontab -",
    )
    assert cuectl.run("import-crontab").status == 2
    assert cuectl.run("import-crontab", "crontab", "--now").status == 2
    cuectl.run("import-crontab", "-", stdin=b"\xff\n").fails(2, "line 1 of '-' is not UTF-8")
    cuectl.run("import-crontab", "-", stdin=b"\0").fails(2, "'-' is no crontab")
    assert cuectl.run("import-crontab", ".").status == 1
