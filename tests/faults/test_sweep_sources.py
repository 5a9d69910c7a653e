"""SIGKILL at every state-changing call of a pass that polls: what is new is told once, and is."""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from . import store_rules as rules
from .leftovers import await_quiet
from .points import Crashes
from .runs import unavailable
from .sampling import sample
from .scene import Scene, directories
from .sweeps import Points, sweep

if TYPE_CHECKING:
    from pathlib import Path

    from .runs import Result
    from .scene import Record

REASON = unavailable()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))

_LONG_AGO_S = 1_700_000_000
_AGENT = r"""{driver: command, max_concurrent: 8, cwd: %s, cmd: [sh, -c,
    'echo "ran $CUE_IDEMPOTENCY_KEY $CUE_ATTEMPT" >> "$EFFECTS"; cat']}"""
_SUBSCRIPTIONS = """
subscriptions:
  - {name: files, event: file.changed, watch: "*.ts", agent: any, prompt: x}
  - {name: tasks, event: task.pending, watch: "*.md", agent: any, prompt: x}
  - {name: pulls, event: github.pull_request, repo: a/b, agent: any, prompt: x}
  - {name: slot, event: time.scheduled, schedule_times: ["02:00"], agent: any, prompt: x}
  - {name: beat, event: time.heartbeat, interval_minutes: 3, agent: any, prompt: x}
"""
EXPECTED = Counter({"files": 2, "tasks": 1, "pulls": 1, "slot": 1, "beat": 3})


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    os.utime(path, (_LONG_AGO_S, _LONG_AGO_S))


def something_new(scene: Scene) -> None:
    """Let a pass look at everything for the first time, and then let something happen."""
    directories(scene)
    work, programs = scene.root / "work", scene.root / "programs"
    programs.mkdir()
    (programs / "gh").write_text(f"#!/bin/sh\ncat {scene.root}/pulls.json\n")
    (programs / "gh").chmod(0o755)
    scene.more = {"PATH": f"{programs}:{scene.programs}:/usr/bin:/bin"}
    _write(scene.root / "pulls.json", "[]")
    _write(work / "TODO.md", "- [ ] one\n")
    scene.must("01:54:00", "create", "--name", "bystander", "--cron", "0 9 * * *", "--", "true")
    _write(scene.home / "cue.yaml", f"agents:\n  any: {_AGENT % work}\n{_SUBSCRIPTIONS}")
    scene.must("01:55:00", "run-due")
    for name in ("a.ts", "b.ts"):
        _write(work / name, "new")
    _write(work / "TODO.md", "- [ ] one\n- [ ] two\n")
    pull = {"number": 1, "url": "https://github.com/a/b/pull/1", "updatedAt": "2026-11-21"}
    _write(scene.root / "pulls.json", json.dumps([pull]))


def told_once(scene: Scene, lost: set[str]) -> list[str]:
    """Each thing that has happened is one event and one run."""

    def may_be_lost(record: Record) -> bool:
        return f"{record['id']}.{record['attempt']}" in lost

    problems = rules.ended(scene, {"tasks", "pulls", "slot"}, may_be_lost)
    counts = Counter(one["cue_name"] for one in scene.executions())
    recorded = [line for line in scene.lines() if line["type"] == "event.recorded"]
    events = [line["detail"]["cloudevent"] for line in recorded]
    told = Counter(one["cueonly"] for one in events if "cueonly" in one)
    if told != EXPECTED or counts != EXPECTED:
        problems.append(f"events: {dict(told)}, executions: {dict(counts)}")
    names = {one["data"].get("filename") for one in events if one.get("cueonly") == "files"}
    return problems + [f"not each file once: {names}"] * (names != {"a.ts", "b.ts"})


@pytest.mark.parametrize("tree", [False, True], ids=["alone", "tree"])
@sample(6)
def test_a_killed_pass_loses_no_news_and_tells_none_twice(
    scene: Scene, points: Points, tree: bool
) -> None:
    def check(_: Path, result: Result) -> list[str]:
        problems = [] if await_quiet(scene.root) else ["agents do not end"]
        # An agent leaves no outcome behind, so nobody knows of an end that nobody saw.
        log = scene.spawn_log()
        unseen = {key for key, letters in log.items() if "X" not in letters}
        lost = unseen if result.hit is not None else set()
        problems += rules.look(scene).problems + rules.heal(scene) + rules.sound(scene)
        return problems + told_once(scene, lost)

    report = sweep(
        lambda _: something_new(scene),
        lambda root: scene.argv("run-due")(root),
        check,
        work=scene.root.parent,
        faults=Crashes(trees=(tree,)),
        points=points,
        env=_environment(scene),
    )

    assert report.failures == [], str(report)
    assert report.reached >= report.tried // 2


def _environment(scene: Scene) -> dict[str, str]:
    path = f"{scene.root}/programs:{scene.programs}:/usr/bin:/bin"
    return scene.at("02:01:00") | {"PATH": path}
