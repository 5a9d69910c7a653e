"""One traced run: what it records, where it strikes, and what it leaves alone."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest

from .leftovers import await_quiet, kill_leftovers, leftovers
from .operations import FAIL_KINDS, Kind, Printed, Wrote
from .runs import Result, crash_at, fail_at, record, unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REASON = unavailable()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "root"
    directory.mkdir()
    yield directory
    kill_leftovers(directory)


def python(body: str) -> list[str]:
    """Return a command that runs some lines with the root as its working directory."""
    return [sys.executable, "-ISc", f"import os, sys\n{body}"]


def shell(body: str) -> list[str]:
    return ["/bin/sh", "-c", body]


def calls(result: Result) -> list[str]:
    return [str(op) for op in result.ops]


def test_a_recording_names_each_change_in_its_order(root: Path) -> None:
    body = """
os.mkdir("d")
fd = os.open("d/new", os.O_WRONLY | os.O_CREAT)
os.write(fd, b"some")
os.fdatasync(fd)
os.rename("d/new", "d/file")
os.symlink("file", "d/link")
os.chmod("d/link", 0o400)
os.unlink("d/link")
sys.stdout.write("done")
"""
    result = record(python(body), root, cwd=root)

    assert calls(result) == [
        "mkdir d",
        "openat d/new",
        "write d/new",
        "fdatasync d/new",
        "rename d/new -> d/file",
        "symlink d/link",
        "chmod d/file",
        "unlink d/link",
        "write stdout",
        "exit_group -",
    ]
    assert (result.status, result.stdout, result.stderr) == (0, "done", "")


def test_what_happens_outside_of_the_root_is_not_recorded(root: Path, tmp_path: Path) -> None:
    result = record(shell("echo x > other; echo y > root-not"), root, cwd=tmp_path)

    assert calls(result) == ["exit_group -"]
    assert (tmp_path / "other").read_text() == "x\n"


def test_a_path_through_a_symbolic_link_into_the_root_counts(root: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(root)

    result = record(shell("echo x > alias/file"), root, cwd=tmp_path)

    assert calls(result)[:2] == ["openat file", "write file"]


def test_written_data_is_recorded_wherever_the_call_took_it_from(root: Path) -> None:
    body = """
fd = os.open("f", os.O_RDWR | os.O_CREAT)
os.write(fd, b"abc")
os.writev(fd, [b"d", b"e"])
os.pwrite(fd, b"X", 1)
log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
os.write(log, b"one")
os.pwrite(log, b"two", 0)
os.sendfile(log, fd, 0, 3)
"""
    result = record(python(body), root, cwd=root)

    wrote = [one for op in result.ops for one in op.effects if isinstance(one, Wrote)]
    assert [(one.offset, one.data) for one in wrote[:5]] == [
        (0, b"abc"),
        (3, b"de"),
        (1, b"X"),
        (0, b"one"),
        (3, b"two"),
    ]
    assert result.end is not None
    assert result.end.nodes["f"].data == b"aXcde"


def test_the_output_is_recorded_between_the_changes(root: Path) -> None:
    result = record(python("os.mkdir('a'); os.write(1, b'half'); os.mkdir('b')"), root, cwd=root)

    assert calls(result)[:3] == ["mkdir a", "write stdout", "mkdir b"]
    assert result.ops[1].effects == (Printed(stream=1, data=b"half"),)


def test_the_same_command_makes_the_same_calls_again(root: Path, tmp_path: Path) -> None:
    body = "for name in {'a', 'b', 'c', 'd'}: os.mkdir(name)"
    other = tmp_path / "other"
    other.mkdir()
    command = [sys.executable, "-Sc", f"import os\n{body}"]

    assert calls(record(command, root, cwd=root)) == calls(record(command, other, cwd=other))


def test_a_killed_process_has_not_executed_the_call(root: Path) -> None:
    body = "os.mkdir('a'); os.mkdir('b'); os.mkdir('c')"

    result = crash_at(python(body), root, 1, cwd=root)

    assert result.status == -signal.SIGKILL
    assert str(result.hit) == "mkdir b"
    assert result.ops[-1].result is None
    assert os.listdir(root) == ["a"]


def test_a_command_can_be_killed_at_the_very_end(root: Path) -> None:
    result = crash_at(python("os.mkdir('a')"), root, 1, cwd=root)

    assert result.status == -signal.SIGKILL
    assert str(result.hit) == "exit_group -"
    assert os.listdir(root) == ["a"]


def test_a_point_beyond_the_end_is_not_reached(root: Path) -> None:
    result = crash_at(python("os.mkdir('a')"), root, 2, cwd=root)

    assert (result.status, result.hit) == (0, None)


def test_a_crash_can_be_tied_to_a_claim_about_the_call(root: Path) -> None:
    body = "fd = os.open('f', os.O_CREAT | os.O_RDWR); os.write(fd, b'x'); os.fdatasync(fd)"

    result = crash_at(python(body), root, lambda op: op.kind is Kind.SYNC, cwd=root)

    assert str(result.hit) == "fdatasync f"
    assert (root / "f").read_text() == "x"


@pytest.mark.parametrize("start", ["os.posix_spawn", "os.fork"])
def test_children_of_a_killed_process_live_on_and_are_not_stopped(root: Path, start: str) -> None:
    child = "while [ ! -e go ]; do :; done; echo done > child"
    if start == "os.posix_spawn":
        body = f"os.posix_spawn('/bin/sh', ['sh', '-c', {child!r}], {{}})\nos.mkdir('a')"
    else:
        body = f"os.fork() or os.execv('/bin/sh', ['sh', '-c', {child!r}])\nos.mkdir('a')"

    result = crash_at(python(body), root, lambda op: op.path == "a", cwd=root)

    assert result.status == -signal.SIGKILL
    assert not (root / "child").exists()
    assert len(leftovers(root)) == 1
    (root / "go").touch()
    assert await_quiet(root)
    assert (root / "child").read_text() == "done\n"


def test_a_whole_tree_can_be_killed_even_what_has_its_own_session(root: Path) -> None:
    child = "trap '' TERM HUP; while :; do :; done"
    body = f"""
