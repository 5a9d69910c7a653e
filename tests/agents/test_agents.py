"""Agents: prompts in, answers out, limits over all passes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.agent_stubs import define, program
from tests.fixtures.observing import is_gone, processes_with, until

if TYPE_CHECKING:
    from typing import Any

    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import StoreState


def ask(cuectl: Cuectl, name: str, prompt: str = "hello", *options: str) -> None:
    """Make a cue that asks an agent at two o'clock."""
    cuectl.at("2026-11-21T01:00:00Z")
    at = ("--at", "2026-11-21T02:00:00Z")
    words = ("create", "--name", name, *at, "--agent", "bot", "--prompt", prompt, *options)
    answer = cuectl.run(*words)
    assert answer.status == 0, answer


def run(cuectl: Cuectl, now: str = "2026-11-21T02:00:00Z") -> None:
    """Run a pass."""
    answer = cuectl.at(now).run("run-due")
    assert answer.status == 0, answer


def bot(cuectl: Cuectl, script: str, more: str = "") -> None:
    """Define the agent `bot` as a script."""
    path = program(cuectl, "bot", f"#!/bin/sh\n{script}\n")
    define(cuectl, f"agents:\n  bot: {{driver: command, cmd: ['{path}']{more}}}\n")


def test_an_agent_gets_its_prompt_and_its_answer_is_kept(cuectl: Cuectl, state: StoreState) -> None:
    bot(cuectl, "cat; echo noise >&2; pwd > $HOME/where", f", cwd: {cuectl.work}")
    ask(cuectl, "ask", "Is {{PROJECT_NAME}} fine? {{CUE_TRIGGER_NAME}}")
    run(cuectl)
    record = state.one()
    assert (record["status"], record["result"]) == ("succeeded", "Is work fine? ask")
    files = {path.name.removeprefix(record["id"]) for path in cuectl.home.glob("runs/*/*")}
    assert files == {".out", ".err", ".prompt"}
    [errors] = cuectl.home.glob("runs/*/*.err")
    assert errors.read_text() == "noise\n"
    assert errors.stat().st_mode & 0o777 == 0o600
    assert (cuectl.user / "where").read_text().strip() == str(cuectl.work)


@pytest.mark.parametrize(
    ("script", "status", "reason"),
    [
        ('echo \'{"error": "no money"}\'', "failed", "the agent failed: no money"),
        ("echo words; exit 3", "failed", "exit status 3"),
        ("kill -9 $$", "failed", "signal 9"),
        ("true", "succeeded", None),
    ],
)
def test_a_turn_ends_as_its_answer_and_its_exit_say(
    cuectl: Cuectl, state: StoreState, script: str, status: str, reason: str | None
) -> None:
    bot(cuectl, script)
    ask(cuectl, "ask")
    cuectl.at("2026-11-21T02:00:00Z").run("run-due")
    record = state.one()
    assert (record["status"], record.get("reason")) == (status, reason)


def test_an_error_text_is_a_failure_whatever_the_exit_status(
    cuectl: Cuectl, state: StoreState
) -> None:
    result = {"type": "result", "subtype": "success", "is_error": True, "result": "limit reached"}
    path = program(cuectl, "claude", f"#!/bin/sh\ncat >/dev/null\necho '{json.dumps(result)}'\n")
    define(cuectl, f"agents: {{bot: {{driver: claude, cmd: ['{path}']}}}}\n")
    ask(cuectl, "ask")
    cuectl.at("2026-11-21T02:00:00Z").run("run-due")
    record = state.one()
    assert record["status"] == "failed"
    assert record["reason"] == "the agent failed: limit reached"


def test_a_prompt_may_be_as_long_as_it_likes_and_hold_anything(
    cuectl: Cuectl, state: StoreState
) -> None:
    bot(cuectl, "cksum")
    prompt = b"\x00\xff$(x)`y` \xe9" + b"z" * 9_000_000
    (cuectl.work / "prompt.txt").write_bytes(prompt)
    ask(cuectl, "ask", "@prompt.txt")
    run(cuectl)
    [given] = cuectl.home.glob("runs/*/*.prompt")
    assert given.read_bytes() == prompt
    assert state.one()["result"].split()[1] == str(len(prompt))
    journal = sum(path.stat().st_size for path in cuectl.home.glob("journal/*"))
    assert journal < 100_000


