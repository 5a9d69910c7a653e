"""Commits that fail while a pass works: nothing is acknowledged, and nothing is lost (A20, A21)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cuectl.store import files
from cuectl.store.journal.journal import Journal
from tests.fixtures.passing import (
    a_cue,
    ends,
    executions,
    fired,
    pass_over,
    types,
    views_are_implied,
)

if TYPE_CHECKING:
    from cuectl.process.runtime import Runtime
    from cuectl.store.journal.lines import JournalEntry
    from tests.conftest import ManualClock


class Failing:
    """Lets commits of a kind fail so many times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kind: str, times: int) -> None:
        self.left = times
        append = Journal.append

        def fail(journal: Journal, events: list[JournalEntry], at: str) -> None:
            if self.left and any(event.type == kind for event in events):
                self.left -= 1
                raise OSError(28, "No space left on device")
            append(journal, events, at)

        monkeypatch.setattr(Journal, "append", fail)


def test_nothing_starts_when_the_claim_is_not_durable(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_cue(runtime, shell="echo ran >> effects")
    fired(runtime)
    failing = Failing(monkeypatch, "execution.claimed", 1)
    with pytest.raises(OSError, match="No space"):
        pass_over(runtime)
    assert failing.left == 0
    assert ends(runtime) == ["pending"]

    pass_over(runtime)
    assert ends(runtime) == ["succeeded"]
    assert views_are_implied(runtime)


@pytest.mark.parametrize("times", [1, 2])
def test_settling_is_tried_again(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    a_cue(runtime, shell="exit 7")
    fired(runtime)
    Failing(monkeypatch, "execution.settled", times)
    result = pass_over(runtime)

    assert ends(runtime) == ["failed(exit status 7)"]
    assert result.settled == 1
    assert views_are_implied(runtime)


def test_what_cannot_be_settled_is_left_to_the_next_pass(
    runtime: Runtime, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its exit status is in the spawn log, its evidence in the outcome file."""
    outcome = '{"success": true, "external_id": "x"}'
    a_cue(runtime, "good", shell=f"echo '{outcome}' > $CUE_OUTCOME_FILE")
    a_cue(runtime, "bad", shell="exit 7")
    fired(runtime, "good")
    fired(runtime, "bad")
    Failing(monkeypatch, "execution.settled", 3)
    with pytest.raises(OSError, match="No space"):
        pass_over(runtime)
    assert [one["status"] for one in executions(runtime)] == ["pending"] * 2
    _forget_dead_passes(runtime)

    clock.advance(1)
    pass_over(runtime)

    good, bad = sorted(executions(runtime), key=lambda one: str(one["cue_name"]), reverse=True)
    assert (good["status"], good["exit_code"], good["external_id"]) == ("succeeded", 0, "x")
    assert (bad["status"], bad["exit_code"]) == ("failed", 7)
    assert types(runtime).count("alert.raised") == 1
    assert views_are_implied(runtime)


def _forget_dead_passes(runtime: Runtime) -> None:
    """Let go of the locks of passes that have failed in this process."""
    import fcntl
    import os

    for name in os.listdir("/proc/self/fd"):
        try:
            path = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue
        if path.startswith(f"{runtime.home}/passes/"):
            fcntl.flock(int(name), fcntl.LOCK_UN)
            os.close(int(name))


def test_a_group_is_settled_whole_or_not_at_all(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        a_cue(runtime, f"job{number}")
        fired(runtime, f"job{number}")
    Failing(monkeypatch, "execution.settled", 2)
    pass_over(runtime)

    assert ends(runtime) == ["succeeded"] * 4
    assert types(runtime).count("execution.settled") == 4


def test_what_stands_in_the_place_of_a_view_is_put_aside(runtime: Runtime) -> None:
    cue = a_cue(runtime)
    a_cue(runtime, "other")
    fired(runtime)
    fired(runtime, "other")
    path = Path(f"{runtime.home}/cues/{cue}.s.json")
    path.unlink()
    path.mkdir()
    runtime.store.forget()
    result = pass_over(runtime)

    assert ends(runtime) == ["succeeded"] * 2
    assert result.problems == ()
    assert path.is_file()
    assert views_are_implied(runtime)


def test_a_view_that_cannot_be_written_makes_the_pass_fail_and_stops_nothing(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    cue = a_cue(runtime)
    fired(runtime)
    overwrite = files.overwrite_file

    def refuse(path: str, data: bytes) -> None:
        if path.endswith(f"{cue}.s.json"):
            raise PermissionError(13, "Permission denied")
        overwrite(path, data)

    with monkeypatch.context() as patched:
        patched.setattr(files, "overwrite_file", refuse)
        result = pass_over(runtime)
    assert ends(runtime) == ["succeeded"]
    assert [f"{cue}.s.json" in problem for problem in result.problems] == [True]
    assert not (Path(runtime.home) / "next").exists()

    assert pass_over(runtime).problems == ()
    assert views_are_implied(runtime)
