"""Two workers, and kills of everything at random: what was due has run once, and is on record."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from tests.fixtures.fleet import Fleet, children
from tests.fixtures.observing import LIMIT_S, until
from tests.fixtures.rabbit import RabbitServer, needs_rabbit
from tests.fixtures.redis import RedisServer, needs_redis

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = needs_redis
WORK = "handlers:\n  work: {cmd: ./work.sh, timeout: 10m}\n"
HANDLER = """\
#!/bin/sh
echo "start $CUE_EXECUTION_ID" >> "$EFFECTS"
sleep 0.1
printf '{"success": true}' > "$CUE_OUTCOME_FILE"
"""
CONTROL = """\
executors:
  farm: {{type: celery, url: "{url}"{more}}}
handlers:
  work: {{executor: farm}}
cues:
"""


class Chaos:
    """A control machine, two workers and a Redis, of which anything may die at any time."""

    def __init__(self, folder: Path, tasks: int, seed: int, broker: str = "") -> None:
        self.random = Random(seed)
        self.server = RedisServer(folder / "redis").start()
        self.effects = folder / "effects"
        self.workers = [self._worker(folder / name, name) for name in ("one", "two")]
        self.home = folder / "cue"
        self.environment = self.workers[0].environment | {"CUECTL_HOME": str(self.home)}
        self.passes: list[subprocess.Popen[bytes]] = []
        self.killed: Counter[str] = Counter()
        # Enough for a busy machine to take the definitions over.
        self.due = datetime.now(UTC) + timedelta(seconds=5 + tasks / 10)
        at = self.due.strftime("%Y-%m-%dT%H:%M:%SZ")
        cues = "".join(f"  c{n:03}: {{at: '{at}', task: work}}\n" for n in range(tasks))
        more = f', broker: "{broker}"' if broker else ""
        (folder / "fleet.yaml").write_text(CONTROL.format(url=self.server.url, more=more) + cues)
        self.run("apply", str(folder / "fleet.yaml"))

    def _worker(self, folder: Path, host: str) -> Fleet:
        folder.mkdir()
        made = Fleet(folder, self.server, WORK, host)
        made.environment["EFFECTS"] = str(self.effects)
        (folder / "work.sh").write_text(HANDLER)
        (folder / "work.sh").chmod(0o755)
        return made

    def run(self, *words: str) -> Any:
        """Run a command of the control machine."""
        done = subprocess.run(
            ["cuectl", *words, "--json"],
            env=self.environment,
            executable=str(self.workers[0].folder / "cuectl"),
            capture_output=True,
            check=False,
            timeout=LIMIT_S,
        )
        assert done.returncode == 0, (words, done)
        return json.loads(done.stdout or "null")

    def begin_pass(self) -> None:
        """Start a pass, and let go of those that have ended."""
        self.passes = [one for one in self.passes if one.poll() is None]
        self.passes.append(
            subprocess.Popen(
                [str(self.workers[0].folder / "cuectl"), "run-due"],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )

    def kill_one(self) -> None:
        """Kill something, and start it again where nothing else does."""
        what = self.random.choice(
            ["pass", "pass", "pass", "pool", "pool", "celery", "all", "redis"]
        )
        self.killed[what] += 1
        worker = self.random.choice(self.workers)
        self.begin_pass()
        time.sleep(self.random.random())
        with suppress(ProcessLookupError):
            match what:
                case "pass":
                    self.passes[-1].kill()
                case "pool":
                    # None is there while Celery waits to be started again.
                    for pid in [two for one in children(worker.janitor) for two in children(one)]:
                        os.kill(pid, signal.SIGKILL)
                case "celery":
                    for pid in children(worker.janitor):
                        os.kill(pid, signal.SIGKILL)
                case "all":
                    worker.kill_all()
                    worker.start()
                case "redis":
                    self.server.kill()
                    self.begin_pass()
                    self.server.start()
                    for one in self.workers:
                        one.cells.close()  # the connection of the test

    def runs(self) -> list[dict[str, Any]]:
        """Return the record of every execution."""
        found: list[dict[str, Any]] = self.run("executions", "list", "--limit", "1000")
        return found

    def all_end_once(self, tasks: int) -> None:
        """Make passes until all has ended, then compare it with what handlers have done."""
        # A Celery that is killed again and again is started again after a minute at most.
        deadline = time.monotonic() + 3 * LIMIT_S
        while True:
            self.begin_pass()
            self.passes[-1].wait(LIMIT_S)
            runs = self.runs()
            if len(runs) == tasks and all(one["ended_at"] for one in runs):
                break
            assert time.monotonic() < deadline, Counter(one["status"] for one in runs)
        print(dict(self.killed), Counter(one["status"] for one in runs))
        effects = Counter(line.split()[1] for line in self.effects.read_text().splitlines())
        assert effects == {one["id"]: 1 for one in runs}
        assert {one["status"] for one in runs} == {"succeeded"}, runs

    def close(self) -> None:
        """End all of it."""
        for one in self.passes:
            one.kill()
            one.wait()
        for worker in self.workers:
            worker.stop()
        self.server.stop()


@pytest.fixture
def chaos(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Chaos]:
    tasks, _ = request.node.callspec.params["size"]
    made = Chaos(tmp_path, tasks, seed=tasks)
    try:
        for worker in made.workers:
            worker.start()
        until(lambda: datetime.now(UTC) >= made.due, "all is due")
        yield made
    finally:
        made.close()


STRESS = (pytest.mark.stress, pytest.mark.timeout(1200))
SIZES = [
    pytest.param((20, 6), id="sample"),
    pytest.param((200, 80), id="two-minutes", marks=STRESS),
]


@pytest.mark.parametrize("size", SIZES)
def test_due_is_what_has_ended_and_nothing_started_twice(
    chaos: Chaos, size: tuple[int, int]
) -> None:
    tasks, kills = size
    for _ in range(kills):
        chaos.kill_one()
    chaos.all_end_once(tasks)


@needs_rabbit
@pytest.mark.sweep
def test_messages_go_by_rabbitmq_also_after_it_was_killed(tmp_path: Path) -> None:
    rabbit = RabbitServer(tmp_path / "rabbit").start()
    try:
        with closing(Chaos(tmp_path, 4, seed=1, broker=rabbit.url)) as chaos:
            for worker in chaos.workers:
                worker.start("--broker", rabbit.url)
            until(lambda: datetime.now(UTC) >= chaos.due, "all is due")
            chaos.all_end_once(4)
            rabbit.kill()
            chaos.run("create", "--name", "more", "--task", "work")
            chaos.run("fire", "more")
            chaos.begin_pass()
            chaos.passes[-1].wait(LIMIT_S)
            (more,) = [one for one in chaos.runs() if one["cue_name"] == "more"]
            listed = chaos.run("executors", "list")
            rabbit.start()
            chaos.all_end_once(5)
    finally:
        rabbit.close()
    assert more["status"] == "queued"
    assert more["reason"].startswith("at farm; it can't be reached: the broker")
    assert "the broker accepts no messages" in json.dumps(listed)
