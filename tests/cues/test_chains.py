"""Chains: the next step, scheduled by the one that runs, with its place on record."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.background import WAITS
from tests.fixtures.observing import until

if TYPE_CHECKING:
    from tests.fixtures.background import Passes
    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import StoreState

EITHER = (
    "cuectl chain --name yes --when success -- true;cuectl chain --name no --when failure -- true"
)


def create(cuectl: Cuectl, script: str, *options: str) -> None:
    """Make the parent, due at two o'clock."""
    cuectl.at("2026-11-21T01:00:00Z")
    words = ("--name", "parent", "--at", "2026-11-21T02:00:00Z", *options, "--shell", script)
    answer = cuectl.run("create", *words)
    assert answer.status == 0, answer


def pass_at(cuectl: Cuectl, clock: str) -> str:
    answer = cuectl.at(f"2026-11-21T{clock}Z").run("run-due")
    assert answer.status == 0, answer
    return answer.stderr


def test_a_child_is_due_at_once_and_knows_its_place(cuectl: Cuectl, state: StoreState) -> None:
    child = "env | grep -E ^CUE_ ; cuectl chain --name grandchild -- env"
    create(cuectl, f"cuectl chain --name child --shell '{child}'")
    pass_at(cuectl, "02:00:00")
    pass_at(cuectl, "02:00:10")

    parent, child_run, grandchild = (state.one(f"{g}") for g in ("parent", "child", "grandchild"))
    assert (child_run["parent_id"], child_run["root_id"]) == (parent["id"], parent["id"])
    assert (grandchild["parent_id"], grandchild["root_id"]) == (child_run["id"], parent["id"])
    assert [one["depth"] for one in (parent, child_run, grandchild)] == [0, 1, 2]
    assert child_run["triggered_by"] == "chain"
    env = dict(
        line.split("=", 1) for line in state.output(child_run).decode().splitlines() if "=" in line
    )
    assert env["CUE_PARENT_ID"] == env["CUE_CHAIN_ROOT"] == parent["id"]
    assert env["CUE_CHAIN_DEPTH"] == "1"


@pytest.mark.parametrize("identity", ["--name child", "--key step-2"])
def test_a_later_attempt_does_not_chain_twice(
    cuectl: Cuectl, state: StoreState, identity: str
) -> None:
    script = f"cuectl chain {identity} --in 1h -- true; test $CUE_ATTEMPT = 3"
    create(cuectl, script, "--retries", "2", "--backoff", "1m")
    for clock in ("02:00:00", "02:01:10", "02:02:20", "03:00:05", "04:00:00"):
        pass_at(cuectl, clock)

    assert state.one("parent")["attempt"] == 3
    assert len(state.executions()) == 2
    assert len(state.of_type("cue.created")) == 2


def test_another_cue_with_the_name_is_a_conflict(cuectl: Cuectl, state: StoreState) -> None:
    cuectl.run("create", "--name", "taken", "--", "true")
    create(cuectl, "cuectl chain --name taken -- true; exit $?")
    pass_at(cuectl, "02:00:00")

    assert state.one("parent")["exit_code"] == 6


RELEASES = {
    # what the parent does: which of success, failure and always run
    "true": {"success", "always"},
    "false": {"failure", "always"},
    "cuectl report --failure": {"failure", "always"},
}


@pytest.mark.parametrize("script", RELEASES)
def test_held_children_wait_for_the_verdict(cuectl: Cuectl, state: StoreState, script: str) -> None:
    chains = "".join(
        f"cuectl chain --name {when} --when {when} -- true && "
        for when in ("success", "failure", "always")
    )
    create(cuectl, f"{chains} {script}")
    pass_at(cuectl, "02:00:00")
    pass_at(cuectl, "02:00:10")

    ended = {name: state.one(name) for name in ("success", "failure", "always")}
    ran = {name for name, one in ended.items() if one["status"] == "succeeded"}
    assert ran == RELEASES[script]
    word = state.one("parent")["status"]
    for name in ended.keys() - ran:
        assert ended[name]["status"] == "skipped"
        assert ended[name]["reason"] == f"parent_{word}"
        assert ended[name]["parent_id"] == state.one("parent")["id"]


def test_a_child_is_held_over_all_attempts(cuectl: Cuectl, state: StoreState) -> None:
    script = "cuectl chain --name after --when failure -- true; test $CUE_ATTEMPT = 2"
    create(cuectl, script, "--retries", "1", "--backoff", "1m")
    pass_at(cuectl, "02:00:00")
    assert state.cue("after")["status"] == "held"
    pass_at(cuectl, "02:01:10")

    assert state.one("parent")["status"] == "succeeded"
    assert state.ends("after") == ["skipped(parent_succeeded)"]


def test_the_delay_counts_from_the_release(cuectl: Cuectl, state: StoreState) -> None:
    script = "cuectl chain --name after --when success --in 10m -- true; test $CUE_ATTEMPT = 2"
    create(cuectl, script, "--retries", "1", "--backoff", "30m")
    pass_at(cuectl, "02:00:00")
    pass_at(cuectl, "02:30:10")
    pass_at(cuectl, "02:39:00")
    assert state.executions("after") == []
    pass_at(cuectl, "02:40:20")

    assert state.ends("after") == ["succeeded"]


