"""One screen of what happens now."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.fixtures.background import WAITS
from tests.fixtures.terminal import Screen

if TYPE_CHECKING:
    from tests.fixtures.background import Passes
    from tests.fixtures.builder import Cuectl


def test_what_is_going_on(cuectl: Cuectl, passes: Passes) -> None:
    cuectl.run("create", "--name", "long", "--shell", f"echo copying 7 files; {WAITS}")
    cuectl.run("create", "--name", "bad", "--shell", "echo error: token expired; exit 1")
    cuectl.run("create", "--name", "later", "--cron", "0 0 1 1 *", "--", "true")
    cuectl.run("fire", "bad", "--wait")
    cuectl.run("fire", "long")
    busy = passes.start("long")

    answer = cuectl.run("top")

    head, *lines = answer.stdout.splitlines()
    assert head.startswith("cuectl top · ")
    assert re.fullmatch(r"RUNNING  ▸ long  \S+  copying 7 files", lines[0])
    assert lines[1].startswith("NEXT     later  in ")
    assert "FAILING  ✗ bad  failed: exit 1: error: token expired" in lines
    assert re.fullmatch(r"ENDED    ✗ bad  failed .*  exit 1: error: token expired", lines[-1])
    assert cuectl.json("top", "--once")["home"] == str(cuectl.home)

    screen = Screen(cuectl, "top")
    screen.expect("RUNNING  ▸ long")
    (cuectl.work / "go").touch()
    screen.expect("ENDED    ✓ long  passed")
    screen.interrupt()
    assert screen.end() == 0
    assert busy.end() == 0


def test_an_empty_home_and_signs_for_a_plain_terminal(cuectl: Cuectl) -> None:
    assert cuectl.run("top").stdout.endswith("last pass never\n")
    cuectl.run("create", "--name", "job", "--", "true")
    assert "+ job passed in " in cuectl.env(CUECTL_ASCII="1").run("fire", "job", "--wait").stdout
    followed = cuectl.run("fire", "job", "--wait", "--follow").stderr
    assert "> job started (" in followed


def test_many_failures_leave_room_for_the_rest(cuectl: Cuectl) -> None:
    cuectl.at("2026-11-21T02:00:00Z")
    for number in range(7):
        cuectl.run("create", "--name", f"bad{number}", "--every", "1m", "--", "false")
    cuectl.at("2026-11-21T02:02:00Z").run("run-due")
    lines = cuectl.at("2026-11-21T03:00:00Z").run("top").stdout.splitlines()
    words = [line.split()[0] for line in lines]
    assert words == ["cuectl", *["NEXT"] * 5, *["FAILING"] * 6, *["ENDED"] * 5]
    assert lines[1].endswith("  due")
    assert lines[11] == "FAILING  and 2 more: cuectl status"


def test_keys_choose_a_line_show_its_output_and_act_after_a_yes(cuectl: Cuectl) -> None:
    cuectl.run("create", "--name", "bad", "--shell", "echo error: token expired; exit 1")
    cuectl.run("create", "--name", "good", "--shell", "echo all is well")
    cuectl.run("fire", "bad", "--wait")
    cuectl.run("fire", "good", "--wait")
    screen = Screen(cuectl, "top")

    def chosen(line: str) -> None:
        screen.child.expect_exact(f"\x1b[7m{line}")
        screen.child.expect_exact("q quit")

    screen.child.expect_exact("\x1b[?1049h")
    chosen("FAILING  ✗ bad")
    screen.child.send("j")
    chosen("ENDED    ✓ good")
    screen.child.send("\x1b[B")
    chosen("ENDED    ✗ bad")
    screen.child.send("\r")
    screen.child.expect_exact("error: token expired")
    screen.child.expect_exact("enter back")
    screen.child.send("\x1b")
    chosen("ENDED    ✗ bad")
    screen.child.send("k")
    chosen("ENDED    ✓ good")
    screen.child.send("f")
    screen.child.expect_exact("fire good? y/n")
    screen.child.send("n")
    screen.child.expect_exact("nothing was changed")
    screen.child.send("f")
    screen.child.expect_exact("fire good? y/n")
    screen.child.send("y")
    screen.child.expect_exact("good  queued; starts on the next pass")
    screen.child.send("q")
    screen.child.expect_exact("\x1b[?1049l")
    screen.child.expect_exact("ENDED    ✗ bad")
    assert screen.end() == 0
    fired = cuectl.json("executions", "list", "--status", "pending")
    assert [one["cue_name"] for one in fired] == ["good"]
