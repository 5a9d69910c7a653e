"""Random damage to any file of a home: nothing ends in silence, and nothing damaged is obeyed."""

from __future__ import annotations

import os
import random
import shutil
from itertools import count
from typing import TYPE_CHECKING

import pytest

from cuectl.passes.reactions import REACTIONS
from cuectl.process.runtime import Runtime
from cuectl.store.repair.fsck import check
from cuectl.store.store import Store
from cuectl.values.errors import CuectlError, StateError
from tests.conftest import ManualClock
from tests.fixtures.passing import a_cue, fired, pass_over, types

if TYPE_CHECKING:
    from pathlib import Path

SEED = 20_261_121
TRIES, SAMPLE, PART = 1_000, 40, 125
SHAPES = [b"", b"{}\n", b"[]\n", b"null\n", b'{"id":"x"}\n', b"\x00" * 64, b'"text"\n']
# Without these no change can be recorded, or the user's own words are changed.
MAY_STOP = ("journal/", "FORMAT", "cue.yaml", "lock")
HOUR = "498675"
DUE = {"once", "hourly", "every", "task", "again"}


def runtime_for(home: Path, at: str) -> Runtime:
    """Return what a process has in a copy of a home."""
    numbers = count(1)
    return Runtime(
        home=str(home),
        environment={"TZ": "UTC", "PATH": "/usr/bin:/bin"},
        clock=ManualClock(at),
        random=lambda size: next(numbers).to_bytes(size, "big"),
        reactions=lambda: REACTIONS,
    )


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which five things are due an hour after it was left, and others are not."""
    home = tmp_path_factory.mktemp("damage") / "template"
    runtime = runtime_for(home, "2026-11-21T02:00:30Z")
    home.mkdir(mode=0o700)
    (home / "cue.yaml").write_text(
        "handlers: {tidy: {cmd: 'echo task >> ../ran'}}\n"
        "subscriptions: [{name: sub, event: a.b, command: ['true']}]\n"
    )
    os.utime(home / "cue.yaml", (1_700_000_000, 1_700_000_000))
    a_cue(runtime, "once", at="2026-11-21T03:00:00Z", shell="echo once >> ran", cwd=None)
    a_cue(runtime, "hourly", cron="0 * * * *", shell="echo hourly >> ran", cwd=None)
    a_cue(runtime, "every", every_s=3600.0, shell="echo every >> ran", cwd=None)
    a_cue(runtime, "task", at="2026-11-21T03:00:00Z", task="tidy", cwd=None)
    words = "test $CUE_ATTEMPT = 2 && echo again >> ran"
    a_cue(
        runtime, "again", shell=words, policy={"max_attempts": 2, "backoff_s": [3600.0]}, cwd=None
    )
    a_cue(runtime, "later", at="2026-12-24T03:00:00Z", shell="echo later >> ran", cwd=None)
    a_cue(runtime, "by-hand", cwd=None)
    fired(runtime, "again")
    fired(runtime, "by-hand")
    pass_over(runtime)
    (home.parent / "ran").unlink(missing_ok=True)
    return home


def damage(home: Path, chance: random.Random) -> str:
    """Do something to one file; return what, and to which."""
    paths = sorted(path for path in home.rglob("*") if path.is_file())
    path = chance.choice(paths)
    raw = path.read_bytes()
    how = chance.choice(["flip", "cut", "remove", "swap", "shape", "folder"])
    if how == "flip" and raw:
        place = chance.randrange(len(raw))
        path.write_bytes(
            raw[:place] + bytes([raw[place] ^ 1 << chance.randrange(8)]) + raw[place + 1 :]
        )
    elif how == "cut" and raw:
        path.write_bytes(raw[: chance.randrange(len(raw))])
    elif how == "swap":
        other = chance.choice(paths)
        path.write_bytes(other.read_bytes())
        other.write_bytes(raw)
        return f"{how} {path.relative_to(home)} {other.relative_to(home)}"
    elif how == "shape":
        path.write_bytes(chance.choice(SHAPES))
    elif how == "folder" and path.relative_to(home).parts[0] not in ("journal", "runs"):
        shutil.rmtree(path.parent) if path.parent != home else path.unlink()
        path = path.parent if path.parent != home else path
    else:
        path.unlink()
    return f"{how} {path.relative_to(home)}"


def told_or_done(home: Path, what: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Run the next pass; return what is wrong with what it did, empty for nothing."""
    runtime = runtime_for(home, "2026-11-21T03:00:31Z")
    may_stop = any(place in f" {what}" for place in (f" {one}" for one in MAY_STOP))
    try:
        result = pass_over(runtime)
    except CuectlError as error:
        return "" if may_stop and error.message else f"the pass stopped: {error.message}"
    said = capsys.readouterr().err
    ran = (home.parent / "ran").read_text().split() if (home.parent / "ran").exists() else []
    if set(ran) - DUE or len(ran) != len(set(ran)):
        return f"it ran {ran}"
    # Without the user's own file a task waits for its handler.
    waits = {"task"} if "cue.yaml" in what else set()
    if not DUE - waits <= set(ran) and not (may_stop and (result.problems or said)):
        return f"only {ran} ran; it said: {said or result.problems}"
    try:
        report = check(Store(str(home)))
    except StateError as error:
        return "" if may_stop else f"fsck: {error.message}"
    # A damaged file that no pass reads is for `fsck` to find; what was missing is there again.
    errors = [one for one in report.findings if one.level == "error"]
    # A marker is a name; what stands in one does no harm.
    errors = [one for one in errors if one.message != "it should be empty"]
    # The agenda is looked at hour by hour.
    later = [one for one in errors if one.subject.startswith("due/") and one.subject[4:10] > HOUR]
    left = [one for one in errors if one.kind == "missing" or one.subject not in what]
    left = [one for one in left if one not in later]
    return "" if may_stop or not left else f"not mended: {left}"


