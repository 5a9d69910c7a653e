"""Workers that stay, and the options of a pass."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.background import NOTES, WAITS, run_all
from tests.fixtures.builder import OTHER_DATE
from tests.fixtures.observing import until

if TYPE_CHECKING:
    from tests.fixtures.background import Passes
    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import StoreState


def fired(cuectl: Cuectl, name: str, script: str, *options: str) -> None:
    """Make a cue and start it."""
    assert cuectl.run("create", "--name", name, *options, "--shell", script).status == 0
    assert cuectl.run("fire", name).status == 0


# --- workers ------------------------------------------------------------------------------


def test_a_worker_takes_up_what_is_made_later(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    worker = passes.run("worker", "--poll", "0.05s")
    until((cuectl.home / "last-pass").exists)
    cuectl.run("create", "--name", "soon", "--in", "0.5s", "--shell", NOTES)
    fired(cuectl, "now", NOTES)
    until((cuectl.work / "effects").exists)
    until(lambda: state.ends() == ["succeeded"] * 2)

    assert worker.end(signal.SIGTERM) == 143
    assert sorted((cuectl.work / "effects").read_text().split()) == ["now", "soon"]


def test_a_worker_that_is_busy_starts_what_becomes_due(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    fired(cuectl, "long", WAITS)
    worker = passes.run("worker", "--poll", "0.05s")
    passes.begun("long")
    fired(cuectl, "short", NOTES)
    cuectl.run("create", "--name", "soon", "--in", "0.3s", "--shell", NOTES)
    until(lambda: state.ends("short") == state.ends("soon") == ["succeeded"])

    assert state.ends("long") == ["pending"]
    (cuectl.work / "go").touch()
    until(lambda: state.ends("long") == ["succeeded"])
    assert worker.end(signal.SIGINT) == 130


def test_a_worker_wakes_when_the_next_thing_is_due(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    cuectl.run("create", "--name", "soon", "--in", "1s", "--shell", "date +%s.%N > ran")
    worker = passes.run("worker", "--poll", "1h")
    until(lambda: state.ends() == ["succeeded"])

    due = state.implied()  # the marker is gone by now; the record knows
    assert not [path for path in due if path.startswith("due/")]
    assert float((cuectl.work / "ran").read_text()) - _seconds(state.one()["scheduled_for"]) < 1.0
    assert worker.end(signal.SIGTERM) == 143


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


def test_a_worker_sees_changed_definitions(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    cuectl.home.mkdir(mode=0o700)
    cuectl.run("create", "--name", "job", "--task", "deploy")
    worker = passes.run("worker", "--poll", "0.05s")
    until((cuectl.home / "last-pass").exists)
    cuectl.run("fire", "job")
    until(lambda: state.ends() == ["pending(no_handler)"])

    cuectl.files({"project.yaml": "handlers:\n  deploy: 'echo ran'\n"})
    assert cuectl.run("apply", "project.yaml").status == 0
    until(lambda: state.ends() == ["succeeded"])
    assert worker.end(signal.SIGTERM) == 143


def test_the_file_of_a_worker_wins_for_that_worker(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    cuectl.home.mkdir(mode=0o700)
    (cuectl.home / "cue.yaml").write_text("handlers:\n  deploy: 'echo home'\n")
    cuectl.files({"w.yaml": "handlers:\n  deploy: 'echo worker $CUE_WORKER_ID'\n"})
    cuectl.run("create", "--name", "job", "--task", "deploy")
    cuectl.run("fire", "job")
    cuectl.run("worker", "--once", "--config", "w.yaml", "--worker-id", "w1")
    cuectl.run("fire", "job")
    cuectl.run("run-due")

    outputs = [state.output(one) for one in state.executions()]
    assert outputs == [b"worker w1\n", b"home\n"]
    assert state.executions()[0]["worker"] == "w1"


def test_a_worker_adopts_what_a_dead_pass_left(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    fired(cuectl, "job", WAITS + "cuectl report --success")
    passes.start("job").kill()
    worker = passes.run("worker", "--poll", "0.05s")
    until((cuectl.home / "last-pass").exists)
    (cuectl.work / "go").touch()
    until(lambda: state.ends() == ["succeeded"])

    assert worker.end(signal.SIGTERM) == 143


def test_a_worker_notices_the_end_of_an_orphan_that_tells_nobody(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    """What another pass has started is nobody's child any more, and wakes nobody."""
    fired(cuectl, "job", WAITS + 'echo \'{"success": true}\' > "$CUE_OUTCOME_FILE"')
    passes.start("job").kill()
    worker = passes.run("worker")
    until((cuectl.home / "last-pass").exists)
    # It listens: what has just become due runs.
    fired(cuectl, "other", "true")
    until(lambda: state.ends("other"))
    (cuectl.work / "go").touch()
    until(lambda: state.ends("job") == ["succeeded"])

    assert worker.end(signal.SIGTERM) == 143


