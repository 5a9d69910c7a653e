"""Checks of what no test can bring about on the machine that it runs on."""

from __future__ import annotations

import fcntl
import os
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from cuectl.installation.checks import CHECKS, examine, home, passes
from cuectl.installation.checks import home as home_checks
from cuectl.installation.checks.passes import first_word
from cuectl.installation.checks.patient import Patient
from cuectl.installation.open_work import OpenWork, RunningWork
from cuectl.process.runtime import Clock, Runtime
from cuectl.store import home as home_directory
from cuectl.values.times import from_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cuectl.values.errors import Finding


def codes(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    return [(one.level.value, one.code) for one in findings]


@pytest.mark.parametrize(
    ("kind", "level"), [("nfs4", "problem"), ("tmpfs", "warning"), ("ext4", "ok"), ("", "ok")]
)
def test_file_systems_that_lose_records_are_told(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, kind: str, level: str
) -> None:
    monkeypatch.setattr(home_directory, "file_system", lambda _: kind)
    found = codes(home_checks.file_system(Patient(runtime=runtime)))
    assert found == [(level, "file_system"), ("ok", "flock")]


def test_locks_that_keep_nobody_out_are_found(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    found = codes(home_checks.file_system(Patient(runtime=runtime)))
    assert ("problem", "flock") in found
    assert not [name for name in os.listdir(runtime.home) if name.startswith("doctor")]


@pytest.mark.parametrize(
    ("free", "files", "level"),
    [(1 << 30, 1_000_000, "ok"), (1 << 20, 1_000_000, "problem"), (1 << 30, 5, "problem")],
)
def test_a_full_disk_is_told(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, free: int, files: int, level: str
) -> None:
    disk = SimpleNamespace(f_bavail=free, f_frsize=1, f_files=2_000_000, f_favail=files)
    monkeypatch.setattr(os, "statvfs", lambda _: disk)
    assert [level for level, _ in codes(home_checks.room(Patient(runtime=runtime)))] == [level]


class Standing(Clock):
    def __init__(self, at: str) -> None:
        super().__init__()
        self.at = at

    def now(self) -> int:
        return from_text(self.at)


@pytest.mark.parametrize(
    ("at", "code"),
    [
        ("1970-01-01T00:03:00Z", "clock_wrong"),
        ("2026-11-21T02:00:00Z", "clock_back"),
        ("2026-11-21T03:00:00Z", "clock"),
    ],
)
def test_a_clock_that_cannot_be_right_is_told(runtime: Runtime, at: str, code: str) -> None:
    path = f"{runtime.home}/last-pass"
    with open(path, "wb"):
        seen = from_text("2026-11-21T02:30:00Z") // 1000
        os.utime(path, (seen, seen))
    moved = Runtime(home=runtime.home, environment={}, clock=Standing(at=at))
    assert [found for _, found in codes(passes.clock(Patient(runtime=moved)))] == [code]


def test_work_that_runs_for_too_long_is_told(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = RunningWork(id="exec_x", cue_name="slow", started_at=0)
    monkeypatch.setattr(home, "open_work", lambda *_: OpenWork(running=[one]))
    monkeypatch.setattr(home, "execution_from_record", lambda _: None)
    monkeypatch.setattr(home, "limit_s", lambda *_: 3600.0)
    patient = Patient(runtime=runtime)
    monkeypatch.setattr(type(patient.reader), "read", lambda *_: {})
    assert codes(home.stuck(patient)) == [("problem", "stuck")]


def test_a_check_that_cannot_look_is_a_problem_and_hides_no_other(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: str) -> str:
        raise OSError(5, "input/output error", "/proc/self/mountinfo")

    monkeypatch.setattr(home_directory, "file_system", fails)
    found = codes(examine(runtime))
    assert [code for _, code in found].count("not_checked") == 1
    assert ("ok", "journal") in found


def test_every_check_has_a_name_of_its_own() -> None:
    names = [check.__name__ for check in CHECKS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ("python3 audit.py", "python3"),
        ("A=1 B='x y' ./run.sh | sort", "./run.sh"),
        ("cd /tmp && make", None),
        ("$TOOL --all", None),
        ("'unclosed", None),
        ("# nothing", None),
        ("(sleep 1; echo x)", None),
        ("{{ payload.tool }} x", None),
    ],
)
def test_the_program_of_a_command_line_is_its_first_plain_word(
    command: str, word: str | None
) -> None:
    assert first_word(command) == word
