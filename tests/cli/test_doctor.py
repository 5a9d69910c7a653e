from __future__ import annotations

import importlib.util
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.schema_check import assert_fits
from tests.fixtures.observing import until
from tests.fixtures.schedulers import StandIns

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.builder import Cuectl


@pytest.fixture
def cron(tmp_path: Path, cuectl: Cuectl) -> StandIns:
    return StandIns(tmp_path / "stand-ins", cuectl, "crontab")


@pytest.fixture
def healthy(cuectl: Cuectl, cron: StandIns) -> Cuectl:
    """A home with a cue and a handler, called by cron a moment ago."""
    assert cuectl.run("create", "--name", "backup", "--cron", "0 3 * * *", "--", "true").status == 0
    handlers = "handlers:\n  audit:\n    cmd: [true]\n"
    (cuectl.home / "cue.yaml").write_text(handlers.replace("[true]", '["true"]'))
    assert cuectl.run("scheduler", "install", "--yes").status == 0
    assert cuectl.run("run-due").status == 0
    return cuectl


def examine(cuectl: Cuectl, *words: str) -> dict[str, Any]:
    answer = cuectl.run("--json", "doctor", *words)
    assert_fits(answer.json, "doctor")
    found = answer.json
    assert answer.status == (0 if found["level"] == "ok" else 4)
    assert isinstance(found, dict)
    return found


def bad(cuectl: Cuectl, *words: str) -> list[tuple[str, str]]:
    """Return level and code of what is not ok, which is there once for each."""
    found = examine(cuectl, *words)["findings"]
    return [(one["level"], one["code"]) for one in found if one["level"] != "ok"]


def hint_of(cuectl: Cuectl, code: str) -> str:
    found = examine(cuectl)["findings"]
    return str(next(one["hint"] for one in found if one["code"] == code))


def test_all_is_well(healthy: Cuectl) -> None:
    answer = healthy.run("doctor")
    assert (answer.status, answer.stderr) == (0, ""), answer
    lines = answer.stdout.splitlines()
    assert len(lines) > 10
    assert all(line.startswith("ok       ") for line in lines)
    healthy.run("doctor", "--quiet").gives()
    assert bad(healthy) == []


def test_without_a_state_directory_it_says_so_and_makes_none(
    cuectl: Cuectl, cron: StandIns
) -> None:
    assert bad(cuectl) == [("warning", "home_missing"), ("problem", "scheduler_missing")]
    assert not cuectl.home.exists()


def test_a_scheduler_that_has_stopped_is_found(healthy: Cuectl) -> None:
    os.utime(healthy.home / "last-pass", (1_700_000_000, 1_700_000_000))
    assert bad(healthy) == [("problem", "pass_late")]
    assert hint_of(healthy, "pass_late").startswith("is cron running?")


def test_without_a_scheduler_the_way_to_one_is_told(cuectl: Cuectl, cron: StandIns) -> None:
    assert cuectl.run("create", "--name", "x", "--cron", "0 3 * * *", "--", "true").status == 0
    assert bad(cuectl) == [("problem", "scheduler_missing"), ("problem", "pass_never")]
    assert cuectl.run("run-due").status == 0
    assert bad(cuectl) == []


def test_a_program_that_has_moved_is_found(healthy: Cuectl, cron: StandIns) -> None:
    path = healthy.environment["PATH"]
    line = f"* * * * * /usr/bin/env PATH={path} CUECTL_HOME={healthy.home} /old/cuectl run-due"
    cron.crontab = f"# BEGIN CUECTL\n{line}\n# END CUECTL\n".encode()
    assert bad(healthy) == [("problem", "scheduler_program")]
    assert hint_of(healthy, "scheduler_program").endswith("cuectl scheduler install")


def test_a_script_that_cannot_be_started_is_told(healthy: Cuectl) -> None:
    script = healthy.work / "script"
    script.write_text("#!/no/such/shell\n")
    script.chmod(0o755)
    (healthy.home / "cue.yaml").write_text(
        f"handlers:\n  one: {{cmd: [{script}]}}\n  two: {{cmd: '{script} | sort'}}\n"
    )
    (found,) = (one for one in examine(healthy)["findings"] if one["code"] == "program_broken")
    assert found["level"] == "problem"
    assert found["message"] == (
        f"'{script}' of handler 'one' can't be started: "
        f"No such file or directory: '/no/such/shell', the interpreter of '{script}'"
    )