# --- limits on parallel work ----------------------------------------------------------------


def settings(cuectl: Cuectl, **values: object) -> None:
    cuectl.home.mkdir(mode=0o700, exist_ok=True)
    (cuectl.home / "cue.yaml").write_text(json.dumps({"settings": values}))


# Keeps the number of those that run at once, and the most there ever were.
COUNTS = (
    "mkdir -p now; touch now/$$; ls now | wc -l >> counts;"
    " sleep 0.15; ls now | wc -l >> counts; rm now/$$"
)


def most(cuectl: Cuectl) -> int:
    return max(int(word) for word in (cuectl.work / "counts").read_text().split())


def test_the_limit_holds_over_two_passes(cuectl: Cuectl, passes: Passes, state: StoreState) -> None:
    settings(cuectl, max_parallel=2)
    for number in range(10):
        fired(cuectl, f"job{number}", COUNTS)
    both = [passes.run("run-due") for _ in range(2)]

    assert [one.end() for one in both] == [0, 0]
    assert state.ends() == ["succeeded"] * 10
    assert most(cuectl) <= 2


def test_a_pass_may_take_less_than_the_limit(cuectl: Cuectl, state: StoreState) -> None:
    for number in range(5):
        fired(cuectl, f"job{number}", COUNTS)
    assert cuectl.run("run-due", "--max-parallel", "1").status == 0

    assert state.ends() == ["succeeded"] * 5
    assert most(cuectl) == 1


def test_a_pass_may_not_take_more_than_the_limit(cuectl: Cuectl, state: StoreState) -> None:
    settings(cuectl, max_parallel=1)
    for number in range(4):
        fired(cuectl, f"job{number}", COUNTS)
    assert cuectl.run("run-due", "--max-parallel", "50").status == 0

    assert state.ends() == ["succeeded"] * 4
    assert most(cuectl) == 1


def test_more_than_can_be_claimed_ahead_are_all_run(cuectl: Cuectl, state: StoreState) -> None:
    fired(cuectl, "first", "true")
    cuectl.run("create", "--name", "job", "--overlap", "allow", "--shell", NOTES)
    run_all(cuectl, [["fire", "job"]] * 80)
    assert cuectl.run("run-due", "--max-parallel", "4").status == 0

    assert state.ends("job") == ["succeeded"] * 80


# --- other options --------------------------------------------------------------------------


def test_max_time_stops_new_starts_and_waits_for_the_rest(
    cuectl: Cuectl, state: StoreState
) -> None:
    for name in ("a", "b", "c"):
        fired(cuectl, name, "sleep 1; " + NOTES)
    words = ("--max-parallel", "1", "--max-time", "0.5s")
    began = time.monotonic()
    assert cuectl.run("run-due", *words).status == 0

    assert time.monotonic() - began >= 1
    assert [one["status"] for one in state.executions()] == ["succeeded", "pending", "pending"]
    assert cuectl.run("run-due").status == 0
    assert state.ends() == ["succeeded"] * 3


def test_only_looks_at_the_cues_that_were_named(cuectl: Cuectl, state: StoreState) -> None:
    for name in ("a", "b", "c"):
        fired(cuectl, name, NOTES)
    assert cuectl.run("run-due", "--only", "a", "--only", "c").status == 0

    assert sorted((cuectl.work / "effects").read_text().split()) == ["a", "c"]
    assert not (cuectl.home / "next").exists()
    assert cuectl.run("run-due", "--only", "nobody").status == 5


