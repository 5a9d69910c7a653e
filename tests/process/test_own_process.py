from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from cuectl.process.runtime import Clock, clock_from, own_command, start_detached
from cuectl.values.times import from_text
from tests.fixtures.observing import until

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from cuectl.process.runtime import Runtime
    from tests.fixtures.builder import Cuectl


def test_the_installed_script_starts_itself_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "cuectl"
    script.touch()
    monkeypatch.setattr("sys.argv", [str(script), "run-due"])
    assert own_command() == [sys.executable, str(script)]


def test_without_a_script_the_package_that_is_imported_starts_again(tmp_path: Path) -> None:
    (tmp_path / "cuectl.py").write_text("raise SystemExit('the wrong one')")
    answer = subprocess.run(
        [*own_command(), "--version"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert answer.stdout.startswith("cuectl ")


def test_a_detached_process_belongs_to_nobody_and_is_connected_to_nothing(
    tmp_path: Path, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "cuectl"
    script.write_text(
        "import json, os, sys\n"
        "links = [os.readlink(f'/proc/self/fd/{fd}') for fd in (0, 1, 2)]\n"
        "more = [fd for fd in os.listdir('/proc/self/fd') if int(fd) > 3]\n"
        "found = [sys.argv[1:], links, more, os.getsid(0), os.environ['CUECTL_HOME'],\n"
        "         os.environ['CUECTL_NOW']]\n"
        f"open({str(tmp_path / 'part')!r}, 'w').write(json.dumps(found))\n"
        f"os.rename({str(tmp_path / 'part')!r}, {str(tmp_path / 'got')!r})\n"
    )
    monkeypatch.setattr("sys.argv", [str(script)])
    left_open = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(left_open, True)
    before = _children()
    start_detached(replace(runtime, environment={"PATH": os.environ["PATH"]}), ["a b", "$(c)"])
    os.close(left_open)
    assert _children() <= before
    arguments, links, more, session, home, now = json.loads(_await(tmp_path / "got"))
    assert arguments == ["a b", "$(c)"]
    assert links == ["/dev/null"] * 3
    assert more == []
    assert session != os.getsid(0)
    assert home == runtime.home
    assert now == "2026-11-21T02:00:00Z"


def test_one_delivery_is_started_and_no_second_one_while_it_runs(
    cuectl: Cuectl, runtime: Runtime
) -> None:
    from cuectl.alerts.delivery import LOCK_NAME, start_delivery
    from cuectl.store import home as lock

    held = lock.acquire(f"{runtime.home}/{LOCK_NAME}", 0)
    try:
        assert not start_delivery(runtime)
    finally:
        os.close(held)
    assert start_delivery(replace(runtime, environment=cuectl.environment))


def _children() -> set[int]:
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return {int(word) for word in file.read().split()}


def _await(path: Path) -> str:
    until(path.exists, f"{path} has come")
    return path.read_text()


def test_what_a_process_starts_sees_the_time_of_that_process_however_late_it_looks() -> None:
    ours = Clock(from_text("2026-11-21T02:00:00Z"))
    begun = ours.now()
    theirs = clock_from(ours.environment())
    until(lambda: ours.now() > begun + 1)

    before, seen, after = ours.now(), theirs.now(), ours.now()
    assert before <= seen <= after
    # And so does what that starts,
    assert before <= clock_from(theirs.environment()).now() <= ours.now()
    # or what one starts for which time stands still.
    standing = clock_from({"CUECTL_NOW": "2026-11-21T02:00:00Z!"})
    begun = standing.now()
    started = clock_from(standing.environment())
    until(lambda: started.now() > begun)
    assert standing.now() == begun == from_text("2026-11-21T02:00:00Z")
