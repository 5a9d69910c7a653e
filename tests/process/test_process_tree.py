"""Finding and ending the processes of an execution, with real ones."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from cuectl.process import process_tree
from cuectl.process.runtime import since_boot_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")

ID = "exec_01m7y6v924j94h81ctqc2w54"
MARKS = {"CUE_EXECUTION_ID": ID, "CUE_ATTEMPT": "1", "PATH": "/usr/bin:/bin"}


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        select.select([], [], [], 0.005)


class Trees:
    """Starts shells in sessions of their own."""

    def __init__(self) -> None:
        self.started: list[subprocess.Popen[bytes]] = []
        self.known: process_tree.Tree = {}

    def start(self, script: str, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            ["sh", "-c", script + "; :"],
            env=MARKS if env is None else env,
            start_new_session=True,
            stdout=subprocess.PIPE,
        )
        self.started.append(process)
        return process

    def pids(self, process: subprocess.Popen[bytes], count: int) -> list[int]:
        """Return the numbers that a script prints, one a line."""
        assert process.stdout is not None
        return [int(process.stdout.readline()) for _ in range(count)]


@pytest.fixture
def trees() -> Iterator[Trees]:
    found = Trees()
    yield found
    for process in found.started:
        tree = process_tree.members(ID, 1, process.pid, found.known)
        process_tree.kill(ID, 1, process.pid, tree)
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_children_are_members(trees: Trees) -> None:
    main = trees.start("sleep 600 & echo $!; sleep 600 & echo $!; wait")
    children = trees.pids(main, 2)

    assert set(process_tree.members(ID, 1, main.pid)) == {main.pid, *children}
    # Without the leader the environment tells.
    assert set(process_tree.members(ID, 1, None)) == {main.pid, *children}


def test_another_attempt_has_other_members(trees: Trees) -> None:
    main = trees.start("echo $$; sleep 600")
    trees.pids(main, 1)

    assert main.pid not in process_tree.members(ID, 2, None)
    assert main.pid not in process_tree.members(ID[:-1], 1, None)
    assert process_tree.any_carries(ID, 1)
    assert not process_tree.any_carries(ID, 2)


def test_who_has_emptied_its_environment_is_found_by_its_parent(trees: Trees) -> None:
    main = trees.start("setsid env -i /bin/sh -c 'echo $$; sleep 600; :' & wait")
    (child,) = trees.pids(main, 1)

    assert child in process_tree.members(ID, 1, None)


def test_who_was_found_once_is_known_by_its_start_time(trees: Trees) -> None:
    main = trees.start("setsid env -i /bin/sh -c 'echo $$; sleep 600; :' & wait")
    (child,) = trees.pids(main, 1)
    tree = trees.known = process_tree.members(ID, 1, main.pid)
    main.kill()
    main.wait()

    assert child not in process_tree.members(ID, 1, None)
    assert child in process_tree.members(ID, 1, None, tree)
    # A number that was given to somebody else is not him.
    assert child not in process_tree.members(ID, 1, None, {child: tree[child] - 1})
    assert process_tree.kill(ID, 1, None, tree) == {}


def test_ourselves_are_never_a_member(trees: Trees, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUE_EXECUTION_ID", ID)
    monkeypatch.setenv("CUE_ATTEMPT", "1")

    assert os.getpid() not in process_tree.members(ID, 1, os.getsid(0))


def test_the_dead_are_no_members(trees: Trees) -> None:
    main = trees.start("exit 0")
    until(lambda: not process_tree.members(ID, 1, main.pid))


def test_all_are_asked_to_end(trees: Trees) -> None:
    main = trees.start("setsid sleep 600 & echo $!; wait")
    (child,) = trees.pids(main, 1)
    asked = process_tree.terminate(ID, 1, main.pid)

    assert set(asked) == {main.pid, child}
    assert main.wait(timeout=60) == -signal.SIGTERM
    until(lambda: not process_tree.members(ID, 1, None))


def test_all_are_killed_who_do_not_want_to_go(trees: Trees) -> None:
    script = "trap '' TERM; (trap '' TERM; sleep 600; sleep 600) & echo $!; wait; wait"
    main = trees.start(script)
    trees.pids(main, 1)
    process_tree.terminate(ID, 1, main.pid)
    assert process_tree.members(ID, 1, main.pid)

    until(lambda: not process_tree.kill(ID, 1, main.pid))


def test_ending_nobody_is_no_error() -> None:
    assert process_tree.terminate("exec_none", 1, None) == {}
    assert process_tree.kill("exec_none", 1, 2**22 - 1) == {}
    process_tree.send({2**22 - 1}, signal.SIGTERM)


@pytest.mark.parametrize("leader", [None, 0, 1])
def test_a_group_that_is_not_a_handler_s_is_never_signalled(
    leader: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("signalled a group")

    monkeypatch.setattr(os, "killpg", refuse)
    monkeypatch.setattr(process_tree, "members", lambda *_: {})

    assert process_tree.terminate(ID, 1, leader) == {}
    assert process_tree.kill(ID, 1, leader) == {}


def test_a_process_is_trusted_only_with_its_start_time(trees: Trees) -> None:
    before = since_boot_ns()
    main = trees.start("echo $$; sleep 600")
    trees.pids(main, 1)

    assert process_tree.is_alive(main.pid, before)
    assert not process_tree.is_alive(main.pid, before - 60_000_000_000)
    assert not process_tree.is_alive(main.pid, before + 60_000_000_000)
    main.kill()
    until(lambda: not process_tree.is_alive(main.pid, before))


def test_a_name_with_parentheses_and_blanks_is_read(trees: Trees, tmp_path: object) -> None:
    name = f"{tmp_path}/a) S 1 (b c"
    with open(name, "w") as file:
        file.write("#!/bin/sh\necho $$\nsleep 600\n")
    os.chmod(name, 0o755)
    process = subprocess.Popen([name], env=MARKS, stdout=subprocess.PIPE, start_new_session=True)
    trees.started.append(process)
    trees.pids(process, 1)
    found = process_tree._read_process(process.pid)

    assert found is not None
    assert (found.parent, found.session) == (os.getpid(), process.pid)


def test_a_tree_is_asked_first_and_killed_when_its_grace_is_over(trees: Trees) -> None:
    # No child: what a shell with a trap has just forked may miss the signal.
    polite = trees.start("echo $$; exec sleep 600")
    trees.pids(polite, 1)
    end = process_tree.TreeEnd(ID, 1, polite.pid, grace_s=60.0, kill_s=60.0)
    until(end.is_over)
    assert end.left == {}
    assert polite.wait() == -signal.SIGTERM
    stubborn = trees.start("trap '' TERM; echo $$; while :; do sleep 60; done")
    trees.pids(stubborn, 1)
    end = process_tree.TreeEnd(ID, 1, stubborn.pid, grace_s=0.2, kill_s=60.0)
    assert not end.is_over()
    until(end.is_over)
    assert end.left == {}
    assert stubborn.wait() == -signal.SIGKILL


def test_a_main_process_that_has_not_ended_is_waited_for(trees: Trees) -> None:
    end = process_tree.TreeEnd("exec_of_nobody", 1, None, grace_s=60.0, kill_s=0.0)
    assert not end.is_over(main_ended=False)
    assert end.is_over()
