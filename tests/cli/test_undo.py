"""Pauses of all cues and for a while, deletions that are taken back, and tidying up."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import StoreState

HOURLY = ("--cron", "0 * * * *", "--", "true")


def test_all_cues_are_paused_and_resumed(cuectl: Cuectl) -> None:
    cuectl.run("pause", "--all").gives(stderr="no cue is active\n")
    for name in ("one", "two"):
        cuectl.run("create", "--name", name, *HOURLY)
    cuectl.run("pause", "one")

    cuectl.run("pause", "--all").gives("paused 'two'\n")
    statuses = {one["name"]: one["status"] for one in cuectl.json("list")}
    assert statuses == {"one": "paused", "two": "paused"}
    assert len(cuectl.json("resume", "--all")) == 2
    assert cuectl.json("resume", "--all") == []
    see = "see: cuectl pause --help"
    cuectl.run("pause").fails(2, "give a name, or '--all'", see)
    cuectl.run("pause", "one", "--all").fails(2, "give names or '--all', not both", see)


def test_a_pause_until_a_time_ends_by_itself(cuectl: Cuectl, state: StoreState) -> None:
    cuectl.at("2026-11-21T02:30:00Z").run("create", "--name", "job", *HOURLY)
    said = cuectl.run("pause", "job", "--until", "2026-11-21T05:00:00Z")
    said.gives("paused 'job' until Sat 21 Nov 05:00 UTC (in 2h30m)\n")
    assert cuectl.json("get", "job")["paused_until"] == "2026-11-21T05:00:00Z"
    assert "‖ job  paused     -  in 2h30m" in cuectl.run("list").stdout
    got = cuectl.run("get", "job").stdout
    assert "paused until Sat 2026-11-21 05:00 UTC (in 2h30m)" in got
    cuectl.at("2026-11-21T04:59:00Z").run("run-due")
    assert state.ends("job") == []

    cuectl.at("2026-11-21T05:00:30Z").run("run-due")

    assert state.ends("job") == ["skipped(paused)", "succeeded"]
    found = cuectl.json("get", "job")
    assert (found["status"], found["paused_until"]) == ("active", None)
    assert found["next_run"] == "2026-11-21T06:00:00Z"
    assert "resumed" in cuectl.run("log").stdout


def test_a_pass_that_comes_late_still_ends_the_pause_when_it_was_to(
    cuectl: Cuectl, state: StoreState
) -> None:
    cuectl.at("2026-11-21T02:30:00Z").run("create", "--name", "job", *HOURLY)
    cuectl.run("pause", "job", "--until", "2026-11-21T03:30:00Z")
    cuectl.at("2026-11-21T04:10:00Z").run("run-due")
    skipped, ran = state.executions("job")
    assert (skipped["status"], skipped["scheduled_for"]) == ("skipped", "2026-11-21T03:00:00Z")
    assert (ran["status"], ran["scheduled_for"]) == ("succeeded", "2026-11-21T04:00:00Z")


def test_the_end_of_a_pause_can_be_moved_and_taken_away(cuectl: Cuectl, state: StoreState) -> None:
    cuectl.at("2026-11-21T02:30:00Z").run("create", "--name", "job", *HOURLY)
    assert cuectl.run("pause", "job", "--until", "1h").status == 0
    cuectl.run("pause", "job", "--until", "2026-11-21T04:30:00Z").gives(
        "paused 'job' until Sat 21 Nov 04:30 UTC (in 2h)\n"
    )
    cuectl.run("pause", "job").gives("'job' was paused already\n")
    cuectl.run("pause", "job", "--until", "2020-01-01").fails(
        2, "option '--until': '2020-01-01' is in the past (it is 2026-11-21 02:30 UTC)"
    )
    cuectl.at("2026-11-21T03:45:00Z").run("run-due")
    assert cuectl.json("get", "job")["status"] == "paused"
    cuectl.run("update", "job", "--cron", "30 * * * *")
    assert cuectl.json("get", "job")["paused_until"] == "2026-11-21T04:30:00Z"
    cuectl.run("resume", "job")
    assert cuectl.json("get", "job")["paused_until"] is None
    assert cuectl.run("pause", "job", "--until", "mon 9:00").status == 0
    cuectl.run("delete", "job", "--yes")
    cuectl.at("2026-11-21T09:00:00Z").run("run-due").gives()


def test_a_deleted_cue_comes_back_as_it_was(cuectl: Cuectl) -> None:
    cuectl.at("2026-11-21T02:30:00Z")
    cuectl.run("create", "--name", "job", "--payload", '{"a": 1}', *HOURLY)
    cuectl.run("fire", "job", "--wait")
    before = cuectl.json("get", "job")
    cuectl.run("delete", "job", "--yes")
    cuectl.at("2026-11-21T07:10:00Z")
    said = cuectl.run("undelete", "job")
    assert said.stdout.splitlines()[0] == f"{before['id']}  job"
    after = cuectl.json("get", "job")
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"next_run", "fires"}
    assert after["next_run"] == "2026-11-21T08:00:00Z"
    cuectl.run("undelete", "job").fails(6, "cue 'job' is not deleted")
    cuectl.run("undelete", "jab").fails(
        5,
        "no deleted cue named 'jab' in the journal",
        "all cues: cuectl list; what happened: cuectl log --cue jab",
    )


def test_the_newest_of_a_name_comes_back_unless_the_name_is_taken(cuectl: Cuectl) -> None:
    for number in "123":
        cuectl.run("create", "--name", "job", "--", "echo", number)
        if number != "3":
            cuectl.run("delete", "job", "--yes")
    answer = cuectl.run("undelete", "job")
    assert (answer.status, "a cue named 'job' exists" in answer.stderr) == (6, True)
    cuectl.run("delete", "job", "--yes")
    cuectl.run("undelete", "job")
    assert cuectl.json("get", "job")["target"]["argv"] == ["echo", "3"]


def test_what_has_finished_is_deleted_at_once(cuectl: Cuectl) -> None:
    cuectl.run("create", "--name", "often", *HOURLY)
    cuectl.run("create", "--name", "once", "--in", "0s", "--", "true")
    cuectl.run("delete", "--finished", "--yes").gives(stderr="no cue has finished\n")
    cuectl.run("run-due")
    cuectl.run("delete", "--finished").fails(
        8, "needs a yes: delete 'once'?", "give --yes to go ahead"
    )
    cuectl.run("delete", "--finished", "--yes").gives("deleted 'once'; its history stays\n")
    assert [one["name"] for one in cuectl.json("list")] == ["often"]


def test_apply_says_that_it_makes_again_what_was_deleted_by_hand(cuectl: Cuectl) -> None:
    cuectl.files({"cue.yaml": "cues: {nightly: {cron: '0 2 * * *', command: ['true']}}\n"})
    cuectl.run("apply", "cue.yaml")
    cuectl.run("delete", "nightly", "--yes")
    diff = cuectl.run("diff", "cue.yaml")
    assert (diff.status, diff.stdout) == (
        4, "+ cue 'nightly': deleted by hand since, and made again\n"
    )  # fmt: skip
    path = cuectl.work / "cue.yaml"
    cuectl.run("apply", "cue.yaml").gives(
        "applied 'cue.yaml': 1 made again\n"
        "cue 'nightly' was deleted by hand; it is in 'cue.yaml', so it was made again\n"
    )
    assert cuectl.json("diff", "cue.yaml")["cues"]["deleted_by_hand"] == [], path