pid = os.posix_spawn('/bin/sh', ['sh', '-c', {child!r}], {{}}, setsid=True)
if os.fork() == 0:
    os.fork() and os._exit(0)
    os.setsid()
    os.execv('/bin/sh', ['sh', '-c', {child!r}])
os.mkdir('a')
"""
    result = crash_at(python(body), root, lambda op: op.path == "a", tree=True, cwd=root)

    assert result.status == -signal.SIGKILL
    assert leftovers(root) == []
    assert not (root / "a").exists()


def test_an_error_takes_the_place_of_the_call(root: Path) -> None:
    body = """
for name in "abcd":
    try:
        os.mkdir(name)
    except OSError as error:
        print(name, error.errno)
"""
    result = fail_at(python(body), root, 1, errno.ENOSPC, cwd=root)

    assert result.stdout == f"b {errno.ENOSPC}\n"
    assert sorted(os.listdir(root)) == ["a", "c", "d"]
    assert result.ops[1].result == -errno.ENOSPC


def test_an_error_can_last_but_spares_what_cannot_fail_like_that(root: Path) -> None:
    body = """
fd = os.open("f", os.O_CREAT | os.O_RDWR)
for act in (lambda: os.write(fd, b"x"), lambda: os.write(fd, b"y"), lambda: os.ftruncate(fd, 0),
            lambda: os.mkdir("d"), lambda: os.unlink("f")):
    try:
        act()
        print("ok")
    except OSError as error:
        print(error.errno)
"""
    result = fail_at(python(body), root, 1, errno.ENOSPC, persist=True, cwd=root)

    full = str(errno.ENOSPC)
    assert result.stdout.split() == [full, full, "ok", full, "ok"]


def test_a_short_write_takes_half_and_the_next_write_fails(root: Path) -> None:
    body = """
fd = os.open("f", os.O_CREAT | os.O_RDWR)
print(os.write(fd, b"12345678"))
try:
    os.write(fd, b"5678")
except OSError as error:
    print(error.errno)
print(os.write(fd, b"tail"))
"""
    result = fail_at(python(body), root, 1, errno.ENOSPC, short=True, cwd=root)

    assert result.stdout.split() == ["4", str(errno.ENOSPC), "4"]
    assert (root / "f").read_text() == "1234tail"


def test_a_spawn_can_fail(root: Path) -> None:
    body = """
try:
    os.posix_spawn("/bin/true", ["true"], {})
except OSError as error:
    print(error.errno)
"""
    result = fail_at(python(body), root, 0, errno.EAGAIN, cwd=root)

    assert result.stdout == f"{errno.EAGAIN}\n"
    assert result.hit is not None
    assert result.hit.kind is Kind.SPAWN


def test_reads_fail_only_when_they_are_asked_for(root: Path) -> None:
    (root / "f").write_text("text")
    body = """
for act in (lambda: os.stat("f"), lambda: os.listdir("."), lambda: open("f").read()):
    try:
        act()
        print("ok")
    except OSError as error:
        print(error.errno)
"""
    plain = fail_at(python(body), root, 0, errno.EIO, cwd=root)
    read = fail_at(python(body), root, 0, errno.EIO, cwd=root, kinds=FAIL_KINDS | {Kind.READ})

    assert (plain.hit, plain.stdout.split()) == (None, ["ok", "ok", "ok"])
    assert read.stdout.split() == [str(errno.EIO), "ok", "ok"]


def test_reads_outside_of_the_root_can_fail_from_a_file_on(root: Path, tmp_path: Path) -> None:
    for name in ("before", "gate", "after"):
        (tmp_path / name).write_text(name)
    body = """
for name in ("../before", "../gate", "../after"):
    try:
        print(open(name).read())
    except OSError as error:
        print(error.errno)
"""
    result = fail_at(
        python(body),
        root,
        lambda op: op.call == "openat",
        errno.EMFILE,
        cwd=root,
        kinds=FAIL_KINDS | {Kind.READ},
        reads_anywhere=True,
        start_at="/gate",
    )

    assert result.stdout.split() == ["before", "gate", str(errno.EMFILE)]


def test_signals_reach_the_traced_process(root: Path) -> None:
    body = """
