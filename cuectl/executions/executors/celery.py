"""Celery with Redis between, as passes use it: publish, look, withdraw, cancel, take.

Celery carries the message and nothing else (`celery_app.py`). The state of a start is in
cells of the Redis that `url` names.
"""

from __future__ import annotations

import json
from binascii import crc32
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from cuectl.executions.executors.cells import Cells
from cuectl.executions.executors.remote import KeySight, OutOfReach
from cuectl.executions.rules import wire
from cuectl.values.errors import CuectlError
from cuectl.values.ids import hex_hash
from cuectl.values.records import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cuectl.definitions.rules.definitions import ExecutorDefinition
    from cuectl.executions.executors.cells import Word
    from cuectl.values.records import Record

_KEPT_S = 7 * 86_400
_AT_ONCE = 1_000
_OF_ONE = (wire.result, wire.fence, wire.lease, wire.refused, wire.asks)
_CONTROL = wire.withdrawal("control")
_SETTINGS = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}


def connect(
    definition: ExecutorDefinition, *, url: str, broker: str | None, key: str, limit_s: float
) -> CeleryExecutor:
    """Return the executor, once Redis has answered. Raises OutOfReach."""
    if len(key) < wire.SHORTEST_KEY:
        raise OutOfReach(f"its key is shorter than {wire.SHORTEST_KEY} characters")
    with _told():
        cells = Cells(url, limit_s=limit_s)
        return CeleryExecutor(definition, cells, (url, broker), key, cells.now_ms())


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except CuectlError as error:
        raise OutOfReach(error.message) from error


