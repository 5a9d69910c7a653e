"""Runs in a row as one history of changes, from which any mixture of them can be rebuilt.

Before anything else the history proves itself: all changes together must give, byte for byte, the
files that each run really left.
"""

from __future__ import annotations

import itertools
import stat
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from .operations import (
    Born,
    Effect,
    Kind,
    Moded,
    Named,
    Printed,
    Sized,
    Slot,
    Synced,
    SyncFailed,
    Wrote,
)
from .snapshot import Node, Snapshot, summary

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from .runs import Result


class ReplayMismatchError(AssertionError):
    """The recorded operations do not lead to the files that were found; the model has a hole."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Event:
    """One effect in the history: `at` counts the operations of all runs, `index` the events.

    Compared by identity, because the data of a write is costly to hash.
    `durable` marks what lies outside of the simulated disk: it is on it at once.
    """

    index: int
    at: int
    effect: Named | Wrote | Sized | Moded | Synced | SyncFailed
    durable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One operation of the history: what it was, and which run made it."""

    label: str
    run: int
    printed: bytes
    ends_run: bool


@dataclass(kw_only=True)
class History:
    """Everything that several runs in a row did to one tree."""

    start: Snapshot
    external: tuple[str, ...] = ()
    events: list[Event] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)
    births: dict[int, Born] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._start_nodes = {node.inode: node for node in self.start.nodes.values()}
        self._root = self.start.nodes[""].inode
        self._start_slots: dict[tuple[int, str], int | None] = {}
        for path, node in self.start.nodes.items():
            if path:
                parent, _, name = path.rpartition("/")
                self._start_slots[self.start.nodes[parent].inode, name] = node.inode
        self._fresh = itertools.count(max(self._start_nodes) + 1)

    def rebuild(
        self, kept: Collection[Event], torn: Mapping[Event, bytes] | None = None
    ) -> Snapshot:
        """Return the tree after some of the changes only, in their order.

        Args:
            kept: the changes that are on the disk.
            torn: writes of which something else than their data is there.
        """
        slots = dict(self._start_slots)
        files: dict[int, bytearray] = {}
        modes: dict[int, int] = {}
        touched: set[int] = set()
        for event in sorted(kept, key=lambda one: one.index):
            match event.effect:
                case Named(slots=changed):
                    slots.update({(slot.directory, slot.name): slot.inode for slot in changed})
                    touched.update(slot.directory for slot in changed)
                case Wrote(inode=inode, offset=offset, data=data):
                    data = (torn or {}).get(event, data)
                    _put(self._contents(files, inode), offset, data)
                    touched.add(inode)
                case Sized(inode=inode, size=size):
                    contents = self._contents(files, inode)
                    contents[size:] = bytes(max(0, size - len(contents)))
                    touched.add(inode)
                case Moded(inode=inode, mode=mode):
                    modes[inode] = mode
        return self._tree(slots, files, modes, touched)

    def _contents(self, files: dict[int, bytearray], inode: int) -> bytearray:
        if inode not in files:
            files[inode] = bytearray(self._node(inode).data)
        return files[inode]

    def _node(self, inode: int) -> Node:
        if inode in self._start_nodes:
            return self._start_nodes[inode]
        born = self.births[inode]
        return Node(inode=inode, kind=born.kind, mode=born.mode, data=born.data, target=born.target)

    def _tree(
        self,
        slots: dict[tuple[int, str], int | None],
        files: dict[int, bytearray],
        modes: dict[int, int],
        touched: set[int],
    ) -> Snapshot:
        children: dict[int, list[tuple[str, int]]] = {}
        for (directory, name), inode in slots.items():
            if inode is not None:
                children.setdefault(directory, []).append((name, inode))
        nodes: dict[str, Node] = {}
        pending = [("", self._root)]
        while pending:
            path, inode = pending.pop()
            node = self._node(inode)
            if inode in files:
                node = replace(node, data=bytes(files[inode]))
            if inode in modes:
                node = replace(node, mode=modes[inode])
            nodes[path] = replace(node, mtime_ns=None) if inode in touched else node
            if stat.S_ISDIR(node.kind):
                prefix = f"{path}/" if path else ""
                pending += [(prefix + name, child) for name, child in children.get(inode, [])]
        return Snapshot(nodes=nodes)

    def append(self, run: Result) -> None:
        """Add a recorded run, which must begin where the history ends.

        Raises:
            ReplayMismatchError: it does not, or replaying it does not give its end state.
        """
        assert run.start is not None, "record the run with its data"
        assert run.end is not None
        before = self.rebuild(self.changes())
        self._compare(before, run.start, "something changed the files before this run", run)
        numbers = {node.inode: before.nodes[path].inode for path, node in run.start.nodes.items()}
        number = self._runs()
        for index, op in enumerate(run.ops):
            # Whoever was told of the end of a run was told all that it printed.
            ends = (op.main and op.kind is Kind.EXIT) or index == len(run.ops) - 1
            outside = any(_within(op.path, one) for one in self.external)
            printed = b""
            for effect in op.effects:
                if isinstance(effect, Born):
                    numbers[effect.inode] = next(self._fresh)
                    self.births[numbers[effect.inode]] = effect
                elif isinstance(effect, Printed):
                    printed += effect.data if effect.stream == 1 else b""
                else:
                    self._add(_renumbered(effect, numbers), outside)
            label = f"{op}{'' if op.result is not None else ' (killed)'}"
            self.moments.append(Moment(label=label, run=number, printed=printed, ends_run=ends))
        self._compare(self.rebuild(self.changes()), run.end, "the replay differs", run)

    def changes(self) -> list[Event]:
        """Return the events that change something; the others are about durability."""
        return [one for one in self.events if not isinstance(one.effect, (Synced, SyncFailed))]

    def _runs(self) -> int:
        return self.moments[-1].run + 1 if self.moments else 0

    def _add(self, effect: Named | Wrote | Sized | Moded | Synced | SyncFailed, out: bool) -> None:
        event = Event(index=len(self.events), at=len(self.moments), effect=effect, durable=out)
        self.events.append(event)

    def _compare(self, replayed: Snapshot, found: Snapshot, cause: str, run: Result) -> None:
        if differences := replayed.differences(found):
            raise ReplayMismatchError(f"{cause} ({' '.join(run.argv)}): {summary(differences)}")


def history_of(start: Snapshot, runs: Sequence[Result], external: Sequence[str] = ()) -> History:
    """Put recorded runs in a row behind a start state; see `History.append` for what is raised."""
    history = History(start=start, external=tuple(external))
    for run in runs:
        history.append(run)
    return history


def _put(contents: bytearray, offset: int, data: bytes) -> None:
    if offset > len(contents):
        contents.extend(bytes(offset - len(contents)))
    contents[offset : offset + len(data)] = data


def _within(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(prefix + "/")


def _renumbered(
    effect: Effect, numbers: Mapping[int, int]
) -> Named | Wrote | Sized | Moded | Synced | SyncFailed:
    match effect:
        case Named(slots=slots):
            return replace(effect, slots=tuple(_renumbered_slot(slot, numbers) for slot in slots))
        case Wrote() | Sized() | Moded():
            return replace(effect, inode=numbers[effect.inode])
        case Synced() | SyncFailed():
            inode = None if effect.inode is None else numbers[effect.inode]
            return replace(effect, inode=inode)
        case _:
            raise AssertionError(f"{effect} has no inode number")


def _renumbered_slot(slot: Slot, numbers: Mapping[int, int]) -> Slot:
    inode = None if slot.inode is None else numbers[slot.inode]
    return replace(slot, directory=numbers[slot.directory], inode=inode)
