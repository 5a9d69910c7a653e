"""The pass that only looks at executors: what it imports, and what ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cuectl.executions.rules import wire
from tests.passes.test_idle_passes import IDLE, calls

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.builder import Cuectl
    from tests.fixtures.redis import RedisServer

DEFINITIONS = """\
executors:
  farm: {{type: celery, url: "{url}"}}
handlers:
  train: {{executor: farm}}
"""
LOOK = {*IDLE.split(), "cuectl.store.quiet_look", "_socket", "binascii", "gc"}


@pytest.fixture
def waiting(cuectl: Cuectl, redis_server: RedisServer) -> str:
    """A home in which nothing is due, and one execution waits at an executor; its key."""
    redis_server.clear()
    cuectl.env(CUECTL_FLEET_KEY="k" * 32)
    cuectl.files({"fleet.yaml": DEFINITIONS.format(url=redis_server.url)})
    assert cuectl.run("apply", "fleet.yaml").status == 0
    assert cuectl.run("create", "--name", "one", "--task", "train", "--in", "0s").status == 0
    assert cuectl.run("run-due").status == 0
    key = f"{cuectl.json('executions', 'get', 'one')['id']}.1"
    assert cuectl.json("executions", "get", "one")["reason"] == "at farm"
    return key


def put(server: RedisServer, name: str, value: str) -> None:
    """Write a cell as a worker would."""
    cells = server.cells()
    cells.ask(("SET", name, value))
    cells.close()


def test_a_quiet_look_imports_no_client_and_writes_nothing(cuectl: Cuectl, waiting: str) -> None:
    lines = len(cuectl.run("log").stdout.splitlines())
    before = (cuectl.home / "last-pass").stat().st_mtime_ns

    assert set(calls(cuectl).split()) == LOOK
    assert len(cuectl.run("log").stdout.splitlines()) == lines
    assert (cuectl.home / "last-pass").stat().st_mtime_ns > before


def test_nothing_is_looked_at_where_nothing_is_elsewhere(
    cuectl: Cuectl, redis_server: RedisServer, tmp_path: Path
) -> None:
    cuectl.files({"fleet.yaml": DEFINITIONS.format(url=redis_server.url)})
    cuectl.run("apply", "fleet.yaml")
    cuectl.run("create", "--name", "later", "--in", "5h", "--", "true")
    cuectl.run("run-due")

    assert calls(cuectl) == IDLE


def test_a_worker_that_takes_it_ends_the_quiet(
    cuectl: Cuectl, waiting: str, redis_server: RedisServer
) -> None:
    put(redis_server, wire.fence(waiting), wire.fence_of_worker("host7", "n"))
    put(redis_server, wire.lease(waiting), "1")
    full = set(calls(cuectl).split())
    seen = cuectl.json("executions", "get", "one")
    quiet = set(calls(cuectl).split())

    assert "cuectl.passes.away.rounds" in full
    assert (seen["status"], seen["worker"]) == ("running", "host7")
    assert quiet == LOOK


@pytest.mark.parametrize("cell", [wire.result, wire.asks, wire.refused])
def test_what_a_worker_sends_ends_the_quiet(
    cuectl: Cuectl, waiting: str, redis_server: RedisServer, cell: type[str]
) -> None:
    put(redis_server, cell(waiting), "x")

    assert "cuectl.passes.away.rounds" in calls(cuectl)


def test_a_store_that_does_not_answer_ends_the_quiet(
    cuectl: Cuectl, waiting: str, redis_server: RedisServer
) -> None:
    redis_server.stop()
    try:
        full = calls(cuectl)
    finally:
        redis_server.start()

    assert "cuectl.passes.away.rounds" in full


def test_no_look_is_left_for_a_store_with_a_password(
    cuectl: Cuectl, redis_server: RedisServer
) -> None:
    redis_server.clear()
    cuectl.env(CUECTL_FLEET_KEY="k" * 32, WORD="none")
    url = redis_server.url.replace("redis://", "redis://:${WORD}@")
    cuectl.files({"fleet.yaml": DEFINITIONS.format(url=url)})
    cuectl.run("apply", "fleet.yaml")
    cuectl.run("create", "--name", "one", "--task", "train", "--in", "0s")
    cuectl.run("run-due")

    assert "cuectl.passes.away.rounds" in calls(cuectl)
    assert not (cuectl.home / "executors.look").exists()