import signal
signal.signal(signal.SIGUSR1, lambda *_: print("caught"))
os.kill(os.getpid(), signal.SIGUSR1)
os.mkdir("a")
os.kill(os.getpid(), signal.SIGTERM)
"""
    result = record([sys.executable, "-Sc", f"import os\n{body}"], root, cwd=root)

    assert result.status == -signal.SIGTERM
    assert (root / "a").exists()


def test_a_stopped_process_stays_stopped_until_it_is_continued(root: Path) -> None:
    # A traced process also stands still at each of its calls, so one look is not enough, and
    # a signal that comes too early does not count.
    stopped = 'grep -q "^State:.[Tt]" /proc/$$/status'
    waker = (
        f"n=0; until [ $n = 20 ]; do if {stopped}; then n=$((n+1)); else n=0; fi; done;"
        "echo woke > order; until grep -q on order; do kill -CONT $$; done"
    )

    result = record(shell(f"({waker}) & kill -STOP $$; echo on >> order; wait"), root, cwd=root)

    assert result.status == 0
    assert (root / "order").read_text() == "woke\non\n"


def test_an_executed_program_is_followed_in_the_same_process(root: Path) -> None:
    command = f"mkdir a; exec {sys.executable} -ISc 'import os; os.mkdir(\"b\")'"

    result = record(shell(command), root, cwd=root)

    assert [op.kind for op in result.ops] == [Kind.SPAWN, Kind.NAME, Kind.EXIT]
    assert (root / "a").exists()


def test_threads_of_the_command_count_as_the_command(root: Path) -> None:
    body = """
import threading
thread = threading.Thread(target=os.mkdir, args=("a",))
thread.start()
thread.join()
os.mkdir("b")
"""
    result = record([sys.executable, "-Sc", f"import os\n{body}"], root, cwd=root)

    assert calls(result) == ["mkdir a", "mkdir b", "exit_group -"]
    assert all(op.main for op in result.ops)


def test_following_records_descendants_and_waits_for_them(root: Path) -> None:
    command = "(sh -c 'mkdir deep') & mkdir here; exec true"

    result = record(shell(command), root, cwd=root, follow=True)

    assert {"mkdir deep", "mkdir here"} <= set(calls(result))
    assert not any(op.main for op in result.ops if op.call == "mkdir")


def test_descendants_can_be_made_to_go_first(root: Path) -> None:
    slow = "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done; mkdir c"
    body = f"""
os.posix_spawn("/bin/sh", ["sh", "-c", {slow!r}], {{"PATH": "/bin:/usr/bin"}})
os.mkdir("main")
"""
    result = record(python(body), root, cwd=root, follow=True, children_first=True)

    names = [op.path for op in result.ops if op.kind is Kind.NAME]
    assert names == ["c", "main"]


def test_a_run_that_takes_too_long_is_killed_with_all_that_it_started(root: Path) -> None:
    started = time.monotonic()

    result = record(shell("sleep 60 & sleep 60"), root, cwd=root, deadline_s=0.3)

    assert (result.timed_out, result.status) == (True, -signal.SIGKILL)
    assert leftovers(root) == []
    assert time.monotonic() - started < 50


def test_a_followed_daemon_cannot_hold_a_run_for_ever(root: Path) -> None:
    result = record(shell("sleep 60 & exit 3"), root, cwd=root, follow=True, deadline_s=0.3)

    assert (result.timed_out, result.status) == (True, 3)
    assert leftovers(root) == []


def test_a_command_that_does_not_exist_is_told_from_one_that_fails(root: Path) -> None:
    result = record(["no-such-command"], root, cwd=root, env={"PATH": "/usr/bin:/bin"})

    assert result.status == 127
    assert "no-such-command: No such file" in result.stderr


def test_nothing_is_left_to_be_reaped(root: Path) -> None:
    for at in range(3):
        crash_at(shell("sleep 0 & mkdir a; wait; mkdir b"), root, at, cwd=root)

    # Children of other tests may live on in this process; none of ours may be left dead.
    try:
        dead = os.waitpid(-1, os.WNOHANG)[0]
    except ChildProcessError:
        dead = 0
    assert dead == 0


def test_standard_input_is_what_was_given(root: Path) -> None:
    assert record(shell("cat"), root, stdin=b"given").stdout == "given"


def test_a_file_can_take_the_place_of_another(root: Path, tmp_path: Path) -> None:
    (tmp_path / "a-much-longer-name-than-the-other-one").write_text("instead")
    (root / "f").write_text("real")
    body = "path = 'f'; print(open(path).read()); print(path); print(open('./f').read())"
    substitute = {"f": tmp_path / "a-much-longer-name-than-the-other-one"}

    result = record(python(body), root, cwd=root, substitute=substitute)

    assert result.stdout.split() == ["instead", "f", "real"]
    assert (root / "f").read_text() == "real"
