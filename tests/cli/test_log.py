"""`log`: the journal for people and for programs, and following it."""

from __future__ import annotations

import json
import os
import re
import select
import signal
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest

from tests.cli.past import make_past
from tests.cli.schema_check import assert_fits

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.fixtures.builder import Cuectl


def lines(cuectl: Cuectl, *words: str) -> list[dict[str, Any]]:
    """Return what `log --json` prints."""
    answer = cuectl.run("--json", "log", *words)
    assert answer.status == 0, answer
    found = [json.loads(line) for line in answer.stdout.splitlines()]
    for line in found:
        assert_fits(line, "log")
    return found


def words_of(cuectl: Cuectl, *words: str) -> list[str]:
    """Return subject and word of each line for people."""
    answer = cuectl.run("log", *words)
    assert answer.status == 0, answer
    return [" ".join(re.split(r"  +", line)[1:3]) for line in answer.stdout.splitlines()]


def test_the_story_is_told_in_words(cuectl: Cuectl) -> None:
    make_past(cuectl)

    told = words_of(cuectl, "-n", "0", "--since", "2026-11-21T02:00:00Z")

    assert told == []
    told = words_of(cuectl, "--since", "2026-11-21T02:00:00Z")
    assert told[:2] == ["audit created", "forgetful created"]
    for expected in (
        "audit@2026-11-21T02:00 pending",
        "audit@2026-11-21T02:00 claimed",
        "check created",
        "audit@2026-11-21T02:00 passed",
        "tidy released",
        "forgetful@2026-11-21T02:00 FAILED",
        "mourn@2026-11-21T02:00 skipped",
        "check@2026-11-22T02:00 passed",
    ):
        assert expected in told


def test_a_line_says_how_it_ended_and_what_proves_it(cuectl: Cuectl) -> None:
    make_past(cuectl)

    text = cuectl.run("log", "--cue", "audit", "-n", "1").stdout

    assert re.search(r"  passed +in [\d.]+s  ", text)
    assert text.endswith("Filed 3 issues  run-7\n")


def test_every_line_has_its_date(cuectl: Cuectl) -> None:
    make_past(cuectl)

    for line in cuectl.run("log").stdout.splitlines():
        assert re.match(r"(21|22) Nov \d\d:\d\d:\d\d  ", line)


def test_the_newest_lines_come_last(cuectl: Cuectl) -> None:
    make_past(cuectl)

    found = lines(cuectl, "-n", "3")
    everything = lines(cuectl, "-n", "1000")

    assert [line["seq"] for line in found] == [line["seq"] for line in everything[-3:]]
    assert [line["seq"] for line in everything] == list(range(1, len(everything) + 1))


def test_json_lines_have_the_record_and_no_views(cuectl: Cuectl) -> None:
    ids = make_past(cuectl)

    found = [line for line in lines(cuectl, "-n", "1000") if line.get("execution") == ids["audit"]]

    assert found[-1]["type"] == "execution.settled"
    assert found[-1]["record"]["external_id"] == "run-7"


def test_plain_rows_have_one_heading(cuectl: Cuectl) -> None:
    make_past(cuectl)

    rows = cuectl.run("log", "-n", "2", "--plain").stdout.splitlines()

    assert rows[0].split("\t") == ["time", "type", "cue", "execution", "seq"]
    assert len(rows) == 3


def test_a_deleted_cue_keeps_its_story(cuectl: Cuectl) -> None:
    make_past(cuectl)
    cue_id = cuectl.json("get", "forgetful")["id"]
    before = words_of(cuectl, "--cue", "forgetful")
    cuectl.run("delete", "forgetful", "--yes")

    told = words_of(cuectl, "--cue", "forgetful")

    assert told[: len(before)] == before
    assert told[-1] == "forgetful deleted"
    assert words_of(cuectl, "--cue", cue_id) == told


def test_only_lines_about_the_cue_are_shown(cuectl: Cuectl) -> None:
    make_past(cuectl)

    assert {line.partition("@")[0].split()[0] for line in words_of(cuectl, "--cue", "check")} == {
        "check"
    }


def test_a_cue_that_never_was_is_an_error(cuectl: Cuectl) -> None:
    make_past(cuectl)

    cuectl.run("log", "--cue", "audti").fails(
        5, "no cue named 'audti'", "did you mean 'audit'? all names: cuectl list"
    )


def test_nothing_has_happened_yet(cuectl: Cuectl) -> None:
    cuectl.run("log").gives(stderr="nothing has happened yet\n")
    cuectl.run("log", "--json").gives()
    assert not cuectl.home.exists()


