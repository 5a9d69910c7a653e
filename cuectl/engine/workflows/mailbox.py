"""The sessions that a run talks to: what was sent, in order, and what came back."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from cuectl.model.workflow_errors import TurnFailed
from cuectl.model.workflow_values import OK, InboxMessage

if TYPE_CHECKING:
    from collections.abc import Generator

    from cuectl.engine.workflows.calls import Call, Calls
    from cuectl.engine.workflows.parking import Parking
    from cuectl.engine.workflows.turns import Turns

Record = dict[str, Any]


class Sent:
    """What `send` returns: nothing has to be done with it; awaited, it gives the reply."""

    def __init__(self, handle: str, step: int) -> None:
        self.handle = handle
        self.step = step
        self.message: InboxMessage | None = None
        self.over = asyncio.Event()

    def take(self, message: InboxMessage) -> None:
        """Note the answer."""
        self.message = message
        self.over.set()

    def done(self) -> bool:
        """Tell whether the turn is over."""
        return self.message is not None

    def __await__(self) -> Generator[Any, None, str]:
        """Wait for the turn and return its text.

        Raises:
            TurnFailed: it did not work.
        """
        yield from self.over.wait().__await__()
        message = self.message
        if message is None:
            raise TurnFailed(f"session '{self.handle}' did not answer")
        if message.status != OK:
            raise TurnFailed(f"session '{self.handle}': {message.body}")
        return message.body


class Mailbox:
    """One session as this run knows it.

    Attributes:
        unread: what was sent since the last drain, answered or not.
    """

    def __init__(self, handle: str, turns: Turns, calls: Calls, parking: Parking) -> None:
        self.handle = handle
        self.unread: list[Sent] = []
        self._waiting: deque[tuple[Sent, Call, str, float | None]] = deque()
        self._turns = turns
        self._calls = calls
        self._parking = parking
        self._worker: asyncio.Task[None] | None = None

    def send(self, call: Call, text: str, limit_s: float | None) -> Sent:
        """Send a message, or take its answer from the past."""
        sent = Sent(self.handle, call.step)
        self.unread.append(sent)
        if call.result is not None:
            sent.take(InboxMessage(**call.result["value"]))
            return sent
        self._waiting.append((sent, call, text, limit_s))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.get_running_loop().create_task(self._work())
            self._worker.add_done_callback(self._give_up)
        return sent

    def _give_up(self, worker: asyncio.Task[None]) -> None:
        """Let nobody wait for a worker that has failed: the store is gone, the disk is full."""
        error = None if worker.cancelled() else worker.exception()
        if error is None:
            return
        for sent, _, _, _ in self._waiting:
            sent.take(InboxMessage(**self._turns.message(self.handle, "error", repr(error))))
        self._waiting.clear()

    async def _work(self) -> None:
        with self._parking.active():
            while self._waiting:
                sent, call, text, limit_s = self._waiting[0]
                record = await self._turns.take(
                    self.handle, text, call.step, resumed=call.is_old, limit_s=limit_s
                )
                cost = record.pop("cost_usd", None)
                if record["status"] == "interrupted":
                    self._calls.interrupted += 1
                value = self._calls.end(call, record)
                if cost:
                    self._calls.note({"type": "cost", "step": call.step, "cost_usd": cost})
                self._waiting.popleft()
                sent.take(InboxMessage(**value))

    @property
    def is_busy(self) -> bool:
        """Whether a message is not answered yet."""
        return bool(self._waiting)

    async def idle(self) -> None:
        """Wait until everything that was sent is answered."""
        while self._waiting:
            await self._waiting[-1][0].over.wait()

    async def stop(self, why: str) -> None:
        """End the turn that runs, and give up what waits."""
        if self._worker is not None and not self._worker.done():
            self._worker.cancel()
            await asyncio.wait([self._worker])
        for sent, call, _, _ in self._waiting:
            record = self._turns.message(self.handle, "error", why)
            sent.take(InboxMessage(**self._calls.end(call, record)))
        self._waiting.clear()
