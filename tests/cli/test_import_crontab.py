from __future__ import annotations

import os
import shlex
from pwd import getpwuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.schema_check import assert_fits

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl

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
    11: "@reboot: cuectl does not notice a boot",
    12: "text after '%' is standard input, which cues do not have",
    14: "it is not a crontab line",
    15: "it calls cuectl itself",
    16: "it holds '{{ x }}', which cuectl would fill in",
}


@pytest.fixture
def cuectl(cuectl: Cuectl) -> Cuectl:
    return cuectl.at("2026-11-21T02:00:00Z").files({"crontab": CRONTAB})


def test_the_commands_are_printed_and_nothing_is_changed(cuectl: Cuectl) -> None:
    answer = cuectl.run("import-crontab", "crontab")
    assert answer.status == 3
    user = cuectl.user
    first = f"--cwd {user} --environment crontab --timeout none"
    tail = f"--cwd {user} --environment crontab-2 --timeout none --shell 'cd src && make'"
    work = "'*/5 9-17 * * mon-fri' --timezone Europe/Paris"
    assert answer.stdout.splitlines() == [
        "# for ~/.cue/cue.yaml:",
        "# environments:",
        "#   crontab:",
        '#     MAILTO: "ana@example.org"',
        "#   crontab-2:",
        '#     MAILTO: "ana@example.org"',
        '#     TOKEN: "a b $${C}"',
        "#   crontab-3:",
        '#     MAILTO: "ana@example.org"',
        '#     TOKEN: "a b $${C}"',
        '#     HOME: "/srv"',
        (
            f"cuectl create --name backup --cron '0 3 * * *' {first} "
            "--shell '/usr/local/bin/backup --all > /tmp/log 2>&1'"
        ),
        f"cuectl create --name date --cron @daily {first} --shell 'date +%F | tee today'",
        f"cuectl create --name make --cron {work} {tail}",
        (
            "cuectl create --name backup-2 --cron @hourly --timezone Europe/Paris --cwd /srv "
            "--environment crontab-3 --timeout none -- /bin/bash -c /usr/local/bin/backup"
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
        if line.startswith("#"):
            continue
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
        "note: these jobs have no time limit: cuectl update NAME --timeout 1h\n"
        "note: the crontab still runs these lines too; remove them: crontab -e\n"
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
    cuectl.run("import-crontab", "-", stdin=b"\0").fails(2, "'-' is no crontab")
    assert cuectl.run("import-crontab", ".").status == 1


def lines_of(cuectl: Cuectl, text: str | bytes, *options: str) -> tuple[list[dict[str, Any]], Any]:
    answer = cuectl.run("--json", "import-crontab", "-", *options, stdin=text)
    assert_fits(answer.json, "import-crontab")
    return answer.json["cues"], answer.json


def names_of(cuectl: Cuectl, text: str) -> list[str]:
    return [cue["name"] for cue in lines_of(cuectl, text)[0]]


SYSTEM = """\
SHELL=/bin/sh
17 *\t* * *\troot    cd / && run-parts --report /etc/cron.hourly
47 6\t* * 7\tnobody\ttest -x /bin/sh || /bin/weekly
@daily\troot\t/bin/day
5 5 * * * root
"""


@pytest.mark.parametrize(
    "text",
    [
        SYSTEM,
        "# m h dom mon dow user\tcommand\n1 2 3 4 5 gone /bin/x\n",
        "# *  *  *  *  * user-name command to be executed\n1 2 3 4 5 gone /bin/x\n",
        "@daily nobody /bin/x\n",
    ],
)
def test_a_crontab_of_the_system_is_not_read_as_one_of_a_user(cuectl: Cuectl, text: str) -> None:
    answer = cuectl.run("import-crontab", "-", "--apply", stdin=text)
    assert answer.status == 2
    assert "has a column for the user" in answer.stderr
    assert "hint: read it as one: cuectl import-crontab --system -" in answer.stderr
    assert not cuectl.home.exists()


def test_the_user_of_a_line_is_no_part_of_its_command(cuectl: Cuectl) -> None:
    text = SYSTEM.replace("root", getpwuid(os.geteuid()).pw_name)
    cues, answer = lines_of(cuectl, text, "--system")
    assert [cue["command"][-1] for cue in cues] == [
        "cd / && run-parts --report /etc/cron.hourly",
        "/bin/day",
    ]
    assert [cue["name"] for cue in cues] == ["cron.hourly", "day"]
    whys = {one["line"]: one["why"] for one in answer["left_out"]}
    assert whys == {
        3: "it runs as 'nobody': import it as that user",
        5: "the shell command line is empty",
    }


def test_a_program_with_the_name_of_a_user_is_a_program(cuectl: Cuectl) -> None:
    program = cuectl.files({"bin/nobody": "#!/bin/sh\n"}).work / "bin/nobody"
    program.chmod(0o755)
    cuectl.env(PATH=f"{program.parent}:{cuectl.environment['PATH']}")
    assert names_of(cuectl, "0 1 * * * nobody --all\n") == ["nobody"]
    # Nor does one line among others make a crontab one of the system.
    cuectl.env(PATH=cuectl.environment["PATH"].partition(":")[2])
    assert names_of(cuectl, "0 1 * * * nobody --all\n0 2 * * * /bin/b\n") == ["nobody", "b"]


def test_templates_of_other_programs_are_kept(cuectl: Cuectl) -> None:
    work = "docker ps --format '{{.Names}} {{json .}}' > names"
    cues, answer = lines_of(cuectl, f"A={{{{.X}}}}\n0 1 * * * {work}\n")
    assert (cues[0]["command"][-1], answer["left_out"]) == (work, [])


def test_bytes_that_are_no_text_cost_their_own_line_alone(cuectl: Cuectl) -> None:
    text = b"\xef\xbb\xbf# journali\xe8re\n0 1 * * * /bin/a\r\nX=\xe9\n"
    text += b"0 2 * * * echo caf\xe9\n@daily /bin/b\n"
    cues, answer = lines_of(cuectl, text)
    assert [cue["command"][-1] for cue in cues] == ["/bin/a", "/bin/b"]
    assert [(one["line"], one["text"]) for one in answer["left_out"]] == [
        (3, "X=\\xe9"),
        (4, "0 2 * * * echo caf\\xe9"),
    ]
    assert {one["why"] for one in answer["left_out"]} == {"it is not UTF-8"}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("@every 5m /bin/a", "'@every' is an interval, no time of cron"),
        ("0 */5 * * * * /bin/a", "it has six fields"),
        ("0 0 9 * * MON-FRI /bin/a", "it has six fields"),
        ("0 9 * * * 2027 /bin/a", "it has six fields"),
        ("* * * * * *", "it has six fields"),
    ],
)
def test_what_cron_does_not_know_is_named(cuectl: Cuectl, line: str, why: str) -> None:
    cues, answer = lines_of(cuectl, f"{line}\n-5 1 * * * /bin/b\n")
    assert [cue["line"] for cue in cues] == [2]
    assert answer["left_out"][0]["why"].startswith(why)


