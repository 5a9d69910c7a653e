"""The sweeps find what is wrong with each toy store, and nothing wrong with the right ones.

The default run tries a seeded sample of each sweep; `-m sweep` tries every point.
"""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .operations import FAIL_KINDS, Kind, Op
from .plans import Crash, Fail
from .points import Crashes, Errors
from .runs import unavailable
from .sweeps import ArgvFor, Points, Step, SweepReport, power_sweep, sweep
from .toy_checks import (
    after_crash,
    after_error,
    after_power_cut,
    journal_after_power_cut,
    journal_argv,
    prepare_journal,
    prepare_records,
    records_argv,
)

if TYPE_CHECKING:
    from .durability import Model
    from .power import PowerState

REASON = unavailable()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))

SAMPLE = [pytest.param(10, id="sample"), pytest.param("all", id="all", marks=pytest.mark.sweep)]


def crashes(kind: str, work: Path, points: Points) -> SweepReport:
    check = after_crash(kind)
    argv_for = records_argv(kind, "run")
    return sweep(prepare_records, argv_for, check, work=work, faults=Crashes(), points=points)


def errors(kind: str, work: Path, points: Points, faults: Errors | None = None) -> SweepReport:
    check = after_error(kind)
    argv_for = records_argv(kind, "run")
    return sweep(
        prepare_records, argv_for, check, work=work, faults=faults or Errors(), points=points
    )


def power(
    kind: str, work: Path, model: Model, plan: Crash | Fail | None = None, points: Points = 40
) -> SweepReport:
    return power_sweep(
        prepare_records,
        [Step(argv_for=records_argv(kind, "run"), plan=plan)],
        after_power_cut(kind),
        work=work,
        models=[model],
        points=points,
        external=["effects"],
        follow=True,
        children_first=True,
    )


@pytest.mark.parametrize("points", SAMPLE)
def test_the_right_store_survives_every_crash(tmp_path: Path, points: Points) -> None:
    report = crashes("Right", tmp_path, points)

    assert report.failures == [], str(report)
    assert report.tried == report.reached >= 10


@pytest.mark.parametrize("points", SAMPLE)
def test_the_right_store_survives_every_error(tmp_path: Path, points: Points) -> None:
    report = errors("Right", tmp_path, points)

    assert report.failures == [], str(report)
    assert report.tried == report.reached >= 10


@pytest.mark.sweep
def test_the_right_store_survives_errors_of_every_kind_in_reads_too(tmp_path: Path) -> None:
    more = (errno.ENFILE, errno.EPERM, errno.EROFS, errno.EDQUOT, errno.ENOMEM, errno.EAGAIN)
    faults = Errors(errnos=(*Errors().errnos, *more), kinds=FAIL_KINDS | {Kind.READ})

    report = errors("Right", tmp_path, "all", faults)

    assert report.failures == [], str(report)
    assert report.tried > 400


@pytest.mark.parametrize("model", ["posix", "ext4"])
def test_the_right_store_survives_every_power_cut(tmp_path: Path, model: Model) -> None:
    report = power("Right", tmp_path, model)

    assert report.failures == [], str(report)
    assert report.tried > 20


@pytest.mark.parametrize("points", SAMPLE)
def test_writing_in_place_is_found_by_crashes(tmp_path: Path, points: Points) -> None:
    report = crashes("InPlace", tmp_path, points)

    assert report.failures
    assert {one.problems[0].split(":")[0] for one in report.failures} == {"not readable"}
    assert all(" write records/" in one.label for one in report.failures)


@pytest.mark.parametrize("points", SAMPLE)
def test_missing_syncs_are_not_found_by_crashes_or_errors(tmp_path: Path, points: Points) -> None:
    (tmp_path / "errors").mkdir()
    (tmp_path / "crashes").mkdir()

    assert crashes("NoFsync", tmp_path / "crashes", points).failures == []
    assert errors("NoFsync", tmp_path / "errors", points).failures == []


@pytest.mark.parametrize("model", ["posix", "ext4"])
def test_missing_syncs_are_found_by_power_cuts(tmp_path: Path, model: Model) -> None:
    report = power("NoFsync", tmp_path, model)

    problems = {problem for one in report.failures for problem in one.problems}
    assert any(one.startswith("not readable") for one in problems)
    assert "'one' ran 2 times" in problems


@pytest.mark.parametrize("points", SAMPLE)
def test_a_claim_after_the_start_is_found_by_crashes(tmp_path: Path, points: Points) -> None:
    report = crashes("ClaimAfterStart", tmp_path, points)

    problems = {problem for one in report.failures for problem in one.problems}
    assert problems & {"'one' ran 2 times", "'two' ran 2 times"}


