from __future__ import annotations

import plistlib
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from cuectl.cli.commands.scheduler import CHOICES
from cuectl.installation.schedulers import AUTO, schedulers
from cuectl.installation.schedulers.scheduler import Site
from tests.cli.schema_check import assert_fits
from tests.fixtures.schedulers import StandIns

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.builder import Cuectl

OTHER = b"MAILTO=ana\n# mine\n0 3 * * *   /home/ana/backup  # \xff\xfe\n\n"
NOTE = "# 'cuectl scheduler remove' takes this out; what you change in here is lost."


@pytest.fixture
def cron(tmp_path: Path, cuectl: Cuectl) -> StandIns:
    return StandIns(tmp_path / "stand-ins", cuectl, "crontab")


@pytest.fixture
def systemd(tmp_path: Path, cuectl: Cuectl) -> StandIns:
    return StandIns(tmp_path / "stand-ins", cuectl, "systemctl", "loginctl")


@pytest.fixture
def launchd(tmp_path: Path, cuectl: Cuectl) -> StandIns:
    return StandIns(tmp_path / "stand-ins", cuectl, "launchctl")


def line_of(cuectl: Cuectl) -> str:
    path = cuectl.environment["PATH"]
    variables = f"PATH={path} CUECTL_HOME={cuectl.home}"
    return f"* * * * * /usr/bin/env {variables} {cuectl.programs}/cuectl run-due"


def test_the_options_name_the_schedulers_that_there_are() -> None:
    found = schedulers(Site(home="/home/ana/.cue", environment={"HOME": "/home/ana"}))
    assert sorted(CHOICES) == sorted([AUTO, *(one.name for one in found)])


def test_a_dry_run_shows_the_line_and_changes_nothing(cuectl: Cuectl, cron: StandIns) -> None:
    cuectl.run("scheduler", "install", "--dry-run").gives(
        "write crontab\n"
        "    + # BEGIN CUECTL\n"
        f"    + {NOTE}\n"
        f"    + {line_of(cuectl)}\n"
        "    + # END CUECTL\n"
    )
    assert cron.crontab is None
    assert not cuectl.home.exists()


def test_it_is_not_done_without_being_asked(cuectl: Cuectl, cron: StandIns) -> None:
    answer = cuectl.run("scheduler", "install")
    assert answer.status == 8
    assert "hint: give --yes to go ahead" in answer.stderr
    assert cron.crontab is None


def test_the_rest_of_the_crontab_stays_byte_for_byte(cuectl: Cuectl, cron: StandIns) -> None:
    cron.crontab = OTHER
    assert cuectl.run("scheduler", "install", "--yes").status == 0
    region = f"# BEGIN CUECTL\n{NOTE}\n{line_of(cuectl)}\n# END CUECTL\n".encode()
    assert cron.crontab == OTHER + region

    cron.crontab = OTHER + region + b"5 5 * * * /bin/later\n"
    cuectl.run("scheduler", "install", "--yes").gives(
        "crontab calls 'cuectl run-due' each minute already\n"
    )
    answer = cuectl.run("scheduler", "remove", "--yes")
    assert answer.stdout.endswith("removed; your cues no longer run by themselves\n")
    assert cron.crontab == OTHER + b"5 5 * * * /bin/later\n"
    cuectl.run("scheduler", "remove", "--yes").gives(
        "nothing that 'scheduler install' wrote calls 'cuectl run-due' here\n"
    )


def test_a_crontab_that_held_nothing_else_is_removed(cuectl: Cuectl, cron: StandIns) -> None:
    cuectl.run("scheduler", "install", "--yes", "-q").gives()
    assert cron.crontab is not None
    cuectl.run("scheduler", "remove", "--yes", "-q").gives()
    assert cron.crontab is None