def test_settings_mean_what_they_mean_to_cron(cuectl: Cuectl) -> None:
    text = """\
CRON_TZ=
SHELL=/bin/sh # the usual one
A=b # c
1 1 * * * /bin/a
CRON_TZ=:Europe/Paris
SHELL=""
2 1 * * * /bin/b
CRON_TZ="Asia/Tokyo" # x
3 1 * * * /bin/c
CRON_TZ=Mars/X
4 1 * * * /bin/d
"""
    cues, answer = lines_of(cuectl, text)
    commands = [" ".join(cue["command"]) for cue in cues]
    assert "--timezone" not in commands[0]
    assert "--timezone Europe/Paris " in commands[1]
    assert "--timezone Asia/Tokyo " in commands[2]
    assert [cue["command"][-2:] for cue in cues] == [["--shell", f"/bin/{name}"] for name in "abc"]
    assert answer["environments"] == {"crontab": {"A": "b # c"}}
    notes = {one["line"]: one["why"] for one in answer["notes"]}
    assert "is dropped" in notes[2]
    assert "is part of the value" in notes[3]
    assert "is dropped" in notes[8]
    assert [one["why"] for one in answer["left_out"]] == ["'Mars/X' is not a known time zone"]


def test_a_job_is_named_after_its_comment_else_its_work_and_twice_is_two(cuectl: Cuectl) -> None:
    text = """\
# Nightly backup of the shop's database, which must never fail or be late
1 1 * * * /bin/a
#Ansible: Rotate keys
2 1 * * * /bin/a

# a blank line is between

3 1 * * * cd /srv && flock -n /tmp/l ./sync.sh
# 4 1 * * * an old line
4 1 * * * cd /srv && flock -n /tmp/l ./sync.sh
# m h dom mon dow command
5 1 * * * sync.sh-2
# Rotate keys
6 1 * * * /bin/b
"""
    assert names_of(cuectl, text) == [
        *("nightly-backup-of-the-shop-s-database", "rotate-keys", "sync.sh", "sync.sh-2"),
        *("sync.sh-2-2", "rotate-keys-2"),
    ]