def test_what_a_handler_says_can_not_forge_a_line(cuectl: Cuectl) -> None:
    summary = "fine\n02:00:00  audit  ALERT\x1b[2J"
    cuectl.files({"outcome.json": json.dumps({"success": True, "summary": summary})})
    cuectl.run(
        *("create", "--name", "forger"),
        *("--shell", f"cat {cuectl.work}/outcome.json > $CUE_OUTCOME_FILE"),
    )
    cuectl.run("fire", "forger")
    cuectl.run("run-due")

    text = cuectl.run("log").stdout

    assert "fine" in text
    assert "\x1b" not in text
    assert not any(line.startswith("02:00:00  audit") for line in text.splitlines())


def test_verification_is_told(cuectl: Cuectl) -> None:
    made = cuectl.run(
        *("create", "--name", "judged", "--verification-mode", "manual", "--", "true")
    )
    assert made.status == 0, made
    identity = cuectl.run("--json", "fire", "judged").json["id"]
    cuectl.run("run-due")
    assert words_of(cuectl, "-n", "1")[0].endswith("to verify")

    assert cuectl.run("verify", identity, "--reject", "--reason", "no report").status == 0

    assert any(line.endswith("UNPROVEN") for line in words_of(cuectl, "-n", "3"))


# --- following ----------------------------------------------------------------------------------


class Following:
    """`log -f --json` in the background."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        assert process.stdout is not None
        self.stdout: IO[bytes] = process.stdout
        self._text = b""

    def next_line(self, limit_s: float = 20.0) -> dict[str, Any]:
        """Return the next line; fails when none comes."""
        while b"\n" not in self._text:
            ready, _, _ = select.select([self.stdout], [], [], limit_s)
            assert ready, "no line came"
            data = os.read(self.stdout.fileno(), 65_536)
            assert data, self.process.communicate()
            self._text += data
        line, _, self._text = self._text.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found

    def interrupt(self) -> tuple[int, bytes]:
        """End it as a person does; return its status and what it said on stderr."""
        self.process.send_signal(signal.SIGINT)
        _, said = self.process.communicate(timeout=60)
        return self.process.returncode, said


@pytest.fixture
def following(cuectl: Cuectl) -> Iterator[Following]:
    make_past(cuectl)
    process = cuectl.start("--json", "log", "-f", "-n", "1")
    found = Following(process)
    found.next_line()
    yield found
    process.kill()
    process.communicate()


def test_what_happens_is_followed_until_an_interrupt(cuectl: Cuectl, following: Following) -> None:
    cuectl.run("pause", "audit")
    assert following.next_line()["type"] == "cue.paused"

    cuectl.run("resume", "audit")
    assert following.next_line()["type"] == "cue.resumed"

    assert following.interrupt() == (130, b"")


def test_following_ends_when_nobody_reads_any_more(cuectl: Cuectl) -> None:
    """Regression: `log -f | head -1` stayed until something happened that it could not print."""
    cuectl.run("create", "--name", "a", "--", "true")
    process = cuectl.start("log", "-f")
    assert process.stdout is not None
    assert b"created" in process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr:
        assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 141


def test_it_follows_across_segments_that_are_closed_and_packed(
    cuectl: Cuectl, following: Following
) -> None:
    segment_bytes = sum(one.stat().st_size for one in (cuectl.home / "journal").glob("0*"))
    cuectl.env(CUECTL_TEST_LIMITS=f"segment_bytes={segment_bytes}")
    cuectl.run("pause", "audit")
    assert following.next_line()["type"] == "cue.paused"

    cuectl.run("run-due")
    seen = []
    while "journal.closed" not in seen:
        seen.append(following.next_line()["type"])
    cuectl.run("resume", "audit")

    assert following.next_line()["type"] == "cue.resumed"
    assert len(list(Path(cuectl.home, "journal").glob("0*"))) == 2


def test_only_the_lines_of_a_cue_are_followed(cuectl: Cuectl) -> None:
    make_past(cuectl)
    process = cuectl.start("--json", "log", "-f", "-n", "1", "--cue", "audit")
    found = Following(process)
    try:
        found.next_line()
        cuectl.run("pause", "forgetful")
        cuectl.run("pause", "audit")
        assert found.next_line()["type"] == "cue.paused"
        assert found.interrupt()[0] == 130
    finally:
        process.kill()
        process.communicate()


def test_there_is_nothing_to_follow_without_a_home(cuectl: Cuectl) -> None:
    answer = cuectl.run("log", "-f")

    assert answer.status == 5
    assert "there is no state directory" in answer.stderr