@pytest.mark.parametrize(("mode", "told"), [(0o775, 1), (0o1775, 0), (0o755, 0)])
def test_a_directory_above_that_a_group_may_write_to_is_told(
    healthy: Cuectl, mode: int, told: int
) -> None:
    healthy.user.chmod(mode)
    found = [one for one in examine(healthy)["findings"] if one["code"] == "home_above_open"]
    messages = [f"a group may write to '{healthy.user}', above the state directory"] * told
    assert [one["message"] for one in found] == messages
    assert [one["hint"] for one in found] == [f"chmod g-w {healthy.user}"] * told
    healthy.run("run-due").gives()


def test_a_handler_that_only_my_shell_finds_is_told(
    healthy: Cuectl, cron: StandIns, tmp_path: Path
) -> None:
    tools = tmp_path / "mine"
    tools.mkdir()
    (tools / "auditor").write_text("#!/bin/sh\n")
    (tools / "auditor").chmod(0o755)
    (healthy.home / "cue.yaml").write_text(
        "handlers:\n"
        "  one: {cmd: [auditor, --all]}\n"
        "  two: {cmd: 'X=1 auditor | sort'}\n"
        "  three: {cmd: 'for x in a; do auditor; done'}\n"
        "  four: {cmd: ['./auditor'], cwd: " + str(tools) + "}\n"
        "  five: {cmd: ['./nobody'], cwd: " + str(tools) + "}\n"
        "agents:\n"
        "  reviewer: {driver: codex}\n"
    )
    healthy.env(PATH=healthy.environment["PATH"] + f":{tools}")
    found = [one for one in examine(healthy)["findings"] if one["code"] == "program_missing"]
    assert [(one["level"], one["message"]) for one in found] == [
        ("problem", "'auditor' of handler 'one' is not on the scheduler's PATH"),
        ("warning", "'auditor' of handler 'two' is not on the scheduler's PATH"),
        ("problem", f"'./nobody' of handler 'five' is not a program in '{tools}'"),
        ("problem", "'codex' of agent 'reviewer' is not on the scheduler's PATH"),
    ]
    assert found[0]["hint"].startswith(
        f"it is '{tools}/auditor' on your PATH; write its whole path"
    )
    assert found[3]["hint"].startswith("write its whole path")
    assert healthy.run("scheduler", "install", "--yes").status == 0
    left = [one for one in examine(healthy)["findings"] if one["code"] == "program_missing"]
    assert [one["message"].split(" is ")[0] for one in left] == [
        "'./nobody' of handler 'five'",
        "'codex' of agent 'reviewer'",
    ]


def test_what_alert_sinks_lack_is_told_and_no_password_with_it(healthy: Cuectl) -> None:
    (healthy.home / "cue.yaml").write_text(
        "alerts:\n"
        "  good: {notify: 'ntfy://topic'}\n"
        "  unknown: {notify: ['ntfy://topic', 'nothing://u:hush-0815@h']}\n"
        "  unset: {mail: {to: me, smtp: 'smtp://u:${MAIL_PASS}@h'}}\n"
        "  local: {mail: {to: me, sendmail: /gone/sendmail}}\n"
        "  screen: {desktop: true}\n"
    )
    healthy.run("run-due")
    said = {one["message"] for one in examine(healthy)["findings"] if one["level"] != "ok"}
    assert said - {
        "alert sink 'screen' can't work: neither notify-send nor osascript is on the PATH"
    } == {
        (
            "alert sink 'unknown' can't work: apprise can't make a service of its address, "
            "which begins with nothing://"
        ),
        "'MAIL_PASS' of alert sink 'unset' is not set",
        "'/gone/sendmail' of alert sink 'local' is not a program in '" + str(healthy.user) + "'",
    }
    assert "hush" not in healthy.run("doctor").stdout


def test_names_that_passes_do_not_know_are_told(healthy: Cuectl) -> None:
    (healthy.home / "cue.yaml").write_text(
        "handlers:\n"
        "  audit:\n"
        '    cmd: ["true"]\n'
        '    env: {A: "${HERE} ${NOWHERE} ${GIVEN:-x} ${HOME}", B: "${FILED}", C: "$${NONE}"}\n'
    )
    (healthy.home / "env").write_text("FILED=1\n")
    (healthy.home / "env").chmod(0o600)
    healthy.env(HERE="yes")
    found = {one["message"] for one in examine(healthy)["findings"] if one["level"] != "ok"}
    assert found == {
        "'HERE' of handler 'audit' is set in this shell, and not for passes",
        "'NOWHERE' of handler 'audit' is not set",
    }


