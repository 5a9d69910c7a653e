"""What a start imports, and what happens when the surroundings are broken."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from cuectl.events.rules.event import TIMED
from cuectl.events.sources.registry import POLLED
from cuectl.passes.loop import SOURCE_EVENTS
from cuectl.store import home, idle
from tests.fixtures.builder import SCRIPT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.builder import Cuectl

FROM_OUTSIDE = {"click", "croniter", "yaml", "filelock", "tabulate"}
# Our modules that a pass may load, packages counted, the declaration of the command aside.
MOST_OF_A_PASS = 60
# What costs more to import than a pass needs for all that it does.
HEAVY = {"typing", "tempfile", "shutil", "random", "uuid", "platform", "subprocess", "socket"}


def modules_after(cuectl: Cuectl, *words: str) -> set[str]:
    """Return what the program has imported at its end, beyond an empty program."""
    report = "import atexit,sys; atexit.register(lambda: sys.stderr.write(' '.join(sys.modules)))"
    return _modules(cuectl, report, list(words)) - _modules(cuectl, report, None)


def _modules(cuectl: Cuectl, report: str, words: list[str] | None) -> set[str]:
    start = "" if words is None else f"; from cuectl.entry import main; main({words!r})"
    done = subprocess.run(
        [sys.executable, "-c", report + start],
        env=cuectl.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.split())


def make_idle(cuectl: Cuectl) -> None:
    """Leave a home in which nothing is due for a minute."""
    path = str(cuectl.home)
    home.make(path)
    now = time.time_ns() // 1_000_000
    line = idle.write_line(path, now - 1000, now + 60_000, "000000000001.jsonl")
    if line is None:
        pytest.skip("this system does not tell one boot from another")
    (cuectl.home / "next").write_text(line)
    (cuectl.home / "last-pass").touch()
    os.utime(cuectl.home / "last-pass", ns=(0, 0))


def test_an_idle_pass_imports_nothing_but_itself(cuectl: Cuectl) -> None:
    make_idle(cuectl)

    found = modules_after(cuectl, "run-due")

    assert found == {"cuectl", "cuectl.entry", "cuectl.store", "cuectl.store.idle"}
    assert (cuectl.home / "last-pass").stat().st_mtime_ns > 0


def test_an_idle_pass_that_cannot_leave_its_heartbeat_says_so(cuectl: Cuectl) -> None:
    make_idle(cuectl)
    code = (
        "import os, cuectl.entry as entry\n"
        "def full(*_): raise OSError(28, 'No space left on device', 'last-pass')\n"
        "os.utime = full\n"
        "raise SystemExit(entry.main(['run-due']))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        env=cuectl.environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == (
        "cuectl: error: 'last-pass': no space left on device\n"
        "hint: make room, then run the command again\n"
    )
    assert done.returncode == 1


def test_help_imports_no_command(cuectl: Cuectl) -> None:
    found = modules_after(cuectl, "--help")

    assert not {name for name in found if name.startswith("cuectl.cli.commands")}
    assert not {name for name in found if name.startswith(("cuectl.engine", "cuectl.store."))}


def test_an_ordinary_call_does_not_import_click(cuectl: Cuectl) -> None:
    assert not modules_after(cuectl, "version", "--json") & FROM_OUTSIDE


@pytest.mark.parametrize(
    "words",
    [
        ["version", "--json"],
        ["create", "--name", "a", "--at", "+1d", "--", "true"],
        ["list"],
        ["run-due"],
    ],
    ids=lambda words: words[0],
)
def test_no_command_defines_standard_dataclasses(cuectl: Cuectl, words: list[str]) -> None:
    assert not modules_after(cuectl, *words) & {"dataclasses", "inspect"}


def test_a_pass_imports_nothing_that_reads_definitions_while_they_stay_the_same(
    cuectl: Cuectl,
) -> None:
    cuectl.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    (cuectl.home / "cue.yaml").write_text("handlers:\n  audit:\n    cmd: 'true'\n")
    cuectl.run("run-due")
    cuectl.run("create", "--name", "a", "--at", "now", "--", "true")

    found = modules_after(cuectl, "run-due")

    assert "cuectl.passes.loop" in found
    assert not found & {"yaml", "cuectl.applying.apply", "cuectl.definitions.checks"}


def test_a_pass_with_nothing_due_loads_little(cuectl: Cuectl) -> None:
    cuectl.run("create", "--name", "a", "--cron", "0 3 1 1 *", "--", "true")

    found = modules_after(cuectl, "run-due")

    assert_little(found)
    assert "cuectl.passes.loop" in found


def test_a_pass_with_one_due_handler_loads_little(cuectl: Cuectl) -> None:
    cuectl.run("create", "--name", "a", "--cron", "0 3 1 1 *", "--", "true")
    cuectl.run("fire", "a")

    found = modules_after(cuectl, "run-due")

    assert_little(found)
    assert "cuectl.passes.reactions" in found
    assert [one["status"] for one in cuectl.json("executions", "list")] == ["succeeded"]


def assert_little(found: set[str]) -> None:
    """Check that a pass has loaded few modules of ours, and no heavy ones."""
    ours = {name for name in found if name.partition(".")[0] == "cuectl"}
    ours = {name for name in ours if not name.startswith("cuectl.cli.commands")}
    assert len(ours) <= MOST_OF_A_PASS, sorted(ours)
    assert not found & HEAVY


def test_a_pass_knows_the_events_that_sources_tell() -> None:
    assert set(SOURCE_EVENTS) == {*TIMED, *POLLED}


def test_a_full_disk_behind_standard_output_is_an_error(cuectl: Cuectl) -> None:
    with open("/dev/full", "w") as full:
        process = cuectl.start("version", stdout=full)
        _, err = process.communicate(timeout=60)

    assert err == (
        b"cuectl: error: 'standard output': no space left on device\n"
        b"hint: the answer is lost, what the command did is not: look before it is run again\n"
    )
    assert process.returncode == 1


def test_the_help_into_a_full_disk_is_an_error(cuectl: Cuectl) -> None:
    with open("/dev/full", "w") as full:
        process = cuectl.start("--help", stdout=full)
        _, err = process.communicate(timeout=60)

    assert err.startswith(b"cuectl: error: 'standard output': no space left on device\n")
    assert process.returncode == 1


def test_a_reader_that_went_away_is_no_error_to_read_about(cuectl: Cuectl) -> None:
    reading, writing = os.pipe()
    os.close(reading)

    process = cuectl.start("version", stdout=writing)
    os.close(writing)
    _, err = process.communicate(timeout=60)

    assert (err, process.returncode) == (b"", 141)


@pytest.mark.parametrize("words", ["version", "--help"])
def test_closed_standard_output_is_an_error(cuectl: Cuectl, words: str) -> None:
    done = shell(cuectl, f"cuectl {words} >&-")

    assert done.stderr == (
        "cuectl: error: 'standard output': bad file descriptor\n"
        "hint: the answer is lost, what the command did is not: look before it is run again\n"
    )
    assert done.returncode == 1


def test_closed_standard_error_and_input_do_not_matter(cuectl: Cuectl) -> None:
    assert shell(cuectl, "cuectl --version <&- 2>&-").stdout == "cuectl 0.1.0\n"


def test_all_streams_closed_is_a_status(cuectl: Cuectl) -> None:
    assert shell(cuectl, "cuectl version <&- >&- 2>&-").returncode == 1


@pytest.mark.parametrize("limit", [3, 4, 5])
@pytest.mark.parametrize("words", [["version"], ["version", "--json"], ["nope"], ["--help"]])
def test_no_descriptor_left_is_one_line(cuectl: Cuectl, limit: int, words: list[str]) -> None:
    code = (
        "import resource, sys\n"
        f"sys.argv = ['cuectl', *{words!r}]\n"
        f"script = compile(open({str(SCRIPT)!r}).read(), 'cuectl', 'exec')\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({limit}, {limit}))\n"
        "exec(script)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        env=cuectl.environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith("hint: ")]
    failed = done.returncode != 0
    assert len(lines) == failed
    assert failed != bool(done.stdout)


def shell(cuectl: Cuectl, line: str) -> subprocess.CompletedProcess[str]:
    """Run a line of shell in the program's surroundings."""
    return subprocess.run(
        ["/bin/sh", "-c", line],
        env=cuectl.environment,
        cwd=cuectl.work,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_environment_of_the_tests_is_a_private_one(cuectl: Cuectl, tmp_path: Path) -> None:
    assert cuectl.json("version")["home"] == str(tmp_path / "user" / ".cue")
