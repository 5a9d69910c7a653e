from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cuectl.definitions.source_files import HOME_VIEW
from cuectl.passes.run_due import definitions_for_pass
from cuectl.values.errors import NotFound
from tests.fixtures.cue_making import assert_views_hold, found, last_lines

if TYPE_CHECKING:
    from pathlib import Path

    from cuectl.definitions.in_force import InForce
    from cuectl.process.runtime import Runtime
    from tests.conftest import ManualClock

GOOD = "handlers: {audit: 'true'}\ncues: {beat: {every: 15m, task: audit}}\n"


def save(home: Path, text: str, *, age_s: float = 10) -> None:
    """Write the file so that it is `age_s` old for the test's clock, which stands at 02:00."""
    path = home / "cue.yaml"
    path.write_text(text)
    at = 1_795_226_400 - age_s
    os.utime(path, (at, at))


def taken(runtime: Runtime) -> InForce:
    in_force, problem = definitions_for_pass(runtime)
    assert problem is None
    return in_force


def test_a_pass_takes_the_file_over(runtime: Runtime, home: Path) -> None:
    assert taken(runtime).handler("audit") is None
    save(home, GOOD)

    handler = taken(runtime).handler("audit")

    assert handler is not None
    assert handler.cwd == str(home)
    assert found(runtime, "beat")[0].origin.path == str(home / "cue.yaml")
    assert_views_hold(runtime)


def test_an_unchanged_file_is_not_read_again(runtime: Runtime, home: Path) -> None:
    save(home, GOOD)
    taken(runtime)
    before = len(last_lines(runtime, 99))

    taken(runtime)

    assert len(last_lines(runtime, 99)) == before


def test_a_broken_file_leaves_the_last_good_one_in_force(runtime: Runtime, home: Path) -> None:
    save(home, GOOD)
    taken(runtime)
    save(home, GOOD + "handlres: {}\n")

    in_force, problem = definitions_for_pass(runtime)

    assert problem is not None
    assert problem.startswith(f"{home}/cue.yaml:3:1: unknown key 'handlres'")
    assert in_force.handler("audit") is not None
    assert in_force.problems == {f"{home}/cue.yaml": problem.partition(" (the previous")[0]}
    # It is said once, and kept for `status`.
    again, problem = definitions_for_pass(runtime)
    assert problem is None
    assert again.problems
    assert_views_hold(runtime)


def test_a_mended_file_counts_again(runtime: Runtime, home: Path) -> None:
    save(home, "nonsense: 1\n")
    definitions_for_pass(runtime)
    save(home, GOOD)

    in_force = taken(runtime)

    assert in_force.problems == {}
    assert in_force.handler("audit") is not None


def test_a_file_that_is_gone_for_a_moment_changes_nothing(
    runtime: Runtime, home: Path, clock: ManualClock
) -> None:
    save(home, GOOD)
    taken(runtime)
    # Kept, so that the file that comes back can't get its inode and so look unchanged.
    os.rename(home / "cue.yaml", home / "kept.yaml")

    assert taken(runtime).handler("audit") is not None
    clock.advance(30)
    save(home, GOOD)
    assert taken(runtime).handler("audit") is not None
    record = runtime.store.read(HOME_VIEW)
    assert record is not None
    assert "gone_since" not in record


def test_a_file_that_stays_away_is_gone(runtime: Runtime, home: Path, clock: ManualClock) -> None:
    save(home, GOOD)
    taken(runtime)
    os.unlink(home / "cue.yaml")
    taken(runtime)
    clock.advance(61)

    assert taken(runtime).handler("audit") is None

    with pytest.raises(NotFound):
        found(runtime, "beat")
    before = len(last_lines(runtime, 99))
    taken(runtime)
    assert len(last_lines(runtime, 99)) == before
    assert_views_hold(runtime)


def test_a_file_that_is_being_written_takes_nothing_away(
    runtime: Runtime, home: Path, clock: ManualClock
) -> None:
    save(home, GOOD)
    taken(runtime)
    save(home, "handlers: {audit: 'true'}\n", age_s=1)

    taken(runtime)
    found(runtime, "beat")

    clock.advance(2)
    taken(runtime)
    with pytest.raises(NotFound):
        found(runtime, "beat")


def test_what_is_new_in_a_fresh_file_counts_at_once(runtime: Runtime, home: Path) -> None:
    save(home, GOOD, age_s=0)

    assert taken(runtime).handler("audit") is not None


def test_a_handler_that_an_applied_file_has_is_a_problem(
    runtime: Runtime, home: Path, tmp_path: Path
) -> None:
    from cuectl.applying.apply import apply_file

    other = tmp_path / "other.yaml"
    other.write_text("handlers: {audit: 'false'}\n")
    apply_file(runtime, str(other))
    save(home, GOOD)

    in_force, problem = definitions_for_pass(runtime)

    assert problem is not None
    assert str(other) in problem
    handler = in_force.handler("audit")
    assert handler is not None
    assert handler.shell == "false"
