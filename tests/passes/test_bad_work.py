"""One bad piece of work ends with a reason, and the rest of the pass goes on."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any

import pytest

from cuectl.executions.rules.record import Execution
from cuectl.passes import completion_batch, loop, plan_due, recover
from cuectl.store.views import Marker
from tests.fixtures.passing import a_cue, ends, executions, fired, pass_over, views_are_implied

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cuectl.process.runtime import Runtime
    from tests.conftest import ManualClock

ERRORS = [
    KeyError("type"),
    TypeError("not what was expected"),
    UnicodeEncodeError("latin-1", "日", 0, 1, "ordinal not in range"),
    RecursionError("maximum recursion depth exceeded"),
    ZeroDivisionError("division by zero"),
    AssertionError(),
]
PLACES: list[tuple[object, str]] = [
    (plan_due, "_plan_cue"),
    (plan_due, "_plan_waiting"),
    (loop, "start_of"),
    (completion_batch.CompletionBatch, "look"),
    (completion_batch.CompletionBatch, "settle_one"),
    (completion_batch, "judge_attempt"),
    (recover._Look, "sort_out"),
]


def failing_for(
    real: Callable[..., Any], bad: Callable[[str], bool], error: Exception
) -> Callable[..., Any]:
    """Return a function that raises for what is about one cue, after it did half of its work."""

    def fails(*args: Any, **named: Any) -> Any:
        about = [one for one in args if isinstance(one, (Execution, Marker))]
        if bad(repr(about)):
            # What was staged by then must not stay.
            if args and hasattr(args[0], "stage") and "_plan" in real.__name__:
                real(*args, **named)
            raise error
        return real(*args, **named)

    return fails


@pytest.mark.parametrize("seed", range(24))
def test_whatever_is_raised_for_one_is_its_own_end(
    runtime: Runtime, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    owner, name = PLACES[seed % len(PLACES)]
    error = chance.choice(ERRORS)
    ids = {one: a_cue(runtime, one, at="2026-11-21T02:00:30Z") for one in ("one", "bad", "two")}
    ids |= {one: a_cue(runtime, one) for one in ("hand-bad", "hand")}
    for one in ("hand-bad", "hand"):
        fired(runtime, one)
    clock.set("2026-11-21T02:00:31Z")
    by_hand = [one["id"] for one in executions(runtime) if one["cue_name"] == "hand-bad"]
    marks = (ids["bad"], ids["hand-bad"], *by_hand)
    fails = failing_for(getattr(owner, name), lambda text: any(one in text for one in marks), error)
    monkeypatch.setattr(owner, name, fails)

    pass_over(runtime)

    by_name = {one["cue_name"]: one for one in executions(runtime)}
    assert {by_name[one]["status"] for one in ("one", "two", "hand")} == {"succeeded"}
    for one in ("bad", "hand-bad"):
        record = by_name[one]
        assert record["status"] in ("failed", "succeeded"), record
        assert record["status"] == "succeeded" or record.get("error") or record.get("reason")
    assert views_are_implied(runtime)


def test_a_name_that_no_environment_can_hold_fails_alone(runtime: Runtime, tmp_path: Path) -> None:
    a_cue(runtime, "null", payload={"text": "a\x00b"})
    a_cue(runtime, "half", payload={"text": "half a pair \ud83d"})
    a_cue(runtime, "plain")
    for name in ("null", "half", "plain"):
        fired(runtime, name)
    pass_over(runtime)
    assert len(ends(runtime)) == 3
    assert ends(runtime).count("succeeded") >= 1
    assert all(one["status"] in ("succeeded", "failed") for one in executions(runtime))


def test_what_the_locale_has_no_letters_for_goes_out_in_utf_8(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under Latin-1, where the names of files and variables are so encoded."""
    real = os.posix_spawn

    def latin_1(program: Any, argv: Any, env: Any, **options: Any) -> int:
        for text in [*argv, *env.values()]:
            if isinstance(text, str):
                text.encode("latin-1")
        return real(program, argv, env, **options)

    monkeypatch.setattr(os, "posix_spawn", latin_1)
    a_cue(runtime, "日報", shell='echo "$CUE_CUE_NAME" > name', cwd=str(tmp_path))
    fired(runtime, "日報")
    pass_over(runtime)
    assert ends(runtime) == ["succeeded"]
    assert (tmp_path / "name").read_text() == "日報\n"
