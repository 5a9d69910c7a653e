"""Random procedures in plain asyncio, run on the inside of a run with an outside that is played.

A procedure is made from a number. It is run with ends in random order, killed after random lines of
its history, continued in a new inside each time, and replayed. As a program it replays the
histories that it reads from standard input, and says what is not as it was: tests start it with
another hash seed, and with other versions of Python.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import sys
from typing import TYPE_CHECKING, Any

from cuectl.values.times import to_text
from cuectl.workflows import loop
from cuectl.workflows.inside import Inside
from cuectl.workflows.rules.history import WorkflowError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.workflows.inside import Act
    from cuectl.workflows.loop import Loop
    from cuectl.workflows.rules.history import EngineCall

BEGAN_AT = 1_800_000_000_000
MOST_STEPS = 3_000
MOST_KILLS, MOST_LIVES = 40, 8
KINDS = (
    "call call call value pause sleep seq seq gather gather_errors first_done first_error "
    "wait_limit wait_for limit as_completed group queue gate event condition shield fail tries"
).split()


ABANDONED: list[Inside] = []


class Killed(Exception):
    """The process is gone."""


def make(dice: random.Random, depth: int) -> list[Any]:
    """Return a random procedure: its kind, a number, and its parts."""
    kind = dice.choice(KINDS) if depth else dice.choice(KINDS[:6])
    parts = [make(dice, depth - 1) for _ in range(dice.randint(1, 3))] if depth else []
    return [kind, dice.randint(0, 40), parts]


def procedure_of(dice: random.Random) -> list[Any]:
    return ["seq", 0, [make(dice, 3) for _ in range(4)]]


class Play:
    """One procedure as it is played: what it has seen, in the order in which it saw it."""

    def __init__(self, inside: Inside) -> None:
        self.inside = inside
        self.seen: list[Any] = []

    def see(self, *what: Any) -> None:
        self.seen.append([*what, round(self.inside.loop.time() * 1000) - BEGAN_AT])

    async def run(self, node: list[Any]) -> Any:
        kind, number, parts = node
        return await getattr(self, f"do_{kind}")(number, parts)

    async def do_call(self, number: int, _: Any) -> Any:
        asked = {"number": number, "after": len(self.seen)}
        try:
            found = await self.inside.call(f"work{number % 3}", asked, nothing)
        except WorkflowError as error:
            found = str(error)
        except asyncio.CancelledError:
            self.see("cancelled", number)
            raise
        self.see("called", number, found)
        return found

    async def do_value(self, number: int, _: Any) -> Any:
        found = self.inside.value("dice", {"after": len(self.seen)}, lambda: number)
        self.see("value", found)
        return found

    async def do_pause(self, number: int, _: Any) -> int:
        for _ in range(number % 3):
            await asyncio.sleep(0)
        return number

    async def do_sleep(self, number: int, _: Any) -> int:
        await asyncio.sleep(number / 10)
        self.see("slept", number)
        return number

    async def do_seq(self, _: int, parts: Any) -> Any:
        return [await self.run(part) for part in parts]

    async def do_fail(self, number: int, parts: Any) -> Any:
        await self.do_seq(0, parts)
        raise LookupError(f"failed {number}")

    async def do_tries(self, number: int, parts: Any) -> Any:
        try:
            return await self.do_seq(0, parts)
        except (Exception, asyncio.CancelledError) as error:
            self.see("caught", type(error).__name__)
            raise
        finally:
            self.see("finally", number)
            if number % 2:
                await self.do_call(number, [])

    async def do_gather(self, _: int, parts: Any) -> Any:
        return list(await asyncio.gather(*(self.run(part) for part in parts)))

    async def do_gather_errors(self, _: int, parts: Any) -> Any:
        found = await asyncio.gather(*(self.run(part) for part in parts), return_exceptions=True)
        return [repr(each) for each in found]

    def tasks(self, parts: Any) -> set[asyncio.Task[Any]]:
        return {asyncio.ensure_future(self.run(part)) for part in parts}

    async def rest(self, done: Any, pending: Any, *, cancel: bool) -> None:
        # In the order of the sets.
        for task in done:
            self.see("done", repr(task.exception()) if not task.cancelled() else "cancelled")
        for task in pending:
            if cancel:
                task.cancel()
        for task in pending:
            with contextlib.suppress(Exception, asyncio.CancelledError):
                self.see("late", repr(await task))

    async def do_first_done(self, number: int, parts: Any) -> None:
        found = await asyncio.wait(self.tasks(parts), return_when=asyncio.FIRST_COMPLETED)
        await self.rest(*found, cancel=number % 2 == 0)

    async def do_first_error(self, number: int, parts: Any) -> None:
        found = await asyncio.wait(self.tasks(parts), return_when=asyncio.FIRST_EXCEPTION)
        await self.rest(*found, cancel=number % 2 == 0)

    async def do_wait_limit(self, number: int, parts: Any) -> None:
        gathered = [asyncio.gather(self.run(part), return_exceptions=True) for part in parts]
        found = await asyncio.wait(gathered, timeout=number / 10)
        await self.rest(*found, cancel=number % 2 == 0)

    async def do_wait_for(self, number: int, parts: Any) -> Any:
        try:
            return await asyncio.wait_for(self.do_seq(0, parts), number / 10)
        except TimeoutError:
            self.see("waited", number)

    async def do_limit(self, number: int, parts: Any) -> Any:
        try:
            async with asyncio.timeout(number / 10):
                return await self.do_seq(0, parts)
        except TimeoutError:
            self.see("limit", number)

    async def do_as_completed(self, number: int, parts: Any) -> None:
        with contextlib.suppress(TimeoutError):
            limit = number / 10 if number % 2 else None
            for each in asyncio.as_completed([self.run(part) for part in parts], timeout=limit):
                try:
                    self.see("next", await each)
                except LookupError as error:
                    self.see("next", repr(error))

    async def do_group(self, number: int, parts: Any) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for part in parts:
                    group.create_task(self.run(part))
        except BaseExceptionGroup as error:
            self.see("group", sorted(repr(each) for each in error.exceptions))

    async def do_queue(self, number: int, parts: Any) -> None:
        queue: asyncio.Queue[Any] = asyncio.Queue(maxsize=1 + number % 2)

        async def give(part: Any) -> None:
            try:
                await queue.put(await self.run(part))
            except LookupError as error:
                await queue.put(repr(error))

        givers = [asyncio.ensure_future(give(part)) for part in parts]
        for _ in givers:
            self.see("got", await queue.get())

    async def do_gate(self, number: int, parts: Any) -> Any:
        gate = asyncio.Semaphore(1 + number % 2)

        async def through(part: Any) -> Any:
            async with gate:
                return await self.run(part)

        found = await asyncio.gather(*map(through, parts), return_exceptions=True)
        return [repr(each) for each in found]

    async def do_event(self, number: int, parts: Any) -> None:
        event = asyncio.Event()

        async def after(part: Any) -> None:
            await event.wait()
            await self.run(part)

        waiting = [asyncio.ensure_future(after(part)) for part in parts]
        await self.do_call(number, [])
        event.set()
        await asyncio.gather(*waiting, return_exceptions=True)

    async def do_condition(self, number: int, parts: Any) -> None:
        condition, count = asyncio.Condition(), 0

        async def add(part: Any) -> None:
            nonlocal count
            with contextlib.suppress(Exception):
                await self.run(part)
            async with condition:
                count += 1
                condition.notify_all()

        adding = [asyncio.ensure_future(add(part)) for part in parts]
        async with condition:
            await condition.wait_for(lambda: count >= len(adding) // 2 + number % 2)
        self.see("enough", count)

    async def do_shield(self, number: int, parts: Any) -> Any:
        task = asyncio.ensure_future(self.do_seq(0, parts))
        try:
            return await asyncio.wait_for(asyncio.shield(task), number / 10)
        except TimeoutError:
            self.see("unshielded", number)
            return repr((await asyncio.gather(task, return_exceptions=True))[0])


async def nothing(_: EngineCall) -> None:
    """Stand for the work of a call."""


class Played:
    """An outside that ends what was begun, in any order; killed after so many lines."""

    def __init__(
        self, records: list[dict[str, Any]], dice: random.Random | None, lives: int
    ) -> None:
        self.records = records
        self.dice = dice
        self.lives = lives
        self.is_killed = False
        self.loop: Loop
        self.open: dict[int, EngineCall] = {}
        self.cancelled: set[int] = set()
        self.settled: list[tuple[EngineCall, dict[str, Any]]] = []
        self.time = BEGAN_AT + len(records)

    def now(self) -> int:
        return self.time

    def write(self, record: dict[str, Any], *, sync: bool = False) -> None:
        assert self.dice is not None, f"a replay has written {record}"
        if self.is_killed:
            return
        self.records.append(json.loads(json.dumps({"line": len(self.records) + 1, **record})))
        self.lives -= 1
        self.is_killed = self.loop.stopped = not self.lives

    def begin(self, call: EngineCall, act: Act, *, cancelled: bool) -> None:
        self.open[call.n] = call
        if cancelled:
            self.cancelled.add(call.n)

    def settle(self, call: EngineCall, result: dict[str, Any]) -> None:
        self.settled.append((call, result))

    def cancel(self, call: EngineCall) -> None:
        self.cancelled.add(call.n)

    def ask(self, make: Callable[[], Any]) -> Any:
        return make()

    def masked(self, value: Any) -> Any:
        return value

    def event(self, inside: Inside) -> dict[str, Any] | None:
        """Return what happens next, None when nothing can."""
        assert self.dice is not None
        if self.settled:
            call, result = self.settled.pop(0)
            return {"type": "call.ended", "n": call.n, "step": call.step, "result": result}
        timer = inside.loop.next_timer()
        if self.open and (timer is None or self.dice.random() < 0.8):
            call = self.open.pop(self.dice.choice(list(self.open)))
            self.time += self.dice.choice([0, 1, 300, 2_000])
            return self.ended(call)
        if timer is None:
            return None
        self.time = max(self.time, round(timer.when() * 1000)) + self.dice.choice([0, 7])
        return {"type": "timer", "n": timer.number}

    def ended(self, call: EngineCall) -> dict[str, Any]:
        assert self.dice is not None
        result: dict[str, Any] = {"value": self.dice.randint(0, 9)}
        if call.n in self.cancelled and self.dice.random() < 0.8:
            result = {"cancelled": True}
        elif self.dice.random() < 0.2:
            result = {"error": f"no luck {call.step}", "kind": "TimedOut"}
        return {"type": "call.ended", "n": call.n, "step": call.step, "result": result}


def live(procedure: Any, records: list[Any], dice: random.Random | None, lives: int = 0) -> Any:
    """Run or replay a procedure; return what it has seen and how it ended."""
    outside = Played(records, dice, lives)
    inside = Inside(list(records), outside, began_at=BEGAN_AT)
    outside.loop = inside.loop
    play = Play(inside)
    # What is abandoned must not be collected, which would run its clean-up.
    ABANDONED.append(inside)

    async def whole() -> Any:
        return await play.run(procedure)

    inside.start(whole())
    inside.advance()
    for _ in range(MOST_STEPS):
        if outside.is_killed:
            raise Killed
        if inside.stopped is not None:
            raise inside.stopped
        if inside.is_over or dice is None:
            break
        event = outside.event(inside)
        if event is None:
            break
        event["at"] = to_text(outside.time)
        outside.write(event)
        if not outside.is_killed:
            inside.advance(event)
    assert inside.cursor.at_end
    return json.loads(json.dumps([play.seen, told(inside)]))


def told(inside: Inside) -> str:
    if not inside.main.done():
        return "open"
    if inside.main.cancelled():
        return "cancelled"
    return repr(inside.main.exception() or inside.main.result())


def history_of(seed: int) -> dict[str, Any]:
    """Run the procedure of a number to its end, killed on the way; return all that came of it."""
    dice = random.Random(seed)
    procedure = procedure_of(dice)
    records: list[Any] = []
    kills, found = 0, None
    while found is None:
        lives = dice.randint(1, MOST_LIVES) if kills < MOST_KILLS else 0
        try:
            found = live(procedure, records, random.Random(dice.random()), lives)
        except Killed:
            kills += 1
    return {"seed": seed, "records": records, "found": found, "kills": kills}


def deviation(history: dict[str, Any]) -> str | None:
    """Replay a history; tell what is not as it was."""
    try:
        found = live(procedure_of(random.Random(history["seed"])), history["records"], None)
    # Whatever goes wrong in a replay is what we are looking for.
    except Exception as error:  # noqa: BLE001
        return f"{history['seed']}: {error!r}"
    if found != history["found"]:
        return f"{history['seed']}: saw {found} in place of {history['found']}"
    return None


def main(words: list[str]) -> int:
    """Print the histories of some numbers, or replay those of standard input."""
    loop.install()
    if words:
        for seed in range(*map(int, words)):
            print(json.dumps(history_of(seed)))
        return 0
    deviations = [text for line in sys.stdin if (text := deviation(json.loads(line)))]
    print("\n".join(deviations))
    return 1 if deviations else 0


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    # What was abandoned must not clean up now.
    os._exit(status)
