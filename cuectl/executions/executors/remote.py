"""What an engine must provide to run work on other machines (CONTRIBUTING.md).

The store claims and settles; an engine only executes. Its promises, which
`tests/executions/executor_promises.py` asks of each: a key starts once, however often it is
published; a key is started or withdrawn, never both; what has ended is there until it is taken.
"""

from __future__ import annotations

from typing import Protocol

from cuectl.values.records import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cuectl.executions.rules.wire import RemoteEnd, RemoteStart
    from cuectl.values.records import Record

WITHDRAWN = "withdrawn"


class OutOfReach(Exception):
    """An executor does not answer; the message is one short line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySight:
    """The engine's state of one key.

    Attributes:
        end: how it ended; None before that.
        host: of the worker that has started it.
        is_withdrawn: it will never start.
        beats: whether its worker gave a recent sign of life.
        refused: what workers said that did not want it.
        asks: requests of its handler so far.
        forged: why the end found there is not genuine.
    """

    end: RemoteEnd | None = None
    host: str | None = None
    is_withdrawn: bool = False
    beats: bool = False
    refused: str | None = None
    asks: tuple[Record, ...] = ()
    forged: str | None = None

    @property
    def is_started(self) -> bool:
        """Whether a worker has taken it on."""
        return self.host is not None or self.end is not None


class RemoteExecutor(Protocol):
    """One executor, connected. Everything may raise OutOfReach; then it is as if never called."""

    clock_ms: int  # what the clock by which workers keep `start_by` showed when it was connected

    def publish(self, starts: Iterable[tuple[RemoteStart, str | None]]) -> None:
        """Ask that keys be started, by workers with a label or any (None).

        It is harmless for a key that was asked for before, has started, or was withdrawn.
        """

    def look(self, keys: Sequence[str]) -> list[KeySight]:
        """Return the state of each key, in one round trip."""

    def withdraw(self, key: str) -> bool:
        """Keep a key from starting; tell whether it never will: False when it has."""

    def cancel(self, key: str) -> None:
        """Ask that the tree of a key be ended, soon."""

    def take(self, keys: Iterable[str]) -> None:
        """Let go of keys whose ends are on record, or that never start."""

    def epoch(self, store_id: str) -> str | None:
        """Return the word left for a store; None once the engine has forgotten it."""

    def set_epoch(self, store_id: str, word: str) -> None:
        """Leave a word for a store."""

    def quiet_look(self, sights: dict[str, KeySight]) -> list[str] | None:
        """Return what `store/quiet_look.py` finds while all is as it was seen; None: it can't."""

    def workers(self) -> dict[str, Record]:
        """Return what each worker has said of itself, by host."""

    def findings(self) -> list[str]:
        """Return the settings that break a promise, in words for a person."""

    def close(self) -> None:
        """Close the connection."""