def test_each_state_directory_has_a_line_of_its_own(
    cuectl: Cuectl, cron: StandIns, tmp_path: Path
) -> None:
    odd = str(tmp_path / "50% of 'it' $HOME")
    assert cuectl.run("scheduler", "install", "--yes").status == 0
    first = cron.crontab
    assert cuectl.run("--home", odd, "scheduler", "install", "--yes").status == 0
    assert (cron.crontab or b"").count(b"run-due") == 2
    assert b"50\\% of" in (cron.crontab or b"")
    found = cuectl.run("--json", "--home", odd, "scheduler", "status")
    assert found.json["home"] == odd
    assert found.json["installed"][0]["current"] is True
    assert cuectl.run("--home", odd, "scheduler", "remove", "--yes").status == 0
    assert cron.crontab == first


def test_the_shell_reads_an_odd_line_as_it_was_meant(
    cuectl: Cuectl, cron: StandIns, tmp_path: Path
) -> None:
    odd = tmp_path / "50% of 'it' $HOME"
    assert cuectl.run("--home", str(odd), "scheduler", "install", "--yes").status == 0
    line = (cron.crontab or b"").splitlines()[2].decode()
    # What cron does: five fields off, and '\%' is '%'.
    command = line.split(" ", 5)[5].replace("\\%", "%")
    subprocess.run(["/bin/sh", "-c", command], check=True, env={"HOME": "/nonexistent"})
    assert (odd / "last-pass").exists()


def test_a_line_that_is_out_of_date_is_told_of_and_brought_up_to_date(
    cuectl: Cuectl, cron: StandIns
) -> None:
    assert cuectl.run("scheduler", "install", "--yes").status == 0
    before = cuectl.environment["PATH"]
    cuectl.env(PATH=f"{before}:/opt/bin:/opt/bin:relative:")
    assert cuectl.json("scheduler", "status")["installed"][0]["current"] is False
    answer = cuectl.run("scheduler", "install", "--yes")
    assert "    - * * * * *" in answer.stdout
    assert f"PATH={before}:/opt/bin CUECTL_HOME" in (cron.crontab or b"").decode()


def test_a_line_written_by_hand_is_found_and_left_alone(cuectl: Cuectl, cron: StandIns) -> None:
    line = f"PATH=/opt/bin\n* * * * * {cuectl.programs}/cuectl run-due\n".encode()
    cron.crontab = line
    found = cuectl.json("scheduler", "status")["installed"]
    assert [(one["by_hand"], one["path"]) for one in found] == [(True, "/opt/bin")]
    cuectl.run("scheduler", "install", "--yes").fails(
        6,
        "a line of your own calls 'cuectl run-due' in the crontab already",
        "remove it first: crontab -e",
    )
    assert "a line of your own" in cuectl.run("scheduler", "remove", "--yes").stderr
    assert cron.crontab == line


@pytest.mark.parametrize(
    "damaged",
    [
        b"# BEGIN CUECTL\n* * * * * x\n",
        b"# END CUECTL\n",
        b"# END CUECTL\n# BEGIN CUECTL\n",
        b"# BEGIN CUECTL\n# END CUECTL\n# BEGIN CUECTL\n# END CUECTL\n",
    ],
)
def test_markers_that_do_not_match_are_not_touched(
    cuectl: Cuectl, cron: StandIns, damaged: bytes
) -> None:
    cron.crontab = damaged
    cuectl.run("scheduler", "install", "--yes").fails(
        6,
        "the lines '# BEGIN CUECTL' and '# END CUECTL' in the crontab do not match",
        "fix or remove them with: crontab -e",
    )
    assert cron.crontab == damaged


def test_a_path_that_is_too_long_for_cron_is_refused(cuectl: Cuectl, cron: StandIns) -> None:
    cuectl.env(PATH=cuectl.environment["PATH"] + "".join(f":/opt/{n:0>90}" for n in range(12)))
    answer = cuectl.run("scheduler", "install", "--yes")
    assert answer.status == 8
    assert answer.stderr.startswith(
        "cuectl: error: the line for the crontab is longer than 990 bytes\nhint: "
    )
    assert cron.crontab is None


