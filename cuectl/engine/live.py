"""What an open execution is doing at this moment.

The record of a claim does not say whether its process was started, because that would cost a
commit; the pass that claimed it notes it in its spawn log (store-protocol.md, hole A14).
"""

from __future__ import annotations

from typing import Any

from cuectl.engine import process_tree
from cuectl.engine.clock import since_boot_ns
from cuectl.model.execution_status import ExecutionStatus
from cuectl.model.instants import to_text
from cuectl.model.start import Phase, process_key
from cuectl.store import home as home_directory
from cuectl.store import output, passes, paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.store.passes import Spawned

Record = dict[str, Any]

STARTS_AGAIN = "its pass has died; the next one starts it"
RUNS_ON = "its pass has died; it runs on"
LOST = "its process is gone; the next pass settles it"
ENDED = "it has ended and is being settled"
CHECKING = "its outcome is being checked"


class Live:
    """Looks at the passes once, and tells of any number of executions."""

    def __init__(self, home: str, now: int) -> None:
        self.home = home
        self.now = now
        self._boot = home_directory.boot_id()
        self._logs: dict[str, dict[str, Spawned] | None] = {}
        self._alive: dict[str, bool] = {}

    def of(self, record: Record) -> Record:
        """Return a record of `open/` or `waiting/` with its live status, start and reason."""
        if record.get("status") not in ("pending", "running") or not record.get("pass_id"):
            return record
        changed = dict(record)
        if record.get("boot") != self._boot or self._boot == "-":
            return changed | {"status": ExecutionStatus.RUNNING.value, "reason": LOST}
        self._set(changed)
        return changed

    def _set(self, record: Record) -> None:
        phase = Phase(record["phase"]) if record.get("phase") else Phase.MAIN
        key = process_key(record["id"], record.get("attempt", 1), phase)
        log = self._log(record["pass_id"])
        spawned = (log or {}).get(key)
        if log is not None and spawned is None:
            alive = self._is_alive(record["pass_id"])
            record["reason"] = record.get("reason") if alive else STARTS_AGAIN
            return
        record["status"] = ExecutionStatus.RUNNING.value
        record["reason"] = self._reason(record, spawned, phase)
        if spawned is not None and phase is Phase.MAIN:
            age_ms = (since_boot_ns() - spawned.started_ns) // 1_000_000
            record["started_at"] = to_text(self.now - age_ms)

    def _reason(self, record: Record, spawned: Spawned | None, phase: Phase) -> str | None:
        if spawned is None:
            return LOST
        if spawned.status is not None:
            return ENDED
        if self._is_alive(record["pass_id"]):
            return CHECKING if phase is Phase.CHECK else None
        return RUNS_ON if self._has_process(record, spawned) else LOST

    def _has_process(self, record: Record, spawned: Spawned) -> bool:
        attempt = record.get("attempt", 1)
        if output.is_leased(paths.run_file(self.home, record["id"], attempt, "out")):
            return True
        if spawned.pid and process_tree.is_alive(spawned.pid, spawned.started_ns):
            return True
        return process_tree.any_carries(record["id"], attempt)

    def _log(self, pass_id: str) -> dict[str, Spawned] | None:
        if pass_id not in self._logs:
            self._logs[pass_id] = passes.read_spawn_log(self.home, pass_id)
        return self._logs[pass_id]

    def _is_alive(self, pass_id: str) -> bool:
        if pass_id not in self._alive:
            self._alive[pass_id] = passes.is_alive(self.home, pass_id)
        return self._alive[pass_id]