def test_a_long_prompt_stays_when_somebody_else_is_asked(cuectl: Cuectl, state: StoreState) -> None:
    define(cuectl, "agents: {one: {cmd: [wc, -c]}, two: {cmd: [wc, -c]}}\n")
    (cuectl.work / "prompt.txt").write_text("z" * 200_000)
    cuectl.at("2026-11-21T01:00:00Z")
    words = ("create", "--name", "ask", "--in", "1h", "--agent", "one", "--prompt", "@prompt.txt")
    assert cuectl.run(*words).status == 0
    assert cuectl.run("update", "ask", "--agent", "two").status == 0
    # An hour from when the command looked at its clock, which was a little after one.
    run(cuectl, "2026-11-21T02:00:20Z")
    assert state.one()["result"] == "200000"
    assert cuectl.run("get", "ask").status == 0
    again = cuectl.run("update", "ask", "--prompt", "x", "--in", "1h")
    assert again.status == 0, again


def test_bytes_that_are_no_text_reach_the_agent(cuectl: Cuectl, state: StoreState) -> None:
    bot(cuectl, "od -An -tx1")
    (cuectl.work / "prompt.txt").write_bytes(b"\xff{{CUE_TRIGGER_NAME}}\xfe")
    ask(cuectl, "ask", "@prompt.txt")
    run(cuectl)
    assert state.one()["result"].split() == ["ff", "61", "73", "6b", "fe"]
    assert cuectl.run("get", "ask").status == 0
    assert cuectl.run("--json", "get", "ask").status == 0
    assert cuectl.run("export", "out.tar.gz").status == 0


def test_an_agent_that_prints_nothing_for_too_long_is_ended(
    impatient: Cuectl, state: StoreState
) -> None:
    bot(impatient, "echo begun; sleep 60", ", idle_timeout: 1s")
    ask(impatient, "ask")
    impatient.at("2026-11-21T02:00:00Z").run("run-due")
    record = state.one()
    assert record["status"] == "timed_out"
    assert record["reason"] == "nothing was printed for 1 s"


def test_one_turn_at_a_time_in_order(cuectl: Cuectl, state: StoreState) -> None:
    bot(cuectl, 'echo "in $CUE_CUE_NAME" >>$HOME/log; sleep 0.05; echo out >>$HOME/log')
    for number in range(5):
        ask(cuectl, f"ask-{number}")
    run(cuectl)
    assert state.ends() == ["succeeded"] * 5
    lines = (cuectl.user / "log").read_text().split("\n")[:-1]
    assert lines[1::2] == ["out"] * 5


def test_slots_are_counted_over_all_passes(cuectl: Cuectl, state: StoreState) -> None:
    script = "cd $HOME; mkdir lock || touch overlap; while [ ! -e go ]; do sleep 0.05; done; "
    bot(cuectl, script + "rmdir lock")
    for number in range(3):
        ask(cuectl, f"ask-{number}")
    cuectl.at("2026-11-21T02:00:00Z")
    first, second = cuectl.start("run-due"), cuectl.start("run-due")
    until(lambda: (cuectl.user / "lock").exists())
    (cuectl.user / "go").touch()
    assert [first.wait(60), second.wait(60)] == [0, 0]
    for process in (first, second):
        process.communicate()
    assert state.ends() == ["succeeded"] * 3
    assert not (cuectl.user / "overlap").exists()


def test_a_full_line_drops_the_newest_and_says_so(cuectl: Cuectl, state: StoreState) -> None:
    bot(cuectl, "cat", ", queue_size: 1")
    for number in range(4):
        ask(cuectl, f"ask-{number}")
    run(cuectl)
    ends = sorted(state.ends())
    assert ends == ["missed(queue_full)"] * 2 + ["succeeded"] * 2
    assert state.alerts() == ["queue_full"] * 2


def test_a_slot_is_free_while_its_holder_waits_for_a_retry(
    cuectl: Cuectl, state: StoreState
) -> None:
    bot(cuectl, 'test "$CUE_CUE_NAME" != bad')
    ask(cuectl, "bad", "x", "--retries", "1", "--backoff", "10m")
    ask(cuectl, "good")
    cuectl.at("2026-11-21T02:00:00Z").run("run-due")
    assert sorted(state.ends()) == ["succeeded", "waiting(retry)"]


def test_nobody_of_that_name_is_waited_for_and_then_missed(
    cuectl: Cuectl, state: StoreState
) -> None:
    cuectl.at("2026-11-21T01:00:00Z")
    words = ("create", "--name", "x", "--in", "1m", "--agent", "ghost", "--prompt", "hi")
    answer = cuectl.run(*words)
    assert "no agent is defined with the name 'ghost' yet" in answer.stderr
    run(cuectl)
    assert state.ends() == ["pending(no_handler)"]
    cuectl.at("2026-11-21T02:16:00Z").run("run-due")
    assert state.ends() == ["missed(no_handler)"]
    assert state.alerts() == ["missed"]


