"""What becomes of the work when the pass is ended: by SIGTERM, by SIGKILL, at any moment."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.background import NOTES, WAITS
from tests.fixtures.observing import is_gone, processes_with, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.background import Passes
    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import StoreState


def create(cuectl: Cuectl, name: str, script: str, *options: str) -> None:
    """Make a cue that runs a script, and start it."""
    assert cuectl.run("create", "--name", name, *options, "--shell", script).status == 0
    assert cuectl.run("fire", name).status == 0


def effects(cuectl: Cuectl) -> list[str]:
    path = cuectl.work / "effects"
    return sorted(path.read_text().split()) if path.exists() else []


def handlers_are_over(cuectl: Cuectl) -> bool:
    pids = [int(path.read_text()) for path in cuectl.work.glob("begun-*")]
    return all(is_gone(pid) for pid in pids)


@contextlib.contextmanager
def store_lock(cuectl: Cuectl) -> Iterator[None]:
    """Keep everybody from changing the store."""
    with (cuectl.home / "lock").open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# --- SIGTERM ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_handlers_in_order(
    impatient: Cuectl, passes: Passes, state: StoreState, number: signal.Signals
) -> None:
    for name in ("one", "two"):
        create(impatient, name, WAITS)
    create(impatient, "later", "echo never")
    process = passes.start("one", "two", options=("--max-parallel", "2"))

    assert process.end(number) == 128 + number, process.stderr

    assert state.ends("one") == state.ends("two") == ["cancelled(shutdown)"]
    assert processes_with(str(impatient.home)) == []
    # What was claimed and not started is nobody's loss: the next pass takes it.
    assert state.executions("later")[0]["status"] == "pending"
    assert impatient.run("run-due").status == 0
    assert state.ends("later") == ["succeeded"]
    assert state.alerts() == []


def test_a_signal_ends_a_pass_though_a_handler_ignores_it(
    impatient: Cuectl, passes: Passes, state: StoreState
) -> None:
    create(impatient, "stubborn", "trap '' TERM INT; " + WAITS)
    process = passes.start("stubborn")

    assert process.end(signal.SIGTERM) == 143

    assert state.ends() == ["cancelled(shutdown)"]
    assert handlers_are_over(impatient)


def test_a_signal_while_a_checker_runs_loses_nothing(
    impatient: Cuectl, passes: Passes, state: StoreState
) -> None:
    """A checker only looks, so the next pass runs it again."""
    script = WAITS.replace("$CUE_CUE_NAME", "check")
    check = f"sh -c '{script}'"
    create(impatient, "job", NOTES, "--verify-command", check)
    process = passes.start("check")

    assert process.end(signal.SIGTERM) == 143
    (impatient.work / "go").touch()

    assert impatient.run("run-due").status == 0
    assert state.one()["outcome_state"] == "verified_success"
    assert state.alerts() == []
    assert effects(impatient) == ["job"]


# --- SIGKILL ------------------------------------------------------------------------------


def test_handlers_outlive_a_killed_pass_and_are_adopted(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    reports = "cuectl report --success --external-id $CUE_CUE_NAME"
    create(cuectl, "reports", WAITS + NOTES + reports)
    create(cuectl, "fails", WAITS + NOTES + "cuectl report --failure --error 'no net'")
    create(cuectl, "silent", WAITS + NOTES)
    passes.start("reports", "fails", "silent").kill()
    assert not handlers_are_over(cuectl)

    # As long as they run, nobody touches them.
    assert cuectl.run("run-due").status == 0
    assert [one["status"] for one in state.executions()] == ["pending"] * 3
    (cuectl.work / "go").touch()
    until(lambda: handlers_are_over(cuectl))
    answer = cuectl.run("run-due")

    assert answer.status == 0
    assert effects(cuectl) == ["fails", "reports", "silent"]
    adopted = state.one("reports")
    assert (adopted["status"], adopted["adopted"]) == ("succeeded", True)
    assert (adopted["external_id"], adopted.get("exit_code")) == ("reports", None)
    assert adopted["started_at"] <= adopted["ended_at"]
    assert state.one("fails")["status"] == "failed"
    assert state.one("fails")["adopted"] is True
    assert state.one("silent")["status"] == "interrupted"
    assert sorted(state.alerts()) == ["consecutive_failures", "interrupted"]
    assert "'silent' lost its process" in answer.stderr
    assert list((cuectl.home / "passes").iterdir()) == []


def test_a_stale_artifact_does_not_pass_for_that_of_an_adopted_attempt(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    script = "touch -d '2 days ago' made; " + WAITS + "cuectl report --success --artifact made"
    create(cuectl, "job", script, "--verification-mode", "require_artifacts")
    passes.start("job").kill()
    (cuectl.work / "go").touch()
    until(lambda: handlers_are_over(cuectl))
    cuectl.run("run-due")

    assert state.one()["status"] == "succeeded"
    assert state.one()["outcome_state"] == "verification_failed"


def test_what_was_claimed_and_not_started_runs_at_once(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    create(cuectl, "a", WAITS + NOTES)
    for name in ("b", "c", "d"):
        create(cuectl, name, NOTES)
    passes.start("a", options=("--max-parallel", "1")).kill()
    assert [one["status"] for one in state.executions()] == ["pending"] * 4
    assert len(state.of_type("execution.claimed")) == 4

    assert cuectl.run("run-due").status == 0

    assert effects(cuectl) == ["b", "c", "d"]
    assert len(state.of_type("execution.reclaimed")) == 3
    assert [state.one(name)["status"] for name in "bcd"] == ["succeeded"] * 3
    (cuectl.work / "go").touch()
    until(lambda: handlers_are_over(cuectl))
    assert cuectl.run("run-due").status == 0
    assert effects(cuectl) == ["a", "b", "c", "d"]
    assert state.ends("a")[0].startswith("interrupted")


def test_a_pass_that_lives_keeps_what_it_has_claimed(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    create(cuectl, "a", WAITS + NOTES)
    for name in ("b", "c"):
        create(cuectl, name, NOTES)
    process = passes.start("a", options=("--max-parallel", "1"))

    assert cuectl.run("run-due").status == 0
    assert effects(cuectl) == []
    (cuectl.work / "go").touch()
    assert process.end() == 0

    assert effects(cuectl) == ["a", "b", "c"]
    assert state.of_type("execution.reclaimed") == []


def test_an_interrupted_run_can_be_run_again(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    script = "echo $CUE_IDEMPOTENCY_KEY $CUE_ATTEMPT >> keys; " + WAITS
    create(cuectl, "job", script, "--on-interrupted", "rerun")
    process = passes.start("job")
    pid = int((cuectl.work / "begun-job").read_text())
    process.kill()
    os.kill(pid, signal.SIGKILL)
    (cuectl.work / "go").touch()
    until(lambda: is_gone(pid))

    # What it had started last holds its output for a moment longer.
    until(lambda: cuectl.run("run-due").status == 0 and state.one()["status"] != "pending")

    record = state.one()
    assert (record["status"], record["attempt"]) == ("succeeded", 2)
    assert record["attempts"][0]["status"] == "interrupted"
    keys = (cuectl.work / "keys").read_text().split()
    assert keys == [record["id"], "1", record["id"], "2"]


def test_reruns_of_interrupted_runs_end_some_time(cuectl: Cuectl, state: StoreState) -> None:
    """A handler that takes its pass with it must not do so for ever."""
    script = "echo x >> effects; kill -9 $PPID; kill -9 $$"
    create(cuectl, "job", script, "--on-interrupted", "rerun")
    for _ in range(8):
        cuectl.start("run-due", stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL).wait()

    assert cuectl.run("run-due").status == 0
    assert state.one()["status"] == "interrupted"
    assert effects(cuectl) == ["x"] * 4


def test_the_end_that_a_dead_pass_has_seen_counts(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    """The wait status is in the spawn log before the settling is tried (hole A21)."""
    create(cuectl, "good", WAITS + NOTES)
    create(cuectl, "bad", WAITS + NOTES + "exit 7")
    process = passes.start("good", "bad")
    with store_lock(cuectl):
        # It finds both ends at once, or it would wait for the lock with the first one only.
        process.signal(signal.SIGSTOP)
        (cuectl.work / "go").touch()
        pids = [int((cuectl.work / f"begun-{name}").read_text()) for name in ("good", "bad")]
        until(lambda: all(is_gone(pid) for pid in pids))
        process.signal(signal.SIGCONT)
        until(lambda: state.spawn_logs().count("\nX ") == 2)
        process.kill()

    assert cuectl.run("run-due").status == 0

    good, bad = state.one("good"), state.one("bad")
    assert (good["status"], good["exit_code"]) == ("succeeded", 0)
    assert (bad["status"], bad["exit_code"]) == ("failed", 7)
    assert good["started_at"] <= good["ended_at"]
    assert state.alerts() == ["consecutive_failures"]


def test_a_pass_that_dies_before_it_sees_the_end_leaves_the_outcome(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    create(cuectl, "job", WAITS + "cuectl report --success --external-id x; exit 0")
    process = passes.start("job")
    process.signal(signal.SIGSTOP)
    (cuectl.work / "go").touch()
    pid = int((cuectl.work / "begun-job").read_text())
    until(lambda: is_gone(pid))
    process.kill()

    assert cuectl.run("run-due").status == 0
    assert (state.one()["status"], state.one()["adopted"]) == ("succeeded", True)


def test_an_orphan_over_its_time_limit_is_ended_by_the_next_pass(
    impatient: Cuectl, passes: Passes, state: StoreState
) -> None:
    create(impatient, "job", "trap '' TERM; " + WAITS, "--timeout", "3s")
    passes.start("job").kill()

    def is_over() -> bool:
        assert impatient.run("run-due").status == 0
        return bool(state.one()["status"] != "pending")

    until(is_over)

    assert state.one()["status"] == "timed_out"
    assert handlers_are_over(impatient)


@pytest.mark.parametrize(
    "hide",
    [
        "exec 198>&-; ",
        "exec >/dev/null 2>&1; ",
        "exec >/dev/null 2>&1 198>&-; ",
        "flock -u 198; flock -u 1; ",
    ],
)
def test_who_gives_up_the_lease_is_still_seen(
    cuectl: Cuectl, passes: Passes, state: StoreState, hide: str
) -> None:
    """Dead only if lease, pid and environment all say so (hole A12)."""
    cuectl.run("create", "--name", "job", "--", "bash", "-c", hide + WAITS + NOTES)
    cuectl.run("fire", "job")
    passes.start("job").kill()

    assert cuectl.run("run-due").status == 0
    assert state.one()["status"] == "pending"
    (cuectl.work / "go").touch()
    until(lambda: handlers_are_over(cuectl))
    assert cuectl.run("run-due").status == 0
    assert effects(cuectl) == ["job"]
    assert state.one()["status"] == "interrupted"


def test_a_daemon_that_has_closed_everything_is_still_seen(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    """Nothing but the environment tells that the work of a dead pass goes on."""
    # In a variable that a cue sets, `$$` stands for `$`.
    daemon = f"exec >/dev/null 2>&1 198>&-; {WAITS}{NOTES}".replace("$", "$$")
    script = 'setsid bash -c "$DAEMON" & while [ ! -e leave ]; do sleep 0.02; done'
    words = ("--env", f"DAEMON={daemon}", "--", "bash", "-c", script)
    cuectl.run("create", "--name", "job", *words)
    cuectl.run("fire", "job")
    passes.start("job").kill()
    main = int(state.spawn_logs().split("\nP ")[1].split()[1])
    (cuectl.work / "leave").touch()
    until(lambda: is_gone(main))

    assert cuectl.run("run-due").status == 0
    assert state.one()["status"] == "pending"
    (cuectl.work / "go").touch()
    until(lambda: handlers_are_over(cuectl))
    assert cuectl.run("run-due").status == 0
    assert state.one()["status"] == "interrupted"
    assert effects(cuectl) == ["job"]


def test_a_claim_of_another_boot_is_interrupted(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    create(cuectl, "job", WAITS)
    process = passes.start("job")
    pid = int((cuectl.work / "begun-job").read_text())
    process.kill()
    os.kill(pid, signal.SIGKILL)
    with pretended_boot(cuectl) as words:
        done = subprocess.run(
            [*words, str(cuectl.programs / "cuectl"), "run-due"],
            cwd=cuectl.work,
            env=cuectl.environment,
            capture_output=True,
            check=False,
        )

    assert done.returncode == 0, done.stderr
    assert state.ends()[0].startswith("interrupted")
    assert state.alerts() == ["interrupted"]


@contextlib.contextmanager
def pretended_boot(cuectl: Cuectl) -> Iterator[list[str]]:
    """Give the words that run a program as if the machine had been started again."""
    if os.geteuid() != 0:
        pytest.skip("only root may put another boot id in place")
    other = cuectl.work / "boot_id"
    other.write_text("00000000-0000-4000-8000-000000000000\n")
    place = "/proc/sys/kernel/random/boot_id"
    words = ["unshare", "-m", "sh", "-c", f'mount --bind {other} {place} && exec "$@"', "sh"]
    if subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespaces here")
    yield words


def test_a_stopped_pass_is_named_by_those_who_wait_for_the_lock(
    cuectl: Cuectl, state: StoreState
) -> None:
    cuectl.run("create", "--name", "job", "--", "true")
    code = (
        "import os, signal, sys\n"
        "from cuectl.store.store import Store\n"
        "with Store(sys.argv[1]).locked():\n"
        "    print('held', flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGSTOP)\n"
    )
    holder = subprocess.Popen(
        [str(cuectl.programs / "python3"), "-c", code, str(cuectl.home)],
        stdout=subprocess.PIPE,
        env={**cuectl.environment, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    hurry = (
        "import sys\nfrom cuectl.store import home as lock\n"
        "lock.COMMAND_LIMIT_S = 0.3\n"
        "from cuectl.store.store import Store, Transaction\n"
        "Store.locked.__wrapped__.__defaults__ = (0.3,)\n"
        "from cuectl.entry import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    done = subprocess.run(
        [str(cuectl.programs / "python3"), "-c", hurry, "fire", "job"],
        env={**cuectl.environment, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    holder.send_signal(signal.SIGCONT)
    holder.communicate(timeout=60)

    assert done.returncode == 11, done
    assert f"held by process {holder.pid}" in done.stderr
    assert state.executions() == []


def test_a_pass_settles_what_another_left_while_it_works(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    """The strict rule: only the pass is killed, so nothing that never started is interrupted."""
    names = [f"job{number}" for number in range(6)]
    for name in names:
        create(cuectl, name, WAITS + NOTES + "cuectl report --success")
    passes.start("job0", "job1", options=("--max-parallel", "2")).kill()
    (cuectl.work / "go").touch()

    def is_over() -> bool:
        assert cuectl.run("run-due").status == 0
        return not list((cuectl.home / "open").iterdir())

    until(is_over)

    assert [state.one(name)["status"] for name in names] == ["succeeded"] * 6
    assert effects(cuectl) == names
