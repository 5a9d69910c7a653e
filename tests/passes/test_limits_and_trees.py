"""Time limits, and what of an execution's processes is left when it is over."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.observing import is_gone, processes_with, until

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import StoreState
WILL_NOT_GO = "sh -c 'trap \"\" TERM; echo $$ > pid; sleep 600; sleep 600'"
ESCAPES = {
    "a child": "sh -c 'echo $$ > pid; exec sleep 600' & wait",
    "a child that ignores SIGTERM": f"{WILL_NOT_GO} & wait",
    "a session of its own": "setsid sh -c 'echo $$ > pid; exec sleep 600' & wait",
    "a daemon": f"setsid {WILL_NOT_GO} >/dev/null 2>&1 </dev/null & wait",
    "an empty environment": f"env -i /bin/{WILL_NOT_GO} & wait",
    "an empty environment in a session of its own": f"setsid env -i /bin/{WILL_NOT_GO} & wait",
}

# glibc's posix_spawn lets a child ignore the two signals that its threads use.
OF_THE_C_LIBRARY = 0b11 << 31


@pytest.mark.parametrize("kind", ESCAPES)
def test_a_time_limit_ends_the_whole_tree(impatient: Cuectl, state: StoreState, kind: str) -> None:
    cuectl = impatient
    script = f"echo begun; {ESCAPES[kind]}"
    cuectl.run("create", "--name", "job", "--timeout", "2s", "--shell", script)
    cuectl.run("fire", "job")

    answer = cuectl.run("run-due")

    assert answer.status == 0
    record = state.one()
    assert record["status"] == "timed_out"
    assert record["reason"] == "time limit of 2 s exceeded"
    assert state.output(record) == b"begun\n"
    pid = int((cuectl.work / "pid").read_text())
    assert is_gone(pid), f"{kind} is still there"
    assert "failed: 'job'" in answer.stderr


def test_a_handler_that_ignores_the_signal_is_killed(impatient: Cuectl, state: StoreState) -> None:
    script = "trap 'echo no' TERM; while :; do sleep 0.1; done"
    impatient.env(TEST_GRACE_S="2")
    impatient.run("create", "--name", "job", "--timeout", "2s", "--shell", script)
    impatient.run("fire", "job")

    assert impatient.run("run-due").status == 0

    record = state.one()
    assert record["status"] == "timed_out"
    assert record["signal"] == signal.SIGKILL
    assert b"no\n" in state.output(record)


def test_a_handler_may_use_its_grace_to_report(cuectl: Cuectl, state: StoreState) -> None:
    script = (
        "trap 'cuectl report --external-id half-way --summary stopped; exit 0' TERM;"
        "sleep 600 & wait"
    )
    cuectl.run("create", "--name", "job", "--timeout", "2s", "--shell", script)
    cuectl.run("fire", "job")
    cuectl.run("run-due")

    record = state.one()
    assert record["status"] == "timed_out"
    assert record["external_id"] == "half-way"


@pytest.mark.parametrize(
    "background", ["sleep 600 &", "setsid sleep 600 >/dev/null 2>&1 </dev/null &"]
)
def test_a_background_child_does_not_hold_a_run_open(
    cuectl: Cuectl, state: StoreState, background: str
) -> None:
    cuectl.run("create", "--name", "job", "--shell", f"{background} echo $! > pid; echo done")
    cuectl.run("fire", "job")

    assert cuectl.run("run-due").status == 0

    assert state.ends() == ["succeeded"]
    assert state.output(state.one()) == b"done\n"
    pid = int((cuectl.work / "pid").read_text())
    assert not is_gone(pid)
    subprocess.run(["kill", "-9", str(pid)], check=True)


def test_a_process_that_outlives_its_run_can_still_write(cuectl: Cuectl, state: StoreState) -> None:
    script = "sh -c 'while [ ! -e go ]; do sleep 0.02; done; echo late; touch over' & echo early"
    cuectl.run("create", "--name", "job", "--shell", script)
    cuectl.run("fire", "job")
    cuectl.run("run-due")
    assert state.ends() == ["succeeded"]

    (cuectl.work / "go").touch()
    until((cuectl.work / "over").exists)

    assert state.output(state.one()) == b"early\nlate\n"


def test_output_of_any_bytes_is_kept_as_it_is(cuectl: Cuectl, state: StoreState) -> None:
    data = bytes(range(256)) * 40 + b"\xff\xfe\x00\x1b[2J\r\n" + "é".encode() * 3
    (cuectl.work / "data").write_bytes(data)
    cuectl.run("create", "--name", "job", "--", "cat", "data")
    cuectl.run("fire", "job")

    answer = cuectl.run("run-due")

    assert answer.status == 0
    assert state.output(state.one()) == data
    assert "\x1b" not in answer.stderr


def test_output_on_both_descriptors_keeps_its_order(cuectl: Cuectl, state: StoreState) -> None:
    script = "for i in 1 2 3; do echo out $i; echo err $i >&2; done"
    cuectl.run("create", "--name", "job", "--shell", script)
    cuectl.run("fire", "job")
    cuectl.run("run-due")

    expected = "".join(f"out {i}\nerr {i}\n" for i in (1, 2, 3))
    assert state.output(state.one()).decode() == expected


def test_of_much_output_head_and_tail_are_kept(cuectl: Cuectl, state: StoreState) -> None:
    script = (
        "import sys\n"
        "print('first line', flush=True)\n"
        "block = b'x' * (1 << 20)\n"
        "for _ in range(50): sys.stdout.buffer.write(block)\n"
        "sys.stdout.flush()\n"
        "print('last line', flush=True)\n"
    )
    cuectl.files({"much.py": script})
    cuectl.run("create", "--name", "job", "--", sys.executable, "much.py")
    cuectl.run("fire", "job")
    measure = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], check=True)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", measure, str(cuectl.programs / "cuectl"), "run-due"],
        cwd=cuectl.work,
        env=cuectl.environment,
        capture_output=True,
        text=True,
        check=True,
    )

    peak_kb = int(done.stdout.split()[-1])
    kept = state.output(state.one())
    assert state.ends() == ["succeeded"]
    assert kept.startswith(b"first line\n")
    assert kept.endswith(b"last line\n")
    assert b"bytes left out here" in kept
    assert len(kept) < 11 << 20
    assert state.one()["result"].endswith("last line\n")
    assert peak_kb < 100_000, f"{peak_kb} kB"


def test_descriptors_and_signals_of_a_handler_are_plain(cuectl: Cuectl, state: StoreState) -> None:
    script = (
        "import os, signal\n"
        "fds = []\n"
        "for fd in range(0, 300):\n"
        "    try: os.fstat(fd); fds.append(fd)\n"
        "    except OSError: pass\n"
        "print(fds, os.readlink('/proc/self/fd/0'))\n"
        "same = {os.fstat(fd).st_ino for fd in (1, 2, 198)}\n"
        "print(len(same), os.getsid(0) == os.getpid())\n"
        "status = open('/proc/self/status').read()\n"
        "print([l for l in status.splitlines() if l.startswith(('SigBlk', 'SigIgn'))])\n"
    )
    cuectl.files({"look.py": script})
    cuectl.run("create", "--name", "job", "--", sys.executable, "-I", "look.py")
    cuectl.run("fire", "job")
    cuectl.run("run-due")

    lines = state.output(state.one()).decode().splitlines()
    assert lines[0] == "[0, 1, 2, 198] /dev/null"
    assert lines[1] == "1 True"
    ignored = int(lines[2].partition("SigIgn:\\t")[2][:16], 16)
    blocked = int(lines[2].partition("SigBlk:\\t")[2][:16], 16)
    by_python = 1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)
    assert blocked == 0
    assert ignored & ~by_python & ~OF_THE_C_LIBRARY == 0


def test_a_handler_inherits_no_signal_that_is_ignored(cuectl: Cuectl, state: StoreState) -> None:
    cuectl.run("create", "--name", "job", "--", "grep", "SigIgn", "/proc/self/status")
    cuectl.run("fire", "job")
    cuectl.run("run-due")

    ignored = int(state.output(state.one()).split()[1], 16)
    assert ignored & ~OF_THE_C_LIBRARY == 0


def test_many_time_limits_at_once(impatient: Cuectl, state: StoreState) -> None:
    for number in range(8):
        words = ("--name", f"job{number}", "--timeout", "0.5s", "--", "sleep", "600")
        impatient.run("create", *words)
        impatient.run("fire", f"job{number}")

    assert impatient.run("run-due").status == 0

    assert [one["status"] for one in state.executions()] == ["timed_out"] * 8
    assert processes_with(str(impatient.home)) == []
