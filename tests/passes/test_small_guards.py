"""What a pass does beside the work itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cuectl.executions.lookup import _last_lines
from cuectl.executions.rules.record import FINAL, ExecutionStatus
from cuectl.passes.await_end import exit_status
from tests.fixtures.background import WAITS
from tests.fixtures.observing import until
from tests.fixtures.past import a_cue, an_execution

if TYPE_CHECKING:
    from tests.fixtures.background import Passes
    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import StoreState


def test_what_has_ended_is_settled_while_others_run(
    cuectl: Cuectl, state: StoreState, passes: Passes
) -> None:
    for name, shell in (("slow", WAITS), ("quick", "true")):
        cuectl.run("create", "--name", name, "--shell", shell)
        cuectl.run("fire", name)
    started = passes.start("slow", options=("--exit-code",))
    until(lambda: state.ends("quick") == ["succeeded"], "the quick one is settled")
    assert state.ends("slow") != ["succeeded"]
    cuectl.files({"go": ""})

    assert started.end() == 0
    assert state.ends("slow") == ["succeeded"]


def test_the_last_lines_are_as_many_as_were_asked_for() -> None:
    text = b"one\ntwo\nthree\n"
    found = [_last_lines(text, count) for count in range(5)]
    assert found == [b"", b"three\n", b"two\nthree\n", text, text]
    assert _last_lines(b"one\ntwo", 1) == b"two"
    assert _last_lines(b"", 3) == b""


@pytest.mark.parametrize("status", sorted(FINAL))
def test_whoever_waits_gets_a_status_that_says_how_it_ended(status: ExecutionStatus) -> None:
    done = an_execution(a_cue(), status=status, outcome_state="reported_success")
    doubtful = an_execution(a_cue(), status=status, outcome_state="verification_failed")
    good = status is ExecutionStatus.SUCCEEDED

    assert isinstance(exit_status(done), int)
    assert (exit_status(done) == 0) == good
    assert exit_status(doubtful) != 0