def test_the_answers_are_what_the_schemas_say(cuectl: Cuectl, cron: StandIns) -> None:
    status = cuectl.run("--json", "scheduler", "status")
    assert status.status == 4
    assert_fits(status.json, "scheduler-status")
    for words in (["install", "--dry-run"], ["install", "--yes"], ["install", "--yes"]):
        assert_fits(cuectl.json("scheduler", *words), "scheduler-change")
    found = cuectl.json("scheduler", "status")
    assert_fits(found, "scheduler-status")
    assert found["installed"][0]["command"] == [f"{cuectl.programs}/cuectl", "run-due"]
    gone = cuectl.json("scheduler", "remove", "--yes")
    assert_fits(gone, "scheduler-change")
    assert gone["schedulers"] == ["crontab"]


def test_bad_words_are_refused(cuectl: Cuectl, cron: StandIns) -> None:
    assert cuectl.run("scheduler", "install", "--scheduler", "anacron").status == 2
    assert cuectl.run("scheduler", "status", "more").status == 2
    assert cuectl.run("scheduler", "remove", "--force").status == 2
    assert cuectl.run("scheduler").status == 2
    answer = cuectl.run("scheduler", "install", "--scheduler", "launchd", "--yes")
    assert answer.status == 8
    assert "launchd: no launchd answers: 'launchctl' is not on the PATH" in answer.stderr


def test_a_timer_is_written_started_and_taken_away(cuectl: Cuectl, systemd: StandIns) -> None:
    answer = cuectl.run("scheduler", "install", "--yes")
    assert answer.status == 0, answer
    folder = cuectl.user / ".config" / "systemd" / "user"
    service = (folder / "cuectl.service").read_text()
    lines = service.splitlines()
    assert "KillMode=process" in lines
    assert lines[lines.index("KillMode=process") - 1].startswith("# (control-group) systemd would")
    assert f"ExecStart={cuectl.programs}/cuectl run-due --detach" in lines
    path = cuectl.environment["PATH"]
    assert f'Environment="PATH={path}" "CUECTL_HOME={cuectl.home}"' in lines
    assert "OnCalendar=minutely" in (folder / "cuectl.timer").read_text().splitlines()
    assert systemd.calls() == ["--user daemon-reload", "--user enable --now cuectl.timer"]

    drop_in = folder / "cuectl.service.d" / "override.conf"
    drop_in.parent.mkdir()
    drop_in.write_text("[Service]\nNice=5\n")
    found = cuectl.json("scheduler", "status")["installed"]
    assert [(one["scheduler"], one["current"]) for one in found] == [("systemd-timer", True)]
    assert "already" in cuectl.run("scheduler", "install", "--yes").stdout
    assert cuectl.run("scheduler", "remove", "--yes").status == 0
    assert [one.name for one in folder.iterdir()] == ["cuectl.service.d"]
    assert drop_in.exists()
    assert systemd.calls()[2:] == ["--user disable --now cuectl.timer", "--user daemon-reload"]


def test_what_keeps_a_timer_from_its_work_is_told(cuectl: Cuectl, systemd: StandIns) -> None:
    assert cuectl.run("scheduler", "install", "--yes").status == 0
    (systemd.folder / "kill-mode").write_text("control-group\n")
    (systemd.folder / "linger").write_text("no\n")
    answer = cuectl.run("--json", "scheduler", "status")
    assert answer.status == 4
    assert answer.json["installed"][0]["faults"] == [
        "'cuectl.service' has KillMode=control-group, which kills running work",
        "the timers of this user stop at logout",
    ]
    (systemd.folder / "active").unlink()
    answer = cuectl.run("--json", "scheduler", "status")
    assert answer.json["installed"][0]["faults"] == ["the timer 'cuectl.timer' is not active"]
    assert cuectl.run("scheduler", "install", "--yes").status == 0
    assert (systemd.folder / "active").exists()


