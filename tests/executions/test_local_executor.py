"""Starting processes on this machine."""

from __future__ import annotations

import os
import resource
import select
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cuectl.executions.executors.local import LocalExecutor, SpawnError, exit_of, reap
from cuectl.executions.rules.record import Phase, Start
from cuectl.store import output
from cuectl.store.pass_files import PassFile, read_spawn_log

if TYPE_CHECKING:
    from collections.abc import Iterator

PASS = "1795226400000-4711-16"
ID = "exec_01m7y6v924j94h81ctqc2w54"


@pytest.fixture
def executor(home: Path) -> Iterator[LocalExecutor]:
    log = PassFile(str(home), PASS)
    found = LocalExecutor(log, 0o027)
    yield found
    found.close()
    log.remove()


def a_start(home: Path, *argv: str, **changes: Any) -> Start:
    made: dict[str, Any] = {
        "execution_id": ID,
        "attempt": 1,
        "argv": argv,
        "env": {"PATH": "/usr/bin:/bin"},
        "cwd": str(home),
        "output": f"{home}/runs/2026-11-21/{ID}.out",
        "timeout_s": 60.0,
    }
    return Start(**(made | changes))


def run(executor: LocalExecutor, start: Start) -> tuple[tuple[int | None, int | None], str]:
    """Start a process, wait for its end; return how it ended and what it printed."""
    process = executor.spawn(start)
    executor.come_back()
    deadline = time.monotonic() + 60
    while not (ended := reap(process.pid.__eq__)):
        assert time.monotonic() < deadline
        select.select([], [], [], 0.002)
    ((pid, status),) = ended
    assert pid == process.pid
    executor.ended(start.key, status)
    return exit_of(status), Path(start.output).read_text()


def test_a_process_runs_with_what_it_was_given(executor: LocalExecutor, home: Path) -> None:
    start = a_start(
        home, "sh", "-c", "pwd; echo $A; umask; exit 7", env={"A": "x y", "PATH": "/bin"}
    )

    assert run(executor, start) == ((7, None), f"{home}\nx y\n0027\n")
    found = read_spawn_log(str(home), PASS)
    assert found is not None
    spawned = found[f"{ID}.1"]
    assert spawned.pid
    assert spawned.status == 7 << 8


def test_a_signal_is_an_end_as_well(executor: LocalExecutor, home: Path) -> None:
    assert run(executor, a_start(home, "sh", "-c", "kill -9 $$"))[0] == (None, 9)


def test_the_output_is_the_lease(executor: LocalExecutor, home: Path) -> None:
    start = a_start(home, "sh", "-c", "read x < fifo; echo done")
    os.mkfifo(home / "fifo")
    process = executor.spawn(start)
    assert output.is_leased(start.output)
    assert stat.S_IMODE(os.stat(start.output).st_mode) == 0o600
    (home / "fifo").write_text("go\n")
    assert os.waitpid(process.pid, 0)[1] == 0
    assert not output.is_leased(start.output)


def test_the_program_is_looked_up_where_the_handler_would(
    executor: LocalExecutor, home: Path
) -> None:
    for folder, word in (("one", "1"), ("two", "2")):
        (home / folder).mkdir()
        (home / folder / "tool").write_text(f"#!/bin/sh\necho {word}\n")
        (home / folder / "tool").chmod(0o755)
    (home / "one" / "tool").chmod(0o644)
    env = {"PATH": f"{home}/none:{home}/one:two:/bin"}

    assert run(executor, a_start(home, "tool", env=env))[1] == "2\n"


@pytest.mark.parametrize(
    ("argv", "changes", "message"),
    [
        (["no-such-program"], {}, "command not found: 'no-such-program'"),
        (["./nothing"], {}, "No such file or directory: './nothing'"),
        (["/"], {}, "ermission denied: '/'"),
        (["."], {}, "command not found: '.'"),
        (["true"], {"cwd": "/no/such/directory"}, "No such file or directory"),
        (["true"], {"env": {"PATH": "/nowhere"}}, "command not found"),
        (["sh", "-c", "x" * 3_000_000], {}, "rgument list too long"),
    ],
)
def test_what_cannot_be_started_says_why(
    executor: LocalExecutor, home: Path, argv: list[str], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpawnError) as caught:
        executor.spawn(a_start(home, *argv, **changes))
    executor.come_back()

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not output.is_leased(f"{home}/runs/2026-11-21/{ID}.out")


def test_an_output_that_was_used_is_not_used_again(executor: LocalExecutor, home: Path) -> None:
    start = a_start(home, "echo", "once")
    run(executor, start)
    with pytest.raises(SpawnError, match="not an empty file of ours"):
        executor.spawn(start)

    assert Path(start.output).read_text() == "once\n"


def test_an_output_that_a_killed_pass_has_made_is_used(executor: LocalExecutor, home: Path) -> None:
    start = a_start(home, "echo", "once")
    os.close(output.open_output(start.output))

    assert run(executor, start)[1] == "once\n"


def test_a_checker_may_run_again(executor: LocalExecutor, home: Path) -> None:
    start = a_start(home, "echo", "looked", phase=Phase.CHECK)
    run(executor, start)

    assert run(executor, start)[1] == "looked\n"


def test_a_spawn_log_that_cannot_be_written_stops_a_start(
    executor: LocalExecutor, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its `S` the next pass would take it for one that never started."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(PassFile, "starting", full)
    with pytest.raises(SpawnError, match="No space left on device: 'the spawn log'"):
        executor.spawn(a_start(home, "touch", "ran"))
    assert not (home / "ran").exists()


def test_a_process_that_runs_is_supervised_though_its_pid_cannot_be_noted(
    executor: LocalExecutor, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(PassFile, "started", full)
    monkeypatch.setattr(PassFile, "ended", full)

    assert run(executor, a_start(home, "echo", "ran")) == ((0, None), "ran\n")


def test_the_pass_stays_where_it_was(executor: LocalExecutor, home: Path) -> None:
    before = os.getcwd()
    mask = os.umask(0o022)
    os.umask(mask)
    run(executor, a_start(home, "true"))

    assert os.getcwd() == before
    assert os.umask(mask) == mask


def test_the_lease_has_a_number_that_exists(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 64))
    log = PassFile(str(home), "1-2-3")
    executor = LocalExecutor(log, 0o022)
    _, text = run(executor, a_start(home, "sh", "-c", "ls -l /proc/$$/fd | grep -c exec_"))
    executor.close()
    log.remove()

    assert text == "3\n"
