"""The regular work of a worker's first process, whatever happens to the others.

It renews the leases of all runs, including those of killed processes; ends trees on request;
concludes runs whose end was not seen; sends results until they are collected. It imports no Celery.
"""

from __future__ import annotations

import json
from contextlib import suppress

from cuectl.executions.executors import errand
from cuectl.executions.executors.local import exit_of
from cuectl.executions.rules import wire
from cuectl.executions.rules.record import Cause, Ended, Phase
from cuectl.executions.rules.wire import Dropped, Kind, RemoteStart
from cuectl.executions.supervise import GRACE_S, KILL_S
from cuectl.process import process_tree
from cuectl.process.runtime import monotonic_s, since_boot_ns
from cuectl.store import output, paths
from cuectl.values.errors import CuectlError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.executions.executors.cells import Reply, Word
    from cuectl.executions.executors.errand import Post
    from cuectl.store.fleet_files import StartFolder
    from cuectl.store.pass_files import Spawned

_CLEAN_EVERY_S = 3_600.0
_CUT_OFF_SPARE_S = 60.0  # by so much a worker ends its work before the control machine gives it up


class Janitor:
    """Looks after all starts of one worker."""

    def __init__(self, site: Post, slots: int, tell: Callable[[str], None]) -> None:
        self.running: list[str] = []
        self._site = site
        self._slots = slots
        self._tell = tell
        self._told = ""
        self._reached_s = monotonic_s()
        self._cleaned_s = float("-inf")
        self._ends: dict[str, process_tree.TreeEnd] = {}
        self._asked: dict[str, int] = {}

    def look(self) -> None:
        """Check everything once; report a silent store once, and wait for it."""
        spooled: list[str] = []
        running: list[str] = []
        try:
            for key in self._site.files.begun():
                if self._site.files.has_spooled(key):
                    spooled.append(key)
                elif self._is_running(key):
                    running.append(key)
            self.running = running
            self._beat(running)
            self._send(spooled)
            if monotonic_s() - self._cleaned_s >= _CLEAN_EVERY_S:
                self._cleaned_s = monotonic_s()
                self._site.files.forget_old(self._site.runtime.now())
        except (CuectlError, OSError) as error:
            if str(error) != self._told:
                self._told = str(error)
                self._tell(str(error))
        else:
            self._told = ""

    def end_all(self) -> None:
        """End everything that a process of ours supervises."""
        for key in self.running:
            folder = self._site.files.folder(key)
            if folder.is_supervised():
                folder.note("cause", Cause.SHUTDOWN)

    def leave(self) -> None:
        """Say that this worker has gone."""
        with suppress(CuectlError):
            self._site.cells.ask(("HDEL", wire.workers(self._site.executor), self._site.host))

    # --- one start ---------------------------------------------------------------------

    def _is_running(self, key: str) -> bool:
        """Tell whether a start is alive; conclude it, or give it back, when it is not."""
        folder = self._site.files.folder(key)
        try:
            record = wire.unseal(self._site.secret, Kind.START, folder.read("start"))
            start = wire.remote_start_from(record)
        except Dropped:
            # It has just gone, or another key was used.
            return False
        if folder.is_supervised():
            self._end_if_cut_off(start, folder)
            return True
        spawned = folder.spawned(key)
        if self._site.files.has_spooled(key):
            return False
        if spawned is None:
            self._give_back(key, folder)
            return False
        same_boot = folder.read("boot") == self._site.runtime.store.boot
        if same_boot and self._has_processes(start, folder, spawned):
            self._end_if_cut_off(start, folder)
            self._end_orphan(start, folder, spawned)
            return True
        self._conclude(start, folder, spawned, same_boot=same_boot)
        return False

    def _give_back(self, key: str, folder: StartFolder) -> None:
        """Give back to other workers what was taken here and never started."""
        self._site.cells.give_back(wire.fence(key), folder.read("fence"))
        self._site.cells.ask(("DEL", wire.lease(key)))
        self._site.files.forget(key, None)

    def _has_processes(self, start: RemoteStart, folder: StartFolder, spawned: Spawned) -> bool:
        one = start.execution
        suffix = "out" if start.phase is Phase.MAIN else f"{start.phase}.out"
        if output.is_leased(paths.run_file(folder.path, one.id, one.attempt, suffix)):
            return True
        if spawned.pid and process_tree.is_alive(spawned.pid, spawned.started_ns):
            return True
        return start.phase is Phase.MAIN and process_tree.any_carries(one.id, one.attempt)

    def _end_orphan(self, start: RemoteStart, folder: StartFolder, spawned: Spawned) -> None:
        """End an unsupervised tree, when it is time or on request."""
        if not folder.read("cause"):
            if (since_boot_ns() - spawned.started_ns) / 1e9 < start.timeout_s:
                return
            folder.note("cause", Cause.TIMEOUT)
        if start.key in self._ends:
            self._ends[start.key].is_over()
            return
        pid = spawned.pid
        alive = pid is not None and process_tree.is_alive(pid, spawned.started_ns)
        self._ends[start.key] = process_tree.TreeEnd(
            start.execution.id,
            start.execution.attempt,
            pid if alive else None,
            grace_s=GRACE_S,
            kill_s=KILL_S,
        )

    def _end_if_cut_off(self, start: RemoteStart, folder: StartFolder) -> None:
        """End a run that may start again elsewhere, before the control machine gives it up."""
        silent_s = monotonic_s() - self._reached_s
        if start.end_if_cut_off and silent_s >= start.lost_after_s - _CUT_OFF_SPARE_S:
            folder.note("cause", Cause.SHUTDOWN)

    def _conclude(
        self, start: RemoteStart, folder: StartFolder, spawned: Spawned, *, same_boot: bool
    ) -> None:
        """Write the result of a run that ended without one, as a pass recovers it."""
        now, cause = self._site.runtime.now(), folder.read("cause")
        code, number = (None, None) if spawned.status is None else exit_of(spawned.status)
        ended = Ended(
            execution_id=start.execution.id,
            attempt=start.execution.attempt,
            phase=start.phase,
            exit_code=code,
            signal=number,
            cause=Cause(cause) if cause else None,
            started_at=now - (since_boot_ns() - spawned.started_ns) // 1_000_000
            if same_boot
            else None,
            ended_at=now,
            lost=spawned.status is None,
        )
        execution = errand.execution_on_worker(start, start.execution)
        context = self._site.context(folder)
        sealed = errand.result_of(self._site, start, execution, context, folder, ended)
        self._site.files.spool(start.key, sealed)
        self._ends.pop(start.key, None)
        errand.send(self._site, start.key)

    # --- the store between -------------------------------------------------------------

    def _beat(self, running: list[str]) -> None:
        site = self._site
        asked: list[tuple[Word, ...]] = [("TIME",)]
        for key in running:
            asked += [
                ("SET", wire.lease(key), site.host, "EX", wire.LEASE_S),
                ("GET", wire.cancel(key)),
            ]
        replies = site.cells.ask(*asked)
        self._reached_s = monotonic_s()
        for key, cell in zip(running, replies[2::2], strict=True):
            if self._is_signed(cell, Kind.CANCEL, key):
                site.files.folder(key).note("cause", Cause.CANCEL)
        more: list[tuple[Word, ...]] = []
        for key in running:
            folder = site.files.folder(key)
            size = output.size(folder.asks_path)
            if size != self._asked.get(key, 0):
                self._asked[key] = size
                sealed = wire.seal(site.secret, Kind.ASKS, {"key": key, "asks": folder.asks()})
                more.append(("SET", wire.asks(key), sealed, "EX", errand.RESULT_S))
        in_force = site.in_force()
        said = {
            "seen_ms": site.cells.now_ms(),
            "labels": list(site.labels),
            "slots": self._slots,
            "running": len(running),
            "wire": wire.VERSION,
            "handlers": sorted(in_force.definitions.handlers),
            "agents": sorted(in_force.agents),
            "accept_commands": site.accept_commands,
        }
        more.append(("HSET", wire.workers(site.executor), site.host, json.dumps(said)))
        site.cells.ask(*more)

    def _is_signed(self, cell: Reply, kind: Kind, key: str) -> bool:
        if not isinstance(cell, bytes):
            return False
        try:
            return wire.unseal(self._site.secret, kind, cell).get("key") == key
        except Dropped:
            return False

    def _send(self, keys: list[str]) -> None:
        """Send the missing results, and forget those that were collected."""
        site = self._site
        # A result goes when it was taken, after that was said: looked at in this order.
        there = site.cells.ask(*(("EXISTS", wire.result(key)) for key in keys))
        taken = site.cells.texts([wire.ack(key) for key in keys])
        for key, is_there, acknowledged in zip(keys, there, taken, strict=True):
            if self._is_signed(acknowledged, Kind.ACK, key):
                site.files.forget(key, self._start_by(key))
                self._asked.pop(key, None)
            elif not is_there:
                errand.send(site, key)

    def _start_by(self, key: str) -> int:
        text = self._site.files.folder(key).read("start").partition("\n")[2]
        with suppress(ValueError, KeyError, TypeError):
            return int(json.loads(text)["start_by"])
        return self._site.runtime.now()
