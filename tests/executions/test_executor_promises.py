"""The executors that there are keep the promises of `executor_promises.py`."""

from __future__ import annotations

import base64
import json
import os
import signal
from typing import TYPE_CHECKING

import pytest

from cuectl.definitions.rules.definitions import ExecutorDefinition
from cuectl.executions.executors import celery
from cuectl.executions.executors.local import LocalExecutor
from cuectl.executions.executors.remote import KeySight
from cuectl.executions.rules import wire
from cuectl.executions.rules.record import Cause, Ended, Start
from cuectl.executions.supervise import Supervisor, ended_of
from tests.executions.executor_promises import ExecutorPromises, Hand
from tests.fixtures.redis import redis_server
from tests.fixtures.scripted_executor import ScriptedExecutor, ScriptedWorkers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from cuectl.executions.rules.wire import RemoteStart
    from tests.fixtures.redis import RedisServer

__all__ = ["redis_server"]
_KEY = "k" * 32


def _end(key: str) -> wire.RemoteEnd:
    execution, attempt = key.rsplit(".", 1)
    ended = Ended(execution_id=execution, attempt=int(attempt), exit_code=3, ended_at=2)
    return wire.RemoteEnd(key=key, epoch="e", host="host7", ended=ended)


class ScriptedHand(Hand):
    """The executor of tests."""

    def __init__(self, folder: Path) -> None:
        self.workers = ScriptedWorkers(folder)
        self.executor = ScriptedExecutor(folder)

    def take(self) -> list[str]:
        return self.workers.take()

    def end(self, key: str) -> None:
        self.workers.end(key, exit_code=3)

    def is_asked_to_end(self, key: str) -> bool:
        return (self.workers.folder / "cancel" / key).exists()

    def is_kept(self, key: str) -> bool:
        return key not in self.workers.acknowledged()


class CeleryHand(Hand):
    """Redis, with its messages and cells taken as a worker takes them."""

    def __init__(self, server: RedisServer) -> None:
        definition = ExecutorDefinition(name="farm", type="celery", url=server.url, key="")
        self.cells = server.cells()
        self.executor = celery.connect(
            definition, url=server.url, broker=None, key=_KEY, limit_s=10.0
        )

    def take(self) -> list[str]:
        taken: list[str] = []
        while (found := self.cells.ask(("RPOP", wire.queue("farm")))[0]) is not None:
            assert isinstance(found, bytes)
            (sealed,), *_ = json.loads(base64.b64decode(json.loads(found)["body"]))
            start = wire.remote_start_from(wire.unseal(_KEY, wire.Kind.START, sealed))
            owner = wire.fence_of_worker("host7", os.urandom(8).hex())
            if self.cells.take(wire.fence(start.key), owner):
                self.cells.ask(("SET", wire.lease(start.key), "1", "EX", wire.LEASE_S))
                taken.append(start.key)
        return taken

    def end(self, key: str) -> None:
        sealed = wire.seal(_KEY, wire.Kind.RESULT, _end(key).to_record())
        self.cells.ask(("SET", wire.result(key), sealed))

    def is_asked_to_end(self, key: str) -> bool:
        (cell,) = self.cells.texts([wire.cancel(key)])
        return cell is not None and wire.unseal(_KEY, wire.Kind.CANCEL, cell)["key"] == key

    def is_kept(self, key: str) -> bool:
        (cell,) = self.cells.texts([wire.ack(key)])
        return cell is None or wire.unseal(_KEY, wire.Kind.ACK, cell)["key"] != key


class _LocalLog:
    """A spawn log, as that of a pass: what is in it was started."""

    def __init__(self) -> None:
        self.lines: dict[str, int | None] = {}

    def starting(self, key: str, boot_ns: int) -> None:
        self.lines[key] = None

    def started(self, key: str, pid: int) -> None:
        """Note nothing more."""

    def ended(self, key: str, status: int) -> None:
        self.lines[key] = status


