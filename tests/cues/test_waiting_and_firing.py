"""Exit statuses that say how an execution ended, for CI."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.background import WAITS
from tests.fixtures.observing import until

if TYPE_CHECKING:
    from tests.fixtures.background import Passes
    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import StoreState

ENDS = [
    ("true", (), 0),
    ("exit 7", (), 3),
    ("cuectl report --failure", (), 3),
    ("true", ("--verification-mode", "require_external_id"), 4),
    ("true", ("--verification-mode", "manual"), 4),
    ("cuectl report --external-id x", ("--verification-mode", "require_external_id"), 0),
    ("sleep 600", ("--timeout", "0.3s"), 124),
    ("cuectl cancel $CUE_EXECUTION_ID; sleep 600", (), 130),
    ("test $CUE_ATTEMPT = 2", ("--retries", "1", "--backoff", "0.2s"), 0),
]


@pytest.mark.parametrize(("script", "options", "status"), ENDS)
def test_fire_and_wait(
    cuectl: Cuectl, state: StoreState, script: str, options: tuple[str, ...], status: int
) -> None:
    cuectl.run("create", "--name", "job", *options, "--shell", script)

    answer = cuectl.run("fire", "job", "--wait")

    assert answer.status == status, answer
    assert cuectl.run("wait", state.one()["id"]).status == status


def test_fire_runs_nothing_else(cuectl: Cuectl, state: StoreState) -> None:
    for name in ("one", "two"):
        cuectl.run("create", "--name", name, "--shell", f"echo {name} >> effects")
        cuectl.run("fire", name)
    assert cuectl.run("fire", "one", "--wait").status == 0

    assert [one["status"] for one in state.executions("two")] == ["pending"]


def test_fire_with_a_payload_of_its_own(cuectl: Cuectl, state: StoreState) -> None:
    words = ("--payload", '{"a": 1, "b": 2}')
    cuectl.run("create", "--name", "job", *words, "--shell", 'echo "$CUE_PAYLOAD"')
    cuectl.run("fire", "job", "--wait", "--payload", '{"b": 3}')
    cuectl.run("fire", "job", "--wait", "--merge", "--payload", '{"b": 3}')
    cuectl.run("fire", "job", "--wait")

    payloads = [one["payload"] for one in state.executions()]
    assert payloads == [{"b": 3}, {"a": 1, "b": 3}, {"a": 1, "b": 2}]


def test_fire_waits_no_longer_than_it_was_told(cuectl: Cuectl, state: StoreState) -> None:
    cuectl.run("create", "--name", "job", "--task", "nobody")
    answer = cuectl.run("fire", "job", "--wait", "--timeout", "0.5s")

    assert answer.status == 124
    assert "did not finish in time" in answer.stderr
    assert state.ends() == ["pending(no_handler)"]


def test_fire_waits_for_a_handler_no_longer_than_it_was_told(
    impatient: Cuectl, state: StoreState
) -> None:
    impatient.run("create", "--name", "job", "--shell", "sleep 600")
    answer = impatient.run("fire", "job", "--wait", "--timeout", "2s", limit_s=60)

    assert answer.status == 124
    assert state.ends()[0].startswith("cancelled")


def test_fire_waits_behind_what_another_pass_runs(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    cuectl.run("create", "--name", "job", "--shell", WAITS)
    cuectl.run("fire", "job")
    busy = passes.start("job")
    fired = passes.run("fire", "job", "--wait")
    until(lambda: [one["status"] for one in state.executions()] == ["pending", "queued"])
    (cuectl.work / "go").touch()

    assert (busy.end(), fired.end()) == (0, 0)
    assert state.ends() == ["succeeded"] * 2


def test_an_interrupted_fire_cancels(impatient: Cuectl, passes: Passes, state: StoreState) -> None:
    impatient.run("create", "--name", "job", "--shell", WAITS)
    fired = passes.run("fire", "job", "--wait")
    passes.begun("job")

    assert fired.end(signal.SIGINT) == 130
    assert state.ends() == ["cancelled(shutdown)"]


def test_wait_waits_for_others_to_run_it(cuectl: Cuectl, passes: Passes, state: StoreState) -> None:
    cuectl.run("create", "--name", "job", "--shell", WAITS + "exit 5")
    cuectl.run("fire", "job")
    waiter = passes.run("wait", state.one()["id"][:14])
    busy = passes.start("job")
    assert waiter.process.poll() is None
    (cuectl.work / "go").touch()

    assert waiter.end() == 3
    assert busy.end() == 0


def test_wait_takes_the_worst_of_several(cuectl: Cuectl, state: StoreState) -> None:
    for name, script in (("good", "true"), ("bad", "false")):
        cuectl.run("create", "--name", name, "--shell", script)
        cuectl.run("fire", name)
    cuectl.run("run-due")
    ids = [one["id"] for one in state.executions()]

    assert cuectl.run("wait", *ids).status == 3
    assert cuectl.run("wait", state.one("good")["id"]).status == 0


def test_wait_gives_up_in_time(cuectl: Cuectl, state: StoreState) -> None:
    cuectl.run("create", "--name", "job", "--", "true")
    cuectl.run("fire", "job")
    answer = cuectl.run("wait", state.one()["id"], "--timeout", "0.3s")

    assert answer.status == 124
    assert cuectl.run("wait", "exec_000000000000000000000000").status == 5


def test_cancel_ends_a_tree_here_and_now(cuectl: Cuectl, passes: Passes, state: StoreState) -> None:
    cuectl.run("create", "--name", "job", "--shell", "setsid sleep 600 & " + WAITS)
    cuectl.run("fire", "job")
    busy = passes.start("job")
    answer = cuectl.run("cancel", state.one()["id"], "--reason", "wrong one")

    assert answer.status == 0, answer
    assert busy.end() == 0
    assert state.ends() == ["cancelled(wrong one)"]
    assert cuectl.run("cancel", state.one()["id"]).status == 6


def test_cancel_reaches_the_handlers_of_a_dead_pass(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    cuectl.run("create", "--name", "job", "--shell", WAITS)
    cuectl.run("fire", "job")
    passes.start("job").kill()

    assert cuectl.run("cancel", state.one()["id"]).status == 0
    assert cuectl.run("run-due").status == 0
    assert state.ends() == ["cancelled(by hand)"]
    assert state.alerts() == []


def test_what_is_cancelled_before_it_starts_does_not_start(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    """Claimed by a pass that has no slot free yet: its request must reach that pass."""
    cuectl.run("create", "--name", "busy", "--shell", WAITS)
    cuectl.run("create", "--name", "later", "--shell", "touch ran")
    cuectl.run("fire", "busy")
    cuectl.run("fire", "later")
    busy = passes.start("busy", options=("--max-parallel", "1"))
    assert len(state.of_type("execution.claimed")) == 2

    assert cuectl.run("cancel", state.one("later")["id"]).status == 0
    (cuectl.work / "go").touch()

    assert busy.end() == 0
    assert not (cuectl.work / "ran").exists()
    assert state.ends("later") == ["cancelled(by hand)"]


def test_cancelling_while_a_checker_runs(cuectl: Cuectl, passes: Passes, state: StoreState) -> None:
    check = "sh -c '" + WAITS.replace("$CUE_CUE_NAME", "check") + "'"
    cuectl.run("create", "--name", "job", "--verify-command", check, "--", "true")
    cuectl.run("fire", "job")
    busy = passes.start("check")

    assert cuectl.run("cancel", state.one()["id"]).status == 0
    assert busy.end() == 0
    assert state.ends() == ["cancelled(by hand)"]
    assert state.alerts() == []


def test_what_waits_or_is_queued_is_cancelled_at_once(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    cuectl.run("create", "--name", "job", "--shell", WAITS)
    cuectl.run("fire", "job")
    busy = passes.start("job")
    cuectl.run("fire", "job")
    pending = state.executions()[1]["id"]
    assert cuectl.run("cancel", pending).status == 0
    cuectl.run("fire", "job")
    cuectl.run("run-due")
    queued = state.executions()[2]["id"]
    assert state.executions()[2]["status"] == "queued"
    assert cuectl.run("cancel", queued).status == 0
    (cuectl.work / "go").touch()

    assert busy.end() == 0
    assert state.ends() == ["succeeded", "cancelled(by hand)", "cancelled(by hand)"]


def test_a_limit_without_a_wait_is_refused(cuectl: Cuectl) -> None:
    """Regression: `fire --timeout` looked like the time limit of the run, and was ignored."""
    cuectl.run("create", "--name", "job", "--", "true")
    hint = "the time limit of a run is its cue's: cuectl update NAME --timeout DUR"
    for words in (("fire", "job"), ("retry", "exec_0123")):
        cuectl.run(*words, "--timeout", "5s").fails(2, "'--timeout' goes with '--wait'", hint)
    assert cuectl.json("executions", "list") == []