def test_agents_are_listed_with_their_limits(cuectl: Cuectl) -> None:
    bot(cuectl, "cat", ", max_concurrent: 2, queue_size: 7")
    [agent] = cuectl.json("agents", "list")
    wanted = {"name": "bot", "driver": "command", "max_concurrent": 2, "queue_size": 7}
    assert agent | wanted | {"running": 0, "waiting": 0} == agent


def test_an_agent_is_tried_without_a_trace(cuectl: Cuectl) -> None:
    bot(cuectl, "cat")
    checks: list[dict[str, Any]] = cuectl.json("agents", "test", "bot", "--prompt", "hi there")
    assert [(one["check"], one["ok"]) for one in checks] == [
        ("directory", True),
        ("program", True),
        ("turn", True),
    ]
    assert checks[-1]["detail"] == "hi there"
    bot(cuectl, "exit 4")
    assert cuectl.run("agents", "test", "bot", "--prompt", "x").status == 4
    (cuectl.work / "bot").unlink()
    assert cuectl.run("agents", "test", "bot").status == 4
    assert cuectl.run("agents", "test", "nobody").status == 5


def test_what_waits_is_listed_and_sent_away(cuectl: Cuectl, state: StoreState) -> None:
    bot(cuectl, "while [ ! -e $HOME/go ]; do sleep 0.05; done; cat", ", queue_size: 5")
    for number in range(4):
        ask(cuectl, f"ask-{number}")
    cuectl.at("2026-11-21T02:00:00Z")
    running = cuectl.start("run-due")
    until(lambda: cuectl.json("queue", "list")[0]["waiting"] == 3)
    [row] = cuectl.json("queue", "list")
    waiting = [one for one in state.executions() if one["status"] == "queued"]
    assert row == {
        "kind": "agent",
        "name": "bot",
        "running": 1,
        "max_concurrent": 1,
        "waiting": 3,
        "queue_size": 5,
        "next": row["next"],
        "oldest": row["oldest"],
    }
    assert row["oldest"].startswith("2026-11-21T02:0")
    answer = cuectl.run("queue", "list")
    assert answer.stdout.splitlines()[1].split()[:8] == "agent bot 1 of 1 3 of 5".split()
    assert cuectl.run("queue", "clear", "bot").status == 8
    cleared = cuectl.json("queue", "clear", "bot", "--yes")
    assert sorted(cleared["cleared"]) == sorted(one["id"] for one in waiting)
    assert cleared["cleared"][0] == row["next"]
    cuectl.run("queue", "clear", "bot", "--yes").gives(stdout="sent away 0 executions\n")
    (cuectl.user / "go").touch()
    assert running.wait(60) == 0
    running.communicate()
    assert sorted(state.ends()) == ["skipped(cleared)"] * 3 + ["succeeded"]
    [row] = cuectl.json("queue", "list")
    assert (row["running"], row["waiting"], row["next"], row["oldest"]) == (0, 0, None, None)
    again = cuectl.run("retry", waiting[0]["id"], "--wait")
    assert again.status == 0, again


def test_nobody_is_overtaken_in_the_line(cuectl: Cuectl, state: StoreState) -> None:
    bot(cuectl, 'echo "$CUE_CUE_NAME" >>$HOME/order; while [ ! -e $HOME/go ]; do sleep 0.05; done')
    names = [f"ask-{number}" for number in range(4)]
    for minute, name in enumerate(names):
        at = f"2026-11-21T02:0{minute}:00Z"
        cuectl.at("2026-11-21T01:00:00Z")
        words = ("create", "--name", name, "--at", at, "--agent", "bot", "--prompt", "x")
        assert cuectl.run(*words).status == 0
    passes = []
    for minute in range(4):
        cuectl.at(f"2026-11-21T02:0{minute}:00Z")
        passes.append(cuectl.start("run-due"))
        until(lambda: len(state.executions()) == len(passes))
    assert [row["waiting"] for row in cuectl.json("queue", "list")] == [3]
    (cuectl.user / "go").touch()
    for one in passes:
        assert one.wait(60) == 0
        one.communicate()
    run(cuectl, "2026-11-21T02:05:00Z")
    assert state.ends() == ["succeeded"] * 4
    assert (cuectl.user / "order").read_text().split() == names


