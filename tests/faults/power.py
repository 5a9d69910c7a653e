"""What a disk may hold when the power goes, from the recorded operations of runs in a row."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .disk import Event, History, history_of
from .durability import Model, durable_from, requirements
from .operations import Wrote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from .runs import Result
    from .snapshot import Snapshot

_MIXTURES = 4
_KEPT_CHANCES = (0.2, 0.5, 0.8)


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerState:
    """One state of the disk after a power cut.

    Attributes:
        label: after which operation, and what was lost.
        cut: how many operations of the history had happened.
        finished: the runs that were over by then, so that their caller had heard of it.
        printed: what the unfinished run had told on its standard output.
        kept: the changes that are on the disk; `torn` has what is left of some writes.
    """

    label: str
    cut: int
    finished: tuple[Result, ...]
    printed: str
    history: History = field(repr=False)
    kept: tuple[Event, ...] = field(repr=False)
    torn: Mapping[Event, bytes] = field(repr=False)

    def snapshot(self) -> Snapshot:
        """Return the files of this state."""
        return self.history.rebuild(self.kept, self.torn)

    def materialise(self, directory: Path, clock_ns: int | None = None) -> None:
        """Make `directory` hold this state, and nothing else; see `Snapshot.write`."""
        self.snapshot().write(directory, clock_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mixture:
    """Which of the waiting changes survive, and what is left of a torn write."""

    label: str
    kept: frozenset[Event]
    torn: Mapping[Event, bytes] = field(default_factory=dict)


def power_states(
    start: Snapshot,
    runs: Sequence[Result],
    *,
    model: Model = "posix",
    per_point: int | None = None,
    seed: int = 0,
    external: Sequence[str] = (),
) -> Iterator[PowerState]:
    """Yield what the disk may hold after each operation, each different state once.

    Of the changes that are not yet durable: none, all, only names, only data, the last write torn
    (one byte, half, all but one, zeros), each prefix, each one omitted, each one alone, and
    seeded mixtures.

    Args:
        start: the files before the first run, all durable.
        runs: recorded with data, in the order in which they ran; killed ones may be among them.
        model: see `durability`.
        per_point: at most so many states after each operation, a seeded choice; None: all.
        seed: for the choice and the mixtures.
        external: relative paths below which changes survive at once, in their order, because
            they stand for effects in the outside world.

    Raises:
        ReplayMismatchError: replaying everything does not give the real end state.
    """
    history = history_of(start, runs, external)
    durable = durable_from(history.events, model)
    changes = history.changes()
    seen: set[tuple[str, int, str]] = set()
    for cut in range(len(history.moments) + 1):
        # A generator of its own for each point, so that a point can be repeated alone.
        chance = random.Random(f"{seed}/{cut}")
        happened = [one for one in changes if one.at < cut]
        waiting = [one for one in happened if durable.get(one, cut) >= cut]
        safe = [one for one in happened if durable.get(one, cut) < cut]
        finished, printed = _known(history, runs, cut)
        for mixture in _chosen(_mixtures(waiting, model, chance), per_point, chance):
            kept = (*safe, *mixture.kept)
            digest = history.rebuild(kept, mixture.torn).digest()
            key = (digest, len(finished), printed)
            if key in seen:
                continue
            seen.add(key)
            before = history.moments[cut - 1].label if cut else "nothing"
            yield PowerState(
                label=f"{model} power cut {cut} after {before}: {mixture.label}",
                cut=cut,
                finished=finished,
                printed=printed,
                history=history,
                kept=kept,
                torn=mixture.torn,
            )


def _known(history: History, runs: Sequence[Result], cut: int) -> tuple[tuple[Result, ...], str]:
    """Return what the outside world has heard: finished runs, and the output of the next."""
    past = history.moments[:cut]
    finished = len({one.run for one in past if one.ends_run})
    printed = b"".join(one.printed for one in past if one.run == finished)
    return tuple(runs[:finished]), printed.decode("utf-8", "backslashreplace")


def _chosen(
    mixtures: list[_Mixture], per_point: int | None, chance: random.Random
) -> list[_Mixture]:
    """Choose some, the loss of everything always among them."""
    if per_point is None or len(mixtures) <= per_point:
        return mixtures
    return [mixtures[0], *chance.sample(mixtures[1:], max(0, per_point - 1))]


def _mixtures(waiting: list[Event], model: Model, chance: random.Random) -> list[_Mixture]:
    data = [one for one in waiting if isinstance(one.effect, Wrote)]
    names = [one for one in waiting if not isinstance(one.effect, Wrote)]
    found = [("all unsynced lost", []), ("all kept", waiting)]
    found += [("only names kept", names), ("only data kept", data)]
    found += [(f"first {n} of {len(waiting)} kept", waiting[:n]) for n in range(1, len(waiting))]
    for number, event in enumerate(waiting, 1):
        label = f"{number} of {len(waiting)}"
        found.append((f"{label} omitted", [one for one in waiting if one is not event]))
        found.append((f"{label} alone kept", [event]))
    for number in range(_MIXTURES if len(waiting) > 1 else 0):
        share = chance.choice(_KEPT_CHANCES)
        kept = [one for one in waiting if chance.random() < share]
        found.append((f"mixture {number}", kept))
    needs = requirements(waiting, model)
    mixtures = [_Mixture(label=label, kept=_possible(kept, needs)) for label, kept in found]
    if data:
        everything = frozenset(waiting)
        mixtures[2:2] = [
            _Mixture(label=f"last write torn: {label}", kept=everything, torn={data[-1]: rest})
            for label, rest in _torn(data[-1])
        ]
    return mixtures


def _torn(event: Event) -> list[tuple[str, bytes]]:
    assert isinstance(event.effect, Wrote)
    data = event.effect.data
    return [
        ("one byte", data[:1]),
        ("half", data[: len(data) // 2]),
        ("all but one byte", data[:-1]),
        ("zeros", bytes(len(data))),
    ]


def _possible(kept: Sequence[Event], needs: Mapping[Event, Event]) -> frozenset[Event]:
    """Drop what cannot be there because something that it needs is not."""
    found: set[Event] = set()
    for event in kept:
        if event not in needs or needs[event] in found:
            found.add(event)
    return frozenset(found)
