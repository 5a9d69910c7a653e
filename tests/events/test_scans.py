"""Polls in processes of their own: no source keeps another waiting."""

from __future__ import annotations

import os
import select
import signal
from typing import TYPE_CHECKING, Any

from cuectl.events.rules.event import Happening, Seen
from cuectl.events.sources import scans
from cuectl.events.sources.polls import Polled
from cuectl.events.sources.registry import POLLED, PolledSource, find_nothing
from cuectl.events.sources.state import SourceState
from cuectl.store import source_memory
from tests.events.test_sources import define, prompts, settle, tick
from tests.fixtures.observing import processes_with, until

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from cuectl.process.runtime import Runtime
    from tests.fixtures.background import Passes
    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import StoreState

GH = """#!/bin/sh
case "$*" in *slow/slow*) touch $HOME/asked; while [ ! -e $HOME/go ]; do sleep 0.05; done;; esac
cat $HOME/pulls
"""
PULLS = "event: github.pull_request, poll_minutes: 1, prompt: '{{CUE_GH_REPO}}'"
KNOWN = SourceState(id="cue_a", event="file.changed", cue={"name": "a"}, source=None, listens=True)


def test_a_source_that_is_slow_keeps_no_other_waiting(
    cuectl: Cuectl, state: StoreState, passes: Passes
) -> None:
    programs = cuectl.user / "bin"
    programs.mkdir()
    (programs / "gh").write_text(GH)
    (programs / "gh").chmod(0o755)
    cuectl.environment["PATH"] = f"{programs}:{cuectl.environment['PATH']}"
    (cuectl.user / "pulls").write_text("[]")
    (cuectl.user / "go").touch()
    one, two = f"name: slow, repo: slow/slow, {PULLS}", f"name: quick, repo: quick/quick, {PULLS}"
    define(cuectl, one, two, "name: files, event: file.changed, watch: '*.ts', prompt: file")
    tick(cuectl, "2026-11-21T02:00:00Z")
    (cuectl.user / "go").unlink()
    (cuectl.user / "asked").unlink()
    (cuectl.user / "pulls").write_text('[{"number": 1, "url": "u", "updatedAt": "2026-11-21"}]')
    (cuectl.work / "a.ts").touch()
    settle(cuectl.work / "a.ts")
    cuectl.at("2026-11-21T02:01:00Z")
    running = passes.run("run-due")
    until(lambda: (cuectl.user / "asked").exists(), "the slow one is asked")
    until(lambda: prompts(state) == ["file", "quick/quick"], "the others are told, and have run")
    assert running.process.poll() is None
    (cuectl.user / "go").touch()
    assert running.end() == 0
    assert prompts(state) == ["file", "quick/quick", "slow/slow"]


def test_a_pass_that_is_stopped_leaves_no_poll_behind(cuectl: Cuectl, passes: Passes) -> None:
    programs = cuectl.user / "bin"
    programs.mkdir()
    (programs / "gh").write_text(GH)
    (programs / "gh").chmod(0o755)
    cuectl.environment["PATH"] = f"{programs}:{cuectl.environment['PATH']}"
    define(cuectl, f"name: slow, repo: slow/slow, {PULLS}")
    running = passes.run("run-due")
    until(lambda: (cuectl.user / "asked").exists(), "it is asked")
    assert running.end(signal.SIGTERM) == 143
    until(lambda: processes_with(str(cuectl.home)) == [], "all are gone")


def start(runtime: Runtime, look: Callable[[], Any]) -> scans.Scan:
    """Begin a poll that does as it is told."""
    found = scans.start(KNOWN, runtime.home, 0, look)
    assert found is not None
    return found


def finished(scan: scans.Scan) -> Polled:
    """Return the result once its process has ended."""
    while not scan.is_over:
        assert select.select([scan.fd], [], [], 60)[0]
        scan.read()
    return scan.result()


def test_what_a_poll_has_found_comes_back_whole(runtime: Runtime) -> None:
    told = (Happening(data={"path": "a\udcff", "n": [1]}, subject="a\udcff"), Happening(data={}))
    seen = Seen(happenings=told, problem="p", rests_in_s=1.5, more=True, places=1, waiting=("x",))
    named = {"generation": 3}
    whole: dict[str, Any] = {"named": named, "error": "e", "too_often": True, "root": "/r"}
    scan = start(runtime, lambda: Polled(known=KNOWN, seen=seen, **whole))
    done = finished(scan)
    assert done == Polled(known=KNOWN, lock=scan.lock, seen=seen, **whole)
    assert source_memory.hold(runtime.home, KNOWN.id) is None
    source_memory.release(done.lock)
    assert source_memory.hold(runtime.home, KNOWN.id) is not None


def test_a_poll_that_dies_or_never_returns_is_an_error_of_its_source(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = start(runtime, lambda: os.kill(os.getpid(), signal.SIGKILL))
    assert finished(scan).error == "the process that looked at it has died"
    source_memory.release(scan.lock)

    monkeypatch.setitem(POLLED, KNOWN.event, PolledSource(module="file_changed", limit_s=-5.0))
    stuck = start(runtime, lambda: select.select([], [], []))
    assert stuck.is_late()
    done = stuck.result()
    assert done.error == "looking at it takes too long: the system does not answer"
    assert os.waitstatus_to_exitcode(os.waitpid(stuck.pid, 0)[1]) == -signal.SIGKILL


def test_a_quick_look_that_is_stuck_leaves_the_next_one_to_a_full_pass(cuectl: Cuectl) -> None:
    define(cuectl, "name: files, event: file.changed, watch: '*.ts', prompt: x")
    tick(cuectl, "2026-11-21T02:00:00Z")
    home = str(cuectl.home)
    assert find_nothing(home)
    lock = source_memory.hold(home, "quick")
    assert lock is not None
    assert not find_nothing(home)
    os.close(lock)
    assert find_nothing(home)