@pytest.mark.parametrize("model", ["posix", "ext4"])
def test_a_claim_after_the_start_is_found_by_power_cuts(tmp_path: Path, model: Model) -> None:
    report = power("ClaimAfterStart", tmp_path, model)

    problems = {problem for one in report.failures for problem in one.problems}
    assert {"'one' ran 2 times", "'two' ran 2 times"} <= problems


def test_a_missing_directory_sync_is_found_by_power_cuts(tmp_path: Path) -> None:
    report = power("NoDirectoryFsync", tmp_path, "posix")

    problems = {problem for one in report.failures for problem in one.problems}
    assert {"'one' ran 2 times", "'two' ran 2 times"} <= problems


@pytest.mark.parametrize("points", SAMPLE)
def test_swallowed_errors_are_found_by_errors(tmp_path: Path, points: Points) -> None:
    report = errors("Swallows", tmp_path, points)

    problems = [problem for one in report.failures for problem in one.problems]
    assert any(one.startswith("silent success") for one in problems)


def test_a_write_that_is_not_repeated_is_found_by_short_writes(tmp_path: Path) -> None:
    report = errors("OneWrite", tmp_path, "all", Errors(errnos=(errno.ENOSPC,), persist=(False,)))

    assert report.failures
    assert all(one.label.startswith("short write") for one in report.failures)


def test_belief_in_a_second_sync_is_found_by_an_error_and_a_power_cut(tmp_path: Path) -> None:
    def sync_of_claim(op: Op) -> bool:
        return op.kind is Kind.SYNC

    plan = Fail(at=sync_of_claim, errno=errno.EIO)
    (tmp_path / "right").mkdir()
    (tmp_path / "wrong").mkdir()

    right = power("Right", tmp_path / "right", "posix", plan)
    wrong = power("SyncsAgain", tmp_path / "wrong", "posix", plan)

    assert right.failures == [], str(right)
    problems = {problem for one in wrong.failures for problem in one.problems}
    assert "not readable: record 'one' is damaged" in problems


def twice(kind: str, work: Path, die_at: int) -> SweepReport:
    """Put a key, killed at a call; put it again; cut the power at any moment."""
    argv_for = journal_argv(kind, "key")
    return power_sweep(
        prepare_journal,
        [Step(argv_for=argv_for, plan=Crash(at=die_at)), Step(argv_for=argv_for)],
        journal_after_power_cut("key"),
        work=work,
    )


@pytest.mark.parametrize("die_at", [0, 1, 2])
def test_a_right_journal_never_answers_from_a_tail_that_may_be_lost(
    tmp_path: Path, die_at: int
) -> None:
    report = twice("Right", tmp_path, die_at)

    assert report.failures == [], str(report)
    assert report.tried > 5


def test_an_answer_from_an_unsynced_tail_is_found_by_two_commands_in_a_row(tmp_path: Path) -> None:
    for die_at in range(3):
        (tmp_path / str(die_at)).mkdir()
    bad = [len(twice("Trusting", tmp_path / str(at), at).failures) for at in range(3)]

    assert bad[0] == bad[2] == 0
    assert bad[1] > 0


def test_one_command_alone_cannot_show_that(tmp_path: Path) -> None:
    report = power_sweep(
        prepare_journal,
        [Step(argv_for=journal_argv("Trusting", "key"))],
        journal_after_power_cut("key"),
        work=tmp_path,
    )

    assert report.failures == [], str(report)


def test_a_command_that_fails_without_any_fault_is_reported_as_such(tmp_path: Path) -> None:
    def check(root: Path, result: object) -> list[str]:
        return ["not as it should be"]

    report = sweep(
        prepare_records, records_argv("Right", "run"), check, work=tmp_path, faults=Crashes()
    )

    assert [one.label for one in report.failures] == ["no fault"]
    assert "1 bad of 1 tried" in str(report)


def test_after_a_power_cut_the_machine_has_booted_anew(tmp_path: Path) -> None:
    current = Path("/proc/sys/kernel/random/boot_id")
    seen: set[tuple[str, str]] = set()

    def argv_for(name: str) -> ArgvFor:
        return lambda root: ["/bin/sh", "-c", f"read id < {current}; echo $id > {root}/{name}"]

    def check(root: Path, state: PowerState) -> list[str]:
        if state.finished and (root / "second").exists():
            seen.add(((root / "first").read_text(), (root / "second").read_text()))
        return []

    power_sweep(
        lambda root: None,
        [Step(argv_for=argv_for("second"))],
        check,
        work=tmp_path,
        before=[argv_for("first")],
    )

    earlier = {first for first, _ in seen}
    assert len(earlier) == 1
    assert any(first == second != current.read_text() for first, second in seen)