class CeleryExecutor:
    """One fleet, as `RemoteExecutor` has it."""

    def __init__(
        self,
        definition: ExecutorDefinition,
        cells: Cells,
        places: tuple[str, str | None],
        key: str,
        clock_ms: int,
    ) -> None:
        self.clock_ms = clock_ms
        self._definition = definition
        self._cells = cells
        self._places = places
        self._key = key
        self._sums: dict[str, int] = {}  # checksums of cells whose words may change
        # A fence must outlive every message that may still lie somewhere.
        self._fence_s = _KEPT_S + round(definition.start_within_s)

    def publish(self, starts: Iterable[tuple[wire.RemoteStart, str | None]]) -> None:
        """Send a message for each; workers drop one whose fence is taken."""
        from cuectl.executions.executors.celery_app import Publisher

        with _told():
            publisher = Publisher(*self._places)
            try:
                for start, label in starts:
                    record = self._small(start).to_record()
                    sealed = wire.seal(self._key, wire.Kind.START, record)
                    publisher.publish(wire.queue(start.executor, label), sealed)
            finally:
                publisher.close()

    def _small(self, start: wire.RemoteStart) -> wire.RemoteStart:
        """Return the start with a large payload in a cell of its own."""
        data = json.dumps(start.execution.payload, separators=(",", ":")).encode()
        if len(data) <= wire.LARGEST_PAYLOAD:
            return start
        digest = hex_hash(data)
        self._cells.ask(("SET", wire.blob(digest), wire.pack(data), "EX", self._fence_s))
        return replace(start, execution=replace(start.execution, payload={}), payload_blob=digest)

    def look(self, keys: Sequence[str]) -> list[KeySight]:
        """Return what the cells of each key say."""
        found: list[KeySight] = []
        for place in range(0, len(keys), _AT_ONCE):
            some = keys[place : place + _AT_ONCE]
            with _told():
                values = iter(self._cells.texts([cell(key) for key in some for cell in _OF_ONE]))
            found += [self._sight(key, [next(values) for _ in _OF_ONE]) for key in some]
        return found

    def _sight(self, key: str, values: list[bytes | None]) -> KeySight:
        result, fence, lease, refused, asks = values
        owner = (fence or b"").decode("utf-8", "replace")
        sight = KeySight(
            host=wire.host_in_fence(owner),
            is_withdrawn=bool(owner) and wire.host_in_fence(owner) is None,
            beats=lease is not None,
            refused=refused.decode("utf-8", "replace") if refused else None,
        )
        try:
            for cell, text in ((wire.asks(key), asks), (wire.refused(key), refused)):
                if text is not None:
                    self._sums[cell] = crc32(text)
            if asks is not None:
                said = wire.unseal(self._key, wire.Kind.ASKS, asks)
                if said.get("key") == key:
                    sight = replace(sight, asks=tuple(said.get("asks") or ()))
            if result is not None:
                record = wire.unseal(self._key, wire.Kind.RESULT, result)
                sight = replace(sight, end=wire.remote_end_from(record, key))
        except wire.Dropped as error:
            return replace(sight, forged=str(error))
        return sight

    def withdraw(self, key: str) -> bool:
        """Take the fence of a key, which every withdrawal of ours does with the same word."""
        with _told():
            return self._cells.take(wire.fence(key), _CONTROL)

    def cancel(self, key: str) -> None:
        """Leave the word for the worker's janitor."""
        sealed = wire.seal(self._key, wire.Kind.CANCEL, {"key": key})
        with _told():
            self._cells.ask(("SET", wire.cancel(key), sealed, "EX", _KEPT_S))

    def take(self, keys: Iterable[str]) -> None:
        """Let workers forget; the fence stays while a message may."""
        asked: list[tuple[Word, ...]] = []
        for key in keys:
            sealed = wire.seal(self._key, wire.Kind.ACK, {"key": key})
            asked.append(("SET", wire.ack(key), sealed, "EX", _KEPT_S))
            gone = (wire.result(key), wire.asks(key), wire.refused(key), wire.cancel(key))
            asked += [("DEL", *gone), ("EXPIRE", wire.fence(key), self._fence_s)]
        with _told():
            self._cells.ask(*asked)

    def epoch(self, store_id: str) -> str | None:
        """Return the word of the epoch cell."""
        with _told():
            found = self._cells.texts([wire.epoch(store_id)])[0]
        return None if found is None else found.decode("ascii", "replace")

    def set_epoch(self, store_id: str, word: str) -> None:
        """Set the epoch cell, which never expires."""
        with _told():
            self._cells.ask(("SET", wire.epoch(store_id), word))

    def quiet_look(self, sights: dict[str, KeySight]) -> list[str] | None:
        """Return the cells and what stood in them; None where a password or TLS is needed."""
        place = self._cells.plain_place
        if place is None:
            return None
        lines = [f"@ {place}"]
        for key, sight in sights.items():
            lines.append(f"- {wire.result(key)}")
            lines.append(f"{'-' if sight.host is None else '+'} {wire.fence(key)}")
            lines.append(f"{'+' if sight.beats else '-'} {wire.lease(key)}")
            words = (wire.asks(key), wire.refused(key))
            lines += [f"{self._sums.get(cell, '-')} {cell}" for cell in words]
        return lines

    def workers(self) -> dict[str, Record]:
        """Return the last report of each worker about itself; skip anything that is no record."""
        with _told():
            found = self._cells.mapping(wire.workers(self._definition.name))
        said: dict[str, Record] = {}
        for host, text in found.items():
            with suppress(ValueError):
                record = json.loads(text)
                if isinstance(record, dict):
                    said[host] = record
        return said

    def findings(self) -> list[str]:
        """Return the settings of Redis by which it may forget a fence or a result."""
        with _told():
            answers = self._cells.ask(*(("CONFIG", "GET", name) for name in _SETTINGS))
        found = []
        for (name, good), answer in zip(_SETTINGS.items(), answers, strict=True):
            value = answer[1] if isinstance(answer, list) and len(answer) == 2 else b"unknown"
            word = value.decode("ascii", "replace") if isinstance(value, bytes) else "unknown"
            if word != good:
                found.append(f"its Redis has '{name} {word}', not '{name} {good}'")
        return found

    def close(self) -> None:
        """Close the connection."""
        self._cells.close()