def tries(
    numbers: range, template: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> list[str]:
    """Return what went wrong after each damage with one of these numbers."""
    wrong = []
    for number in numbers:
        place = folder / str(number)
        shutil.copytree(template, place / "cue", symlinks=True)
        what = damage(place / "cue", random.Random(SEED + number))
        problem = told_or_done(place / "cue", what, capsys)
        wrong += [f"{number}: {what}: {problem}"] if problem else []
        shutil.rmtree(place)
    return wrong


def test_a_sample_of_damage(
    template: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not "\n".join(tries(range(SAMPLE), template, tmp_path, capsys))


@pytest.mark.sweep
@pytest.mark.timeout(3_000)
@pytest.mark.parametrize("start", range(0, TRIES, PART))
def test_every_damage(
    template: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], start: int
) -> None:
    numbers = range(start, start + PART)
    assert not "\n".join(tries(numbers, template, tmp_path, capsys))


def test_the_template_is_whole(
    template: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without damage all of it runs, and nothing is mended; else the tries would say little."""
    shutil.copytree(template, tmp_path / "cue")
    assert told_or_done(tmp_path / "cue", "nothing", capsys) == ""
    runtime = runtime_for(tmp_path / "cue", "2026-11-21T03:00:40Z")
    assert not {"view.mended", "view.quarantined"} & set(types(runtime))


def test_a_marker_that_is_gone_is_found_when_its_hour_comes(template: Path, tmp_path: Path) -> None:
    shutil.copytree(template, tmp_path / "cue")
    shutil.rmtree(tmp_path / "cue" / "due")
    for at in ("2026-11-21T02:30:00Z", "2026-12-24T03:00:20Z"):
        pass_over(runtime_for(tmp_path / "cue", at))
    assert set((tmp_path / "ran").read_text().split()) == {*DUE, "later"}
    assert types(runtime_for(tmp_path / "cue", "2026-12-24T03:00:20Z")).count("view.mended") == 1