def test_a_unit_of_somebody_else_is_not_overwritten(cuectl: Cuectl, systemd: StandIns) -> None:
    path = cuectl.user / ".config" / "systemd" / "user" / "cuectl.service"
    path.parent.mkdir(parents=True)
    path.write_text("[Service]\nExecStart=/bin/true\n")
    cuectl.run("scheduler", "install", "--yes").fails(
        1, f"'{path}' was not written by cuectl", "move it away"
    )
    assert path.read_text() == "[Service]\nExecStart=/bin/true\n"


def test_a_second_scheduler_is_refused(cuectl: Cuectl, tmp_path: Path, systemd: StandIns) -> None:
    assert cuectl.run("scheduler", "install", "--yes").status == 0
    both = StandIns(tmp_path / "both", cuectl, "crontab")
    cuectl.run("scheduler", "install", "--scheduler", "crontab", "--yes").fails(
        6,
        f"systemd-timer calls 'cuectl run-due' for '{cuectl.home}' already",
        "remove it first: cuectl scheduler remove",
    )
    assert both.crontab is None


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)
@pytest.mark.parametrize("name", ["cue", "50% of 'it' \"x\" $HOME \\n"])
def test_systemd_finds_nothing_wrong_with_the_units(
    cuectl: Cuectl, systemd: StandIns, tmp_path: Path, name: str
) -> None:
    home = str(tmp_path / name)
    words = ("scheduler", "install", "--watch", "--yes")
    assert cuectl.run("--home", home, *words).status == 0
    found = cuectl.json("--home", home, "scheduler", "status")["installed"]
    assert found[0]["current"] is True
    folder = cuectl.user / ".config" / "systemd" / "user"
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    done = subprocess.run(
        ["systemd-analyze", "--user", "--man=no", "verify", *map(str, folder.iterdir())],
        env={"HOME": str(cuectl.user), "XDG_RUNTIME_DIR": str(runtime), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_an_agent_of_launchd_is_written_loaded_and_taken_away(
    cuectl: Cuectl, launchd: StandIns
) -> None:
    assert cuectl.run("scheduler", "install", "--yes").status == 0
    path = cuectl.user / "Library" / "LaunchAgents" / "cuectl.run-due.plist"
    job = plistlib.loads(path.read_bytes())
    assert job["ProgramArguments"] == [f"{cuectl.programs}/cuectl", "run-due", "--detach"]
    assert job["AbandonProcessGroup"] is True
    assert job["EnvironmentVariables"]["CUECTL_HOME"] == str(cuectl.home)
    assert "already" in cuectl.run("scheduler", "install", "--yes").stdout
    assert cuectl.json("scheduler", "status")["installed"][0]["current"] is True
    assert cuectl.run("scheduler", "remove", "--yes").status == 0
    assert not path.exists()
    verbs = [call.split()[0] for call in launchd.calls()]
    assert verbs == ["bootstrap", "bootout"]


def test_a_failing_crontab_is_one_clear_line(cuectl: Cuectl, cron: StandIns) -> None:
    program = cron.folder / "tools" / "crontab"
    program.write_text(
        "#!/bin/sh\necho 'you (ana) are not allowed to use this program' >&2\nexit 1\n"
    )
    answer = cuectl.run("scheduler", "install", "--scheduler", "crontab", "--yes")
    answer.fails(
        8,
        "no scheduler can be used here: crontab: the crontab can't be read: "
        "you (ana) are not allowed to use this program",
        "install cron, or keep 'cuectl worker' running",
    )


def test_a_watch_is_a_line_of_its_own_and_goes_with_the_other(
    cuectl: Cuectl, cron: StandIns
) -> None:
    cron.crontab = OTHER
    assert cuectl.run("scheduler", "install", "--yes").status == 0
    assert cuectl.json("scheduler", "status")["installed"][0]["watched"] is False
    assert cuectl.run("scheduler", "install", "--watch", "--yes").status == 0
    line = line_of(cuectl)
    watch = line.replace("* * * * *", "7-59/15 * * * *").replace(
        "run-due", "scheduler watch --quiet"
    )
    region = f"# BEGIN CUECTL\n{NOTE}\n{line}\n{watch}\n# END CUECTL\n".encode()
    assert cron.crontab == OTHER + region
    for words in ((), ("--watch",)):
        assert "already" in cuectl.run("scheduler", "install", *words, "--yes").stdout
    found = cuectl.json("scheduler", "status")["installed"]
    assert [(one["watched"], one["current"]) for one in found] == [(True, True)]
    assert "watched    every 15 minutes" in cuectl.run("scheduler", "status").stdout

    cron.crontab = OTHER + region.replace(b"7-59/15", b"3")
    assert cuectl.json("scheduler", "status")["installed"][0]["current"] is False
    assert cuectl.run("scheduler", "install", "--yes").status == 0, "it is brought up to date"
    assert cron.crontab == OTHER + region
    assert cuectl.run("scheduler", "remove", "--yes").status == 0
    assert cron.crontab == OTHER


def test_a_timer_is_watched_by_another(cuectl: Cuectl, systemd: StandIns) -> None:
    assert cuectl.run("scheduler", "install", "--watch", "--yes").status == 0
    folder = cuectl.user / ".config" / "systemd" / "user"
    service = (folder / "cuectl-watch.service").read_text().splitlines()
    assert f"ExecStart={cuectl.programs}/cuectl scheduler watch --quiet" in service
    assert "OnCalendar=*:07/15" in (folder / "cuectl-watch.timer").read_text().splitlines()
    timers = ["cuectl.timer", "cuectl-watch.timer"]
    assert systemd.calls() == [
        "--user daemon-reload",
        *(f"--user enable --now {one}" for one in timers),
    ]
    found = cuectl.json("scheduler", "status")["installed"]
    assert [(one["watched"], one["current"]) for one in found] == [(True, True)]
    assert "already" in cuectl.run("scheduler", "install", "--yes").stdout
    assert cuectl.run("scheduler", "remove", "--yes").status == 0
    assert list(folder.iterdir()) == []
    assert systemd.calls()[3:] == [
        *(f"--user disable --now {one}" for one in timers),
        "--user daemon-reload",
    ]


def test_an_agent_of_launchd_is_watched_by_another(cuectl: Cuectl, launchd: StandIns) -> None:
    assert cuectl.run("scheduler", "install", "--watch", "--yes").status == 0
    folder = cuectl.user / "Library" / "LaunchAgents"
    job = plistlib.loads((folder / "cuectl.watch.plist").read_bytes())
    program = f"{cuectl.programs}/cuectl"
    assert job["ProgramArguments"] == [program, "scheduler", "watch", "--quiet"]
    assert job["StartInterval"] == 900
    assert cuectl.json("scheduler", "status")["installed"][0]["watched"] is True
    assert cuectl.run("scheduler", "remove", "--yes").status == 0
    assert list(folder.iterdir()) == []


def test_a_new_scheduler_is_asked_for_its_environment(cuectl: Cuectl, cron: StandIns) -> None:
    assert cuectl.run("run-due").status == 0
    noted, line = cuectl.home / "scheduler-environment", cuectl.home / "next"
    assert (noted.exists(), line.exists()) == (True, True)
    assert cuectl.run("scheduler", "install", "--dry-run").status == 0
    assert (noted.exists(), line.exists()) == (True, True)
    assert cuectl.run("scheduler", "install", "--yes").status == 0
    assert (noted.exists(), line.exists()) == (False, False)
    assert cuectl.run("run-due").status == 0
    assert (noted.exists(), line.exists()) == (True, True)
