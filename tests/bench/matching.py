"""Thousands of events against hundreds of subscriptions, beside comparisons written by hand."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from cuectl.cues.rules.record import Cue
from cuectl.events.lines import Listener
from cuectl.events.rules.event import COMPLETED, FILE_CHANGED, Event
from cuectl.events.rules.match import SubscriptionIndex, subscription_of
from tests.bench.table import Line, floor_line, note_line, ratio_line, title
from tests.bench.timing import Candidate, Sample, against, measure

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.scene import Scene

Record = dict[str, Any]

BAR = 5.0
SUBSCRIPTIONS = 200
_ENDINGS = (".ts", ".py", ".md", ".go")
_CHANGES = ("add", "change", "unlink")


def measure_matching(scene: Scene) -> list[Line]:
    """Measure who takes an event, with the names of those who do not."""
    count = 1_000 if scene.quick else 10_000
    lines = [title(f"{count:,} events, {SUBSCRIPTIONS} subscriptions")]
    for what, kind, triggers, payloads, hand in (
        ("files", FILE_CHANGED, _of_files(), _files(count), _hand_files),
        ("numbers", "go.now", _of_numbers(), _numbers(count), _hand_numbers),
        ("ends of agents", COMPLETED, _of_agents(), _ends(count), _hand_ends),
    ):
        lines += _measured(what, kind, triggers, payloads, hand, scene.rounds(5, 2))
    return lines


def _measured(
    what: str,
    kind: str,
    triggers: list[Record],
    payloads: list[Record],
    hand: Callable[[list[Record]], int],
    rounds: int,
) -> list[Line]:
    events = [
        Event(id=f"evt_{n}", type=kind, source="/bench", at=0, data=data)
        for n, data in enumerate(payloads)
    ]
    audience = SubscriptionIndex([_listener(n, kind, one) for n, one in enumerate(triggers)])
    matched: dict[str, int] = {}

    def by_hand() -> None:
        matched["hand"] = hand(payloads)

    def by_us() -> None:
        found = 0
        for event in events:
            taken = audience.taking(event)
            audience.refusing(event, taken, 20)
            found += len(taken)
        matched["us"] = found

    floor = Candidate(name=f"{what}: by hand", run=lambda _: _timed(by_hand))
    ours = Candidate(name=f"{what}: matching", run=lambda _: _timed(by_us))
    found = measure([floor, ours], rounds)
    if matched["hand"] != matched["us"]:
        raise SystemExit(f"{what}: {matched} are not the same")
    return [
        floor_line(against(found, floor.name, floor.name)),
        ratio_line(against(found, ours.name, floor.name), BAR),
        note_line(f"{what}: matches", f"{matched['us']:,}"),
    ]


def _timed(act: Callable[[], None]) -> Sample:
    wall, cpu = time.perf_counter(), time.process_time()
    act()
    return Sample(wall_s=time.perf_counter() - wall, cpu_s=time.process_time() - cpu)


def _listener(number: int, kind: str, trigger: Record) -> Listener:
    whole = {"type": "event", "event": kind, **trigger}
    name = f"subscription-{number}"
    cue = Cue(
        id=f"cue_{number:012d}", name=name, trigger=whole, target={}, created_at=0, updated_at=0
    )
    return Listener(cue=cue, subscription=subscription_of(name, whole), listens=True)


# --- the same rules, in the two ways ----------------------------------------------------------


def _of_files() -> list[Record]:
    return [
        {"filter": {"extension": _ENDINGS[n % 4], "changeType": "!unlink", "size": f">{n}"}}
        for n in range(SUBSCRIPTIONS)
    ]


def _files(count: int) -> list[Record]:
    return [
        {
            "path": f"/src/{n}{_ENDINGS[n % 4]}",
            "extension": _ENDINGS[n % 4],
            "changeType": _CHANGES[n % 3],
            "size": n % 300,
        }
        for n in range(count)
    ]


def _hand_files(payloads: list[Record]) -> int:
    rules = [(_ENDINGS[n % 4], n) for n in range(SUBSCRIPTIONS)]
    found = 0
    for data in payloads:
        for ending, size in rules:
            if (
                data["extension"] == ending
                and data["changeType"] != "unlink"
                and data["size"] > size
            ):
                found += 1
    return found


def _of_numbers() -> list[Record]:
    return [{"filter": {"n": f">={n * 5}", "m": f"<{n * 5}"}} for n in range(SUBSCRIPTIONS)]


def _numbers(count: int) -> list[Record]:
    return [{"n": n % 1_000, "m": (n * 7) % 1_000} for n in range(count)]


def _hand_numbers(payloads: list[Record]) -> int:
    found = 0
    for data in payloads:
        for n in range(SUBSCRIPTIONS):
            if data["n"] >= n * 5 and data["m"] < n * 5:
                found += 1
    return found


def _of_agents() -> list[Record]:
    return [
        {"source_session": f"agent-{n % 50}", "filter": {"status": "completed", "exitCode": 0}}
        for n in range(SUBSCRIPTIONS)
    ]


def _ends(count: int) -> list[Record]:
    return [
        {
            "sourceSession": f"agent-{n % 60}",
            "status": "completed" if n % 5 else "failed",
            "exitCode": 0 if n % 5 else 1,
        }
        for n in range(count)
    ]


def _hand_ends(payloads: list[Record]) -> int:
    names = [f"agent-{n % 50}" for n in range(SUBSCRIPTIONS)]
    found = 0
    for data in payloads:
        for name in names:
            if (
                data["sourceSession"] == name
                and data["status"] == "completed"
                and data["exitCode"] == 0
            ):
                found += 1
    return found