class LocalPass:
    """This machine in the shape of a `RemoteExecutor`, by the rules that a pass keeps for it.

    A start is claimed before, and its key noted in the spawn log, which is its fence.
    """

    clock_ms = 0

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = _LocalLog()
        self.supervisor = Supervisor(LocalExecutor(self.log, 0o077), lambda: 0)
        self.supervisor.open()
        self.queue: list[str] = []
        self.starts: dict[str, RemoteStart] = {}
        self.withdrawn: set[str] = set()
        self.ends: dict[str, wire.RemoteEnd] = {}
        self.taken: set[str] = set()
        self.words: dict[str, str] = {}

    def publish(self, starts: Iterable[tuple[RemoteStart, str | None]]) -> None:
        for start, _ in starts:
            self.starts[start.key] = start
            self.queue.append(start.key)

    def spawn(self) -> list[str]:
        started = []
        while self.queue:
            key = self.queue.pop(0)
            if key in self.log.lines or key in self.withdrawn:
                continue
            execution = self.starts[key].execution
            wait = 'while [ ! -e "$0" ]; do sleep 0.02; done; exit 3'
            argv = ("/bin/sh", "-c", wait, str(self.folder / f"{key}.go"))
            start = Start(
                execution_id=execution.id,
                attempt=1,
                argv=argv,
                env={"PATH": os.defpath},
                cwd="/",
                output=str(self.folder / f"{key}.out"),
                timeout_s=60.0,
            )
            self.supervisor.add(execution, self.supervisor.executor.spawn(start))
            started.append(key)
        return started

    def look(self, keys: Sequence[str]) -> list[KeySight]:
        for one in self.supervisor.collect():
            assert one.process is not None
            key = one.process.start.key
            self.ends[key] = wire.RemoteEnd(key=key, epoch="", host="here", ended=ended_of(one, 0))
        return [
            KeySight(
                end=None if key in self.taken else self.ends.get(key),
                host="here" if key in self.log.lines else None,
                is_withdrawn=key in self.withdrawn,
                beats=self.log.lines.get(key, 0) is None,
            )
            for key in keys
        ]

    def withdraw(self, key: str) -> bool:
        if key not in self.log.lines:
            self.withdrawn.add(key)
        return key in self.withdrawn

    def cancel(self, key: str) -> None:
        self.supervisor.end(self.starts[key].execution.id, Cause.CANCEL)

    def take(self, keys: Iterable[str]) -> None:
        self.taken.update(keys)

    def epoch(self, store_id: str) -> str | None:
        return self.words.get(store_id)

    def set_epoch(self, store_id: str, word: str) -> None:
        self.words[store_id] = word

    def quiet_look(self, sights: dict[str, KeySight]) -> list[str] | None:
        return None if sights else []

    def workers(self) -> dict[str, dict[str, object]]:
        return {}

    def findings(self) -> list[str]:
        return []

    def close(self) -> None:
        for one in self.supervisor.running.values():
            os.killpg(one.pid or 0, signal.SIGKILL)
        while self.supervisor.running:
            self.supervisor.wait(60.0)
            self.supervisor.collect()
        self.supervisor.close()
        self.supervisor.executor.close()


class LocalHand(Hand):
    """Processes of this machine."""

    def __init__(self, folder: Path) -> None:
        self.executor = self.here = LocalPass(folder)

    def take(self) -> list[str]:
        return self.here.spawn()

    def end(self, key: str) -> None:
        (self.here.folder / f"{key}.go").touch()
        while self.here.look([key])[0].end is None:
            self.here.supervisor.wait(60.0)

    def is_asked_to_end(self, key: str) -> bool:
        running = self.here.supervisor.running.values()
        return any(one.cause for one in running if one.execution.id == key[:-2])

    def is_kept(self, key: str) -> bool:
        return key not in self.here.taken


class TestScripted(ExecutorPromises):
    """The executor of the tests of passes."""

    @pytest.fixture
    def hand(self, tmp_path: Path) -> Hand:
        return ScriptedHand(tmp_path / "farm")


class TestCelery(ExecutorPromises):
    """Celery and Redis."""

    @pytest.fixture
    def hand(self, redis_server: RedisServer) -> Iterator[Hand]:
        redis_server.clear()
        hand = CeleryHand(redis_server)
        yield hand
        hand.cells.close()
        hand.executor.close()


class TestLocal(ExecutorPromises):
    """This machine."""

    @pytest.fixture
    def hand(self, tmp_path: Path) -> Iterator[Hand]:
        hand = LocalHand(tmp_path)
        yield hand
        hand.here.close()