def test_who_has_waited_too_long_is_dropped_with_an_alert(
    cuectl: Cuectl, state: StoreState
) -> None:
    wait = "echo >$HOME/up; while [ ! -e $HOME/go ]; do sleep 0.05; done"
    bot(cuectl, wait, ", timeout: 10m")
    for number in range(2):
        ask(cuectl, f"ask-{number}")
    worker = cuectl.at("2026-11-21T02:00:00Z").start("run-due")
    until(lambda: (cuectl.user / "up").exists())
    worker.kill()
    worker.communicate()
    (cuectl.user / "go").touch()
    until(lambda: not processes_with(str(cuectl.user)))
    # It held its slot over the death of its pass; eleven minutes later nobody waits any more.
    run(cuectl, "2026-11-21T02:11:00Z")
    assert sorted(state.ends()) == [
        "interrupted(its process was lost, and no outcome says how it ended)",
        "missed(stale)",
    ]
    assert state.alerts().count("missed") == 1
    assert cuectl.json("queue", "list")[0]["running"] == 0


def test_a_slot_that_a_cancelled_turn_leaves_is_taken_by_the_next(
    cuectl: Cuectl, state: StoreState
) -> None:
    bot(cuectl, "[ -e $HOME/first ] || { echo >$HOME/first; exec sleep 60; }")
    ask(cuectl, "ask-0")
    ask(cuectl, "ask-1")
    passing = cuectl.at("2026-11-21T02:00:00Z").start("run-due")
    until(lambda: (cuectl.user / "first").exists())
    [first] = [one["id"] for one in state.executions() if one["status"] != "queued"]
    assert cuectl.run("cancel", first).status == 0
    assert passing.wait(60) == 0
    passing.communicate()
    assert sorted(state.ends()) == ["cancelled(by hand)", "succeeded"]


@pytest.mark.parametrize("overlap", ["queue", "cancel", "allow", "skip"])
def test_a_cue_meets_itself_within_the_slots_of_its_agent(
    cuectl: Cuectl, state: StoreState, overlap: str
) -> None:
    script = "cd $HOME; mkdir lock || touch twice; while [ ! -e go ]; do sleep 0.05; done; "
    # The one that is cancelled leaves its lock behind, and the other is not to mind.
    bot(cuectl, script + "rmdir lock || true", ", max_concurrent: 1")
    cuectl.at("2026-11-21T01:59:00Z")
    words = ("create", "--name", "x", "--cron", "* * * * *", "--agent", "bot", "--prompt", "p")
    assert cuectl.run(*words, "--overlap", overlap).status == 0
    first = cuectl.at("2026-11-21T02:00:00Z").start("run-due")
    until(lambda: (cuectl.user / "lock").exists())
    second = cuectl.at("2026-11-21T02:01:00Z").start("run-due")
    until(lambda: len(state.executions()) == 2)
    if overlap == "cancel":
        until(lambda: any(one.startswith("cancelled") for one in state.ends()))
    (cuectl.user / "go").touch()
    for one in (first, second):
        assert one.wait(60) == 0
        one.communicate()
    wanted = {
        "queue": ["succeeded", "succeeded"],
        "allow": ["succeeded", "succeeded"],
        "cancel": ["cancelled(overlap)", "succeeded"],
        "skip": ["succeeded", "skipped(overlap)"],
    }
    assert state.ends() == wanted[overlap]
    if overlap != "cancel":
        assert not (cuectl.user / "twice").exists()
    assert cuectl.json("queue", "list")[0]["waiting"] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--prompt", "hi"), "a prompt needs an agent"),
        (("--agent", "bot"), "the agent 'bot' has no prompt"),
        (("--agent", "bot", "--prompt", " \n"), "the prompt for the agent 'bot' is empty"),
        (
            ("--agent", "bot", "--prompt", "@/dev/null"),
            "option '--prompt': '/dev/null' can't be read: not a regular file",
        ),
        (("--agent", "a/b", "--prompt", "hi"), "agent name 'a/b' contains '/'"),
        (
            ("--agent", "bot", "--prompt", "{{CUE_FILEPATH}}"),
            "'{{CUE_FILEPATH}}' in the prompt is not a variable",
        ),
    ],
)
def test_a_turn_that_makes_no_sense_is_refused(
    cuectl: Cuectl, words: tuple[str, ...], message: str
) -> None:
    answer = cuectl.run("create", "--name", "x", "--in", "1m", *words)
    assert (answer.status, answer.stdout) == (2, "")
    assert answer.stderr.splitlines()[0] == f"cuectl: error: {message}"
    assert not cuectl.home.exists()