def test_variables_go_to_one_place_and_from_there_to_the_jobs(cuectl: Cuectl) -> None:
    own = "# mine\nsettings: {max_parallel: 4}\nenvironments: # of jobs\n  other: {B: c}\n\n"
    own += "cues: {}\n"
    cuectl.home.mkdir(mode=0o700)
    (cuectl.home / "cue.yaml").write_text(own)
    text = f"A=x ${{HOME}} $$\n1 1 * * * printf '\\%s' \"$A\" > {cuectl.work}/seen\n"
    assert cuectl.run("import-crontab", "-", "--apply", stdin=text).status == 0
    changed = (cuectl.home / "cue.yaml").read_text()
    added = '  crontab:\n    A: "x $${HOME} $$$$"\n'
    assert changed == own.replace("  other:", f"{added}  other:")
    target = cuectl.json("get", "printf")["target"]
    assert (target["environment"], "env" in target) == ("crontab", False)
    # The same variables again are the same environment, others are another.
    more = "# second\n2 1 * * * true\nB=c\n# third\n3 1 * * * true\n"
    assert cuectl.run("import-crontab", "-", "--apply", stdin=text[:14] + "\n" + more).status == 0
    assert [cuectl.json("get", name)["target"]["environment"] for name in ("second", "third")] == [
        "crontab",
        "crontab-2",
    ]
    assert cuectl.run("fire", "printf").status == 0
    assert cuectl.run("run-due").status == 0
    assert (cuectl.work / "seen").read_text() == "x ${HOME} $$"


@pytest.mark.parametrize("own", ["environments: {other: {B: c}}\n", "{}\n", "- a\n", "a: 1\n...\n"])
def test_a_definition_file_that_takes_no_lines_is_left_alone(cuectl: Cuectl, own: str) -> None:
    cuectl.home.mkdir(mode=0o700)
    (cuectl.home / "cue.yaml").write_text(own)
    answer = cuectl.run("import-crontab", "-", "--apply", stdin="A=b\n1 1 * * * true\n")
    assert answer.status == 8
    assert "the variables can't be added" in answer.stderr
    assert (cuectl.home / "cue.yaml").read_text() == own
    assert cuectl.json("list") == []


def test_what_makes_no_cue_leaves_nothing_behind(cuectl: Cuectl) -> None:
    text = "A=b\n61 * * * * /bin/a\n1 1 * * * /bin/a\nC=d\n99 * * * * /bin/b\nÄ=1\n"
    cues, answer = lines_of(cuectl, text, "--apply")
    assert [cue["name"] for cue in cues] == ["a"]
    assert answer["environments"] == {"crontab": {"A": "b"}}
    assert [one["line"] for one in answer["left_out"]] == [2, 5, 6]
    before = (cuectl.home / "cue.yaml").read_text()
    assert cuectl.run("import-crontab", "-", "--apply", stdin=text.replace("=b", "=c")).status == 3
    assert (cuectl.home / "cue.yaml").read_text() == before


def test_an_imported_job_has_no_time_limit_and_says_so(cuectl: Cuectl) -> None:
    text = "settings: {handler_timeout: 1s}\n"
    cuectl.home.mkdir(mode=0o700)
    (cuectl.home / "cue.yaml").write_text(text)
    work = f'1 1 * * * echo "limit ${{CUE_DEADLINE:-none}}" > {cuectl.work}/seen; sleep 1.5\n'
    assert cuectl.run("import-crontab", "-", "--apply", stdin=work).status == 0
    assert cuectl.json("get", "echo")["policy"]["timeout_s"] == "none"
    assert "timeout: none" in cuectl.run("get", "echo").stdout
    assert cuectl.run("fire", "echo", "--wait").status == 0
    assert (cuectl.work / "seen").read_text() == "limit none\n"


def test_jobs_keep_the_zone_of_cron_where_new_cues_have_another(cuectl: Cuectl) -> None:
    cuectl.home.mkdir(mode=0o700)
    (cuectl.home / "cue.yaml").write_text("settings: {timezone: Asia/Tokyo}\n")
    assert cuectl.run("import-crontab", "-", "--apply", stdin="0 1 * * * /bin/a\n").status == 0
    assert cuectl.json("get", "a")["trigger"]["timezone"] == "UTC"