def test_what_is_open_to_others_is_closed(healthy: Cuectl) -> None:
    (healthy.home / "env").write_text("TOKEN=x\n")
    (healthy.home / "env").chmod(0o644)
    (healthy.home / "runs").chmod(0o755)
    healthy.home.chmod(0o750)
    assert bad(healthy) == [
        ("warning", "home_open"),
        ("warning", "home_open"),
        ("problem", "env_open"),
    ]
    found = examine(healthy, "--fix")
    assert found["fixed"] == [
        f"chmod 700 {healthy.home}",
        f"chmod 700 {healthy.home}/runs",
        f"chmod 600 {healthy.home}/env",
    ]
    assert found["level"] == "ok"
    assert healthy.home.stat().st_mode & 0o777 == 0o700


def test_a_home_that_others_may_write_to_is_mended_though_no_command_works_on_it(
    healthy: Cuectl,
) -> None:
    healthy.home.chmod(0o777)
    assert healthy.run("list").status == 8
    assert ("problem", "home_open") in bad(healthy)
    assert examine(healthy, "--fix")["level"] == "ok"


def test_a_link_in_place_of_the_file_env_is_not_followed(healthy: Cuectl, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("A=1\n")
    other.chmod(0o644)
    (healthy.home / "env").symlink_to(other)
    found = examine(healthy, "--fix")
    assert found["fixed"] == []
    assert found["level"] == "problem"
    assert other.stat().st_mode & 0o777 == 0o644


def test_a_state_of_a_newer_version_is_one_problem(healthy: Cuectl) -> None:
    (healthy.home / "FORMAT").write_text("99\n")
    healthy.checked = False
    assert ("problem", "home_refused") in bad(healthy)
    assert not [code for _, code in bad(healthy) if code == "not_checked"]


def test_a_damaged_journal_is_a_problem(healthy: Cuectl) -> None:
    journal = next(path for path in (healthy.home / "journal").iterdir() if "jsonl" in path.name)
    raw = journal.read_bytes()
    journal.write_bytes(raw[:40] + b"#" + raw[41:])
    healthy.checked = False
    assert {code for level, code in bad(healthy) if level == "problem"} & {"journal", "not_checked"}


def test_drift_and_what_was_put_aside_are_told(healthy: Cuectl) -> None:
    healthy.files({"cue.yaml": 'handlers:\n  other: {cmd: ["true"]}\n'})
    assert healthy.run("apply", "cue.yaml").status == 0
    healthy.files({"cue.yaml": 'handlers:\n  other: {cmd: ["true", "2"]}\n'})
    (healthy.home / "quarantine").mkdir(mode=0o700)
    (healthy.home / "quarantine" / "cues_x.json").write_text("{")
    assert bad(healthy) == [("problem", "quarantine"), ("warning", "definitions_drifted")]


def test_an_execution_whose_pass_was_killed_is_told(healthy: Cuectl) -> None:
    shell = "touch begun; while [ ! -e go ]; do sleep 0.05; done"
    words = ("create", "--name", "slow", "--in", "0s", "--shell", shell)
    assert healthy.run(*words).status == 0
    running = healthy.start("run-due")
    until((healthy.work / "begun").exists)
    os.kill(running.pid, signal.SIGKILL)
    running.communicate()
    assert bad(healthy) == [("warning", "orphan")]
    (healthy.work / "go").touch()
    until(lambda: healthy.run("run-due").status == 0 and bad(healthy) == [])


def test_a_zone_without_data_is_told(healthy: Cuectl) -> None:
    words = ("--cron", "0 3 * * *", "--timezone", "Europe/Paris", "--", "true")
    assert healthy.run("create", "--name", "paris", *words).status == 0
    healthy.env(PYTHONTZPATH="/nonexistent")
    found = [code for _, code in bad(healthy)]
    # Without the system's data Python takes that of the package tzdata, where it is installed.
    has_own_data = importlib.util.find_spec("tzdata") is not None
    assert ("zone_missing" in found) is not has_own_data
    del healthy.environment["PYTHONTZPATH"]


def test_a_set_clock_is_told(healthy: Cuectl) -> None:
    healthy.at("2026-11-21T02:00:00Z")
    assert ("warning", "clock_set") in bad(healthy)


def test_bad_words_are_refused(cuectl: Cuectl) -> None:
    assert cuectl.run("doctor", "me").status == 2
    assert cuectl.run("doctor", "--fix=all").status == 2


def test_a_timer_that_kills_the_work_is_found(cuectl: Cuectl, tmp_path: Path) -> None:
    systemd = StandIns(tmp_path / "systemd", cuectl, "systemctl", "loginctl")
    assert cuectl.run("scheduler", "install", "--yes").status == 0
    assert cuectl.run("run-due").status == 0
    assert bad(cuectl) == []
    (systemd.folder / "kill-mode").write_text("control-group\n")
    assert bad(cuectl) == [("problem", "scheduler_fault")]
    assert hint_of(cuectl, "scheduler_fault") == "look at: systemctl --user cat cuectl.service"