def test_a_dry_run_changes_nothing(cuectl: Cuectl, state: StoreState) -> None:
    cuectl.at("2026-11-21T00:30:00Z")
    cuectl.run("create", "--name", "job", "--cron", "0 * * * *", "--shell", NOTES)
    cuectl.at("2026-11-21T04:10:00Z")
    before = _files(cuectl)

    rows = cuectl.json("run-due", "--dry-run")

    assert [(row["decision"], row["count"]) for row in rows] == [
        ("skipped(coalesced)", 3),
        ("start", 1),
    ]
    assert _files(cuectl) == before
    assert state.executions() == []
    assert cuectl.run("run-due").status == 0
    assert cuectl.json("run-due", "--dry-run") == []


def _files(cuectl: Cuectl) -> dict[str, bytes]:
    found = (path for path in cuectl.home.rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in found}


@pytest.mark.parametrize(("script", "status"), [("true", 0), ("false", 3)])
def test_the_exit_status_tells_of_failures_where_asked(
    cuectl: Cuectl, state: StoreState, script: str, status: int
) -> None:
    fired(cuectl, "job", script)
    assert cuectl.run("run-due", "--exit-code").status == status
    fired(cuectl, "again", script)
    assert cuectl.run("run-due").status == 0


def test_a_detached_pass_goes_on_by_itself(
    cuectl: Cuectl, passes: Passes, state: StoreState
) -> None:
    fired(cuectl, "job", WAITS)
    done = subprocess.run(
        [str(cuectl.programs / "cuectl"), "run-due", "--detach"],
        cwd=cuectl.work,
        env=cuectl.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0
    assert len(state.of_type("execution.claimed")) == 1
    passes.begun("job")
    (cuectl.work / "go").touch()
    until(lambda: state.ends() == ["succeeded"])
    until(lambda: not list((cuectl.home / "passes").iterdir()))


def test_a_detached_pass_that_cannot_work_says_so(cuectl: Cuectl, state: StoreState) -> None:
    fired(cuectl, "job", "true")
    (cuectl.home / "FORMAT").write_text("99\n")
    answer = cuectl.run("run-due", "--detach")
    (cuectl.home / "FORMAT").write_text("1\n")

    assert answer.status != 0
    assert "has format 99" in answer.stderr


def test_a_pass_without_a_terminal_is_silent(cuectl: Cuectl, state: StoreState) -> None:
    fired(cuectl, "job", "echo output")
    answer = cuectl.run("run-due")
    assert (answer.stdout, answer.stderr, answer.status) == ("", "", 0)


def test_a_pass_in_cron_s_bare_surroundings(cuectl: Cuectl, state: StoreState) -> None:
    fired(cuectl, "job", "cuectl report --success --external-id x && pwd")
    done = subprocess.run(
        [str(cuectl.programs / "cuectl"), "run-due"],
        cwd="/",
        env={**OTHER_DATE, "HOME": str(cuectl.user), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=False,
    )

    assert (done.stdout, done.stderr, done.returncode) == (b"", b"", 0)
    # `cuectl` is found though PATH lacks it, and the directory is that of the cue.
    assert state.one()["external_id"] == "x"
    assert state.output(state.one()).decode().strip() == str(cuectl.work)


def test_a_pass_in_a_directory_that_is_gone(cuectl: Cuectl, state: StoreState) -> None:
    fired(cuectl, "job", "true")
    gone = cuectl.work / "gone"
    gone.mkdir()
    script = f'cd {gone} && rmdir {gone} && exec "{cuectl.programs}/cuectl" run-due'
    done = subprocess.run(["sh", "-c", script], env=cuectl.environment, check=False)

    assert done.returncode == 0
    assert state.ends() == ["succeeded"]


def test_a_low_limit_on_descriptors_is_enough(cuectl: Cuectl, state: StoreState) -> None:
    for number in range(6):
        fired(cuectl, f"job{number}", "echo $$")
    script = f'ulimit -n 20 && exec "{cuectl.programs}/cuectl" run-due'
    done = subprocess.run(["sh", "-c", script], env=cuectl.environment, check=False)

    assert done.returncode == 0
    assert state.ends() == ["succeeded"] * 6
    assert os.path.exists(cuectl.home / "next")