def test_a_prompt_that_may_be_a_mistake_is_taken_with_a_word_about_it(cuectl: Cuectl) -> None:
    cuectl.files({"start.md": "Set it up."})
    words = ("create", "--in", "1m", "--agent", "bot")
    made = cuectl.run(*words, "--name", "x", "--prompt", "a {{title}} {{#if}}")
    told = [f"'{{{{{word}}}}}' in the prompt is not a variable" for word in ("title", "#if")]
    assert (made.status, [line in made.stderr for line in told]) == (0, [True, True])
    made = cuectl.run(*words, "--name", "y", "--prompt", "start.md")
    assert (made.status, "did you mean '--prompt @start.md'?" in made.stderr) == (0, True)
    assert "path of a file" not in cuectl.run(*words, "--name", "z", "--prompt", "@start.md").stderr


def test_nothing_starts_without_a_prompt(cuectl: Cuectl, state: StoreState) -> None:
    path = program(cuectl, "bot", "#!/bin/sh\necho >>$HOME/started\n")
    subscriptions = (
        f"agents: {{bot: {{cmd: ['{path}']}}}}\n"
        "subscriptions:\n"
        "- {name: blank, event: a.b, prompt: ''}\n"
        "- {name: none, event: a.b, prompt: '{{payload.none}}'}\n"
        "- {name: fan, event: a.b, fan_out: [bot, bot], fan_out_prompts: [' '], prompt: there}\n"
        "- {name: file, event: a.b, prompt_file: empty.md}\n"
    )
    cuectl.files({"empty.md": " \n", "cue.yaml": subscriptions})
    cuectl.at("2026-11-21T01:00:00Z")
    assert cuectl.run("apply", "cue.yaml").status == 0
    assert cuectl.run("emit", "a.b").status == 0
    run(cuectl, "2026-11-21T01:00:01Z")
    run(cuectl, "2026-11-21T01:00:02Z")
    ends = sorted((one["cue_name"], one["status"], one.get("reason")) for one in state.executions())
    empty = [(name, "failed", "the prompt is empty") for name in ("blank", "file", "none")]
    assert [one for one in ends if one[0] != "fan"] == empty
    assert [one[1] for one in ends if one[0] == "fan"] == ["succeeded"] * 2
    assert (cuectl.user / "started").read_text() == "\n\n"
    for words in (
        ("trigger", "fan", "--prompt", " "),
        ("trigger", "fan", "--prompt", "{{CUE_FIEL_PATH}}"),
    ):
        assert cuectl.run(*words).status == 2


def test_a_turn_that_takes_too_long_is_ended_with_its_whole_tree(
    impatient: Cuectl, state: StoreState
) -> None:
    script = "(trap '' TERM; setsid sleep 61 & echo $! >$HOME/deep; echo $$ >$HOME/pid; wait)"
    bot(impatient, f"echo begun; {script}", ", timeout: 3s")
    ask(impatient, "ask")
    impatient.at("2026-11-21T02:00:00Z").run("run-due")
    record = state.one()
    assert record["status"] == "timed_out"
    assert record["reason"] == "time limit of 3 s exceeded"
    assert record["result"] == "begun"
    assert impatient.run("executions", "output", record["id"], "--answer").stdout == "begun\n"
    pids = [int((impatient.user / name).read_text()) for name in ("deep", "pid")]
    until(lambda: all(is_gone(pid) for pid in pids))
    assert state.cue("ask")["last_status"] == "timed_out"


def test_a_turn_outlives_the_death_of_its_pass(cuectl: Cuectl, state: StoreState) -> None:
    result = {"type": "result", "subtype": "success", "result": "still here", "session_id": "s-1"}
    script = "#!/bin/sh\necho up >$HOME/up\nuntil [ -e $HOME/go ]; do sleep 0.05; done\n"
    path = program(cuectl, "claude", f"{script}echo '{json.dumps(result)}'\n")
    define(cuectl, f"agents: {{bot: {{driver: claude, cmd: ['{path}']}}}}\n")
    ask(cuectl, "ask")
    ask(cuectl, "next")
    passing = cuectl.at("2026-11-21T02:00:00Z").start("run-due")
    until(lambda: (cuectl.user / "up").exists())
    passing.kill()
    passing.communicate()
    run(cuectl, "2026-11-21T02:01:00Z")
    assert sorted(one["status"] for one in state.executions()) == ["pending", "queued"]
    (cuectl.user / "go").touch()
    until(lambda: not processes_with(str(cuectl.work)))
    run(cuectl, "2026-11-21T02:02:00Z")
    assert state.ends() == ["succeeded", "succeeded"]
    assert {one["result"] for one in state.executions()} == {"still here"}
    assert {one["metadata"]["session"] for one in state.executions()} == {"s-1"}
    assert [one.get("adopted", False) for one in state.executions()].count(True) == 1