def test_a_pending_verification_holds_the_children(cuectl: Cuectl, state: StoreState) -> None:
    create(cuectl, EITHER, "--verification-mode", "manual")
    pass_at(cuectl, "02:00:00")
    pass_at(cuectl, "02:05:00")
    assert state.executions("yes") == state.executions("no") == []
    assert state.cue("yes")["status"] == state.cue("no")["status"] == "held"

    assert cuectl.run("verify", state.one("parent")["id"]).status == 0
    pass_at(cuectl, "02:06:00")

    assert state.ends("yes") == ["succeeded"]
    assert state.ends("no") == ["skipped(parent_succeeded)"]


def test_a_rejection_ends_the_children(cuectl: Cuectl, state: StoreState) -> None:
    create(cuectl, EITHER, "--verification-mode", "manual")
    pass_at(cuectl, "02:00:00")
    words = ("--reject", "--reason", "wrong branch")
    assert cuectl.run("verify", state.one("parent")["id"], *words).status == 0
    pass_at(cuectl, "02:06:00")

    parent = state.one("parent")
    assert parent["reason"] == "rejected: wrong branch"
    assert state.ends("yes") == ["skipped(parent_verification_failed)"]
    assert state.ends("no") == ["succeeded"]


def test_a_cancelled_parent_releases_only_always(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    chains = "".join(
        f"cuectl chain --name {when} --when {when} -- true; "
        for when in ("success", "failure", "always")
    )
    create(cuectl, chains + WAITS)
    cuectl.at("2026-11-21T02:00:00Z")
    busy = passes.start("parent")
    assert cuectl.run("cancel", state.one("parent")["id"]).status == 0
    assert busy.end() == 0
    pass_at(cuectl, "02:01:00")

    assert state.ends("parent") == ["cancelled(by hand)"]
    assert state.ends("success") == state.ends("failure") == ["skipped(parent_cancelled)"]
    assert state.ends("always") == ["succeeded"]


def test_a_lost_parent_releases_its_children(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    create(cuectl, "cuectl chain --name after --when failure -- true; " + WAITS + "exit 1")
    cuectl.at("2026-11-21T02:00:00Z")
    busy = passes.start("parent")
    busy.kill()
    (cuectl.work / "go").touch()

    def is_over() -> bool:
        pass_at(cuectl, "02:01:00")
        return bool(state.executions("after"))

    until(is_over)
    pass_at(cuectl, "02:02:00")
    assert state.one("parent")["status"] == "interrupted"
    assert state.ends("after") == ["succeeded"]


def test_a_chain_that_feeds_itself_ends(cuectl: Cuectl, state: StoreState) -> None:
    cuectl.files({"step.sh": "#!/bin/sh\ncuectl chain --name step-$CUE_CHAIN_DEPTH -- ./step.sh\n"})
    (cuectl.work / "step.sh").chmod(0o755)
    cuectl.at("2026-11-21T01:00:00Z")
    cuectl.run("create", "--name", "step", "--at", "2026-11-21T02:00:00Z", "--", "./step.sh")
    for minute in range(20):
        pass_at(cuectl, f"02:{minute:02d}:00")

    depths = sorted(one["depth"] for one in state.executions())
    assert depths == list(range(17))
    last = max(state.executions(), key=lambda one: int(one["depth"]))
    assert last["exit_code"] == 8
    assert "the chain is 16 deep" in last["error"]


def test_a_chain_makes_at_most_two_hundred_cues_an_hour(cuectl: Cuectl, state: StoreState) -> None:
    script = (
        "from cuectl.entry import main\n"
        "words = ['-q', 'chain', '--in', '1d', '--key', '{}', '--', 'true']\n"
        "codes = [main([word.format(n) for word in words]) for n in range(202)]\n"
        "open('codes', 'w').write(' '.join(map(str, codes)))\n"
    )
    cuectl.files({"many.py": script})
    cuectl.at("2026-11-21T01:00:00Z")
    work = ("--", sys.executable, "many.py")
    cuectl.run("create", "--name", "parent", "--at", "2026-11-21T02:00:00Z", *work)
    pass_at(cuectl, "02:00:00")

    codes = (cuectl.work / "codes").read_text().split()
    assert codes == ["0"] * 200 + ["8"] * 2
    assert len(state.of_type("cue.created")) == 201


def test_chain_outside_a_handler_is_refused(cuectl: Cuectl, state: StoreState) -> None:
    cuectl.run("create", "--name", "job", "--", "true")
    answer = cuectl.run("chain", "--", "true")
    assert answer.status == 2
    assert "not inside a handler" in answer.stderr
    cuectl.env(CUE_EXECUTION_ID="exec_01m7y6v924j94h81ctqc2w54")
    answer = cuectl.run("chain", "--", "true")
    assert answer.status == 5
    assert "is not running" in answer.stderr
    assert len(state.of_type("cue.created")) == 1


def test_a_chained_cue_with_a_schedule_fires_again_and_again(
    cuectl: Cuectl, state: StoreState
) -> None:
    create(cuectl, "cuectl chain --name each --cron '0 * * * *' -- true")
    for clock in ("02:00:00", "03:00:05", "04:00:05"):
        pass_at(cuectl, clock)

    parent = state.one("parent")
    assert [one["parent_id"] for one in state.executions("each")] == [parent["id"]] * 2
