"""Output as it comes: `fire --wait --follow`, `executions output -f`, `logs`, and what is said."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.background import WAITS
from tests.fixtures.observing import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.background import Passes
    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import StoreState

TALKS = 'printf "first\\n"; while [ ! -e go ]; do sleep 0.02; done; printf "second\\nthe end"'
_SPAN = re.compile(r"\b\d[\d.]*s\b")
_LETTERS = re.compile(r"\(…?[0-9a-z]{6}\b")


def said(text: str) -> str:
    """Leave out what differs each time."""
    return _SPAN.sub("SPAN", _LETTERS.sub("(…", text))


class Reading:
    """A command whose output is read while it runs."""

    def __init__(self, cuectl: Cuectl, *words: str) -> None:
        self.process = cuectl.start(*words)
        self.seen = b""

    def until(self, text: bytes) -> None:
        assert self.process.stdout is not None
        while text not in self.seen:
            found = os.read(self.process.stdout.fileno(), 4096)
            assert found, (self.seen, text)
            self.seen += found

    def end(self, number: int | None = None) -> tuple[str, str, int]:
        if number is not None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=100)
        return (self.seen + out).decode(), err.decode(), self.process.returncode


def test_the_output_of_a_run_comes_while_it_runs(cuectl: Cuectl) -> None:
    cuectl.run("create", "--name", "talk", "--shell", TALKS)
    fired = Reading(cuectl, "fire", "talk", "--wait", "--follow")
    fired.until(b"first\n")
    (cuectl.work / "go").touch()

    out, err, status = fired.end()

    assert (out, status) == ("first\nsecond\nthe end", 0)
    assert said(err) == ("▸ talk started (…), limit 1h\n✓ talk passed in SPAN: the end\n")


def test_what_another_pass_runs_is_followed_from_its_first_byte(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    cuectl.run(
        "create", "--name", "talk", "--shell", "echo before; " + WAITS + "echo after; exit 3"
    )
    cuectl.run("fire", "talk")
    busy = passes.start("talk")
    readers = [
        Reading(cuectl, "logs", "talk", "-f"),
        Reading(cuectl, "executions", "output", state.one()["id"], "--follow", "--raw"),
    ]
    for one in readers:
        one.until(b"before\n")
    (cuectl.work / "go").touch()

    for one in readers:
        out, err, status = one.end()
        assert (out, status) == ("before\nafter\n", 0)
        assert said(err) == "✗ talk failed in SPAN: exit 3: after\n"
    assert busy.end() == 0


def test_the_attempts_come_one_after_the_other(cuectl: Cuectl) -> None:
    script = "echo this is attempt $CUE_ATTEMPT; test $CUE_ATTEMPT = 2"
    options = ("--retries", "1", "--backoff", "1s")
    cuectl.run("create", "--name", "job", *options, "--shell", script)

    answer = cuectl.run("fire", "job", "--wait", "--follow")

    assert answer.stdout == "this is attempt 1\nthis is attempt 2\n"
    assert "◌ job attempt 2 starts in " in answer.stderr
    assert "\nattempt 2:\n" in answer.stderr


def test_a_secret_is_masked_while_it_is_printed(cuectl: Cuectl) -> None:
    """A secret in two pieces, and a line behind it that must not wait for more."""
    script = 'printf "key sesam"; while [ ! -e go ]; do sleep 0.02; done; printf "oeffne\\nsafe\\n"'
    cuectl.files({"../user/.cue/cue.yaml": "secrets: [KEY]\n"}).env(KEY="sesamoeffne")
    cuectl.home.chmod(0o700)
    cuectl.run("create", "--name", "job", "--shell", script + "; " + WAITS.replace("go", "gone"))
    fired = Reading(cuectl, "fire", "job", "--wait", "--follow")
    fired.until(b"key ")
    (cuectl.work / "go").touch()
    fired.until(b"safe\n")
    (cuectl.work / "gone").touch()

    assert fired.end()[0] == "key ***\nsafe\n"


def test_controls_are_shown_and_a_reader_may_leave(cuectl: Cuectl, state: StoreState) -> None:
    cuectl.run("create", "--name", "job", "--shell", "printf 'a\\033[2Jb\\n'; yes | head -c 300000")
    fired = cuectl.start("fire", "job", "--wait", "--follow")
    assert fired.stdout is not None
    assert os.read(fired.stdout.fileno(), 8) == b"a\\x1b[2J"
    fired.stdout.close()
    fired.stdout = None

    fired.communicate(timeout=100)
    assert fired.returncode == 141
    assert state.ends() == ["succeeded"]


def test_what_it_waits_for_is_said(cuectl: Cuectl, passes: Passes, state: StoreState) -> None:
    cuectl.run("create", "--name", "job", "--shell", WAITS)
    cuectl.run("fire", "job")
    busy = passes.start("job")

    fired = passes.run("fire", "job", "--wait")
    until(lambda: "Ctrl-C" in fired.stderr)

    assert said(fired.stderr) == (
        "◌ job waits for an earlier run (…, running SPAN). Ctrl-C leaves it waiting.\n"
    )
    assert fired.end(signal.SIGINT) == 130
    newest = state.executions()[-1]["id"]
    assert fired.stderr.endswith(f"job stays queued; to cancel it: cuectl cancel {newest}\n")
    assert state.ends()[-1].startswith("queued")
    (cuectl.work / "go").touch()
    assert busy.end() == 0


def test_it_heals_what_a_dead_pass_has_left(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    """Nothing else runs here: without that, it would wait for ever."""
    cuectl.run("create", "--name", "job", "--shell", WAITS)
    cuectl.run("fire", "job")
    busy = passes.start("job")
    busy.kill()
    fired = passes.run("fire", "job", "--wait")
    until(lambda: "Ctrl-C" in fired.stderr)
    (cuectl.work / "go").touch()

    assert fired.end() == 0
    assert [one.partition("(")[0] for one in state.ends()] == ["interrupted", "succeeded"]


def test_a_slot_is_waited_for(cuectl: Cuectl, passes: Passes) -> None:
    cuectl.files({"../user/.cue/cue.yaml": "settings: {max_parallel: 1}\n"})
    cuectl.home.chmod(0o700)
    for name in ("long", "short"):
        cuectl.run("create", "--name", name, "--shell", WAITS)
    cuectl.run("fire", "long")
    busy = passes.start("long")
    fired = passes.run("fire", "short", "--wait")
    until(lambda: "Ctrl-C" in fired.stderr)
    assert fired.stderr == (
        "◌ short waits for a free slot (max_parallel). Ctrl-C leaves it waiting.\n"
    )
    (cuectl.work / "go").touch()
    assert (busy.end(), fired.end()) == (0, 0)


def test_logs_of_what_has_not_run(cuectl: Cuectl) -> None:
    cuectl.run("create", "--name", "job", "--", "true")
    hint = "its runs: cuectl executions list --cue job"
    cuectl.run("logs", "job").fails(5, "cue 'job' has not run yet", hint)
    assert cuectl.run("logs", "jab").status == 5
    answer = cuectl.run("fire", "job", "--wait", "--follow", "--plain")
    answer.fails(2, "'--follow' prints the output itself, so '--plain' can't go with it")
    cuectl.run("fire", "job", "--follow").fails(2, "'--follow' goes with '--wait'")


def test_the_last_lines_and_what_follows(cuectl: Cuectl) -> None:
    cuectl.run("create", "--name", "job", "--shell", "seq 8 12; exit 1")
    cuectl.run("fire", "job", "--wait")

    cuectl.run("logs", "job", "-n", "2").gives("11\n12\n")
    answer = cuectl.run("logs", "job", "-n", "2", "-f")
    assert (answer.stdout, said(answer.stderr)) == (
        "11\n12\n",
        "✗ job failed in SPAN: exit 1: 12\n",
    )


@pytest.fixture
def bare(cuectl: Cuectl, tmp_path: Path) -> Cuectl:
    """A scheduler whose PATH lacks what your shell has."""
    tool = tmp_path / "tools" / "my-tool"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho found\n")
    tool.chmod(0o755)
    cuectl.run("create", "--name", "job", "--shell", "my-tool")
    small = {**cuectl.environment, "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"}
    done = subprocess.run(
        [str(cuectl.programs / "cuectl"), "run-due"], env=small, check=True, capture_output=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.stdout == b""
    return cuectl.env(PATH=f"{tool.parent}:{cuectl.environment['PATH']}", MINE="1")


def test_as_scheduled_fails_as_it_does_under_the_scheduler(bare: Cuectl) -> None:
    assert bare.run("fire", "job", "--wait").status == 0

    answer = bare.run("--json", "fire", "job", "--wait", "--as-scheduled")

    assert answer.status == 3
    path = f"/usr/bin:/bin:{bare.programs}"
    assert answer.json["reason"] == (f"exit status 127: 'my-tool' is not on the PATH '{path}'")


def test_as_scheduled_sees_no_other_variable(bare: Cuectl) -> None:
    bare.run("create", "--name", "env", "--shell", 'echo "${MINE-none} $SHELL $LANG"')
    answer = bare.run("fire", "env", "--wait", "--as-scheduled", "-f")
    assert answer.stdout == "none /bin/sh C.UTF-8\n"


def test_doctor_compares_the_two_paths(bare: Cuectl) -> None:
    answer = bare.run("doctor")
    assert "'my-tool' of cue 'job' is not on the PATH" in answer.stdout
    bare.run("create", "--name", "python", "--", "python3", "-V")
    assert f"and '{bare.programs}/python3' in your shell" in bare.run("doctor").stdout


def test_without_a_pass_of_a_scheduler_there_is_nothing_to_compare_with(cuectl: Cuectl) -> None:
    cuectl.run("create", "--name", "job", "--", "true")
    answer = cuectl.run("fire", "job", "--wait", "--as-scheduled")
    message = "no pass of a scheduler has recorded its environment yet"
    answer.fails(
        5,
        message,
        "let one run first: cuectl scheduler install; or, in a clean shell: env -i cuectl",
    )
