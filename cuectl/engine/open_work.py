"""What is running, queued and waiting now, counted from the views and the spawn logs."""

from __future__ import annotations

from cuectl.engine.clock import since_boot_ns
from cuectl.model.start import Phase, process_key
from cuectl.model.values import dataclass
from cuectl.store import passes
from cuectl.store.views import BadView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cuectl.engine.view_source import ViewSource
    from cuectl.store.passes import Spawned

    Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """An execution whose process was started and has not been seen to end."""

    id: str
    cue_name: str
    started_at: int


@dataclass(slots=True, kw_only=True)
class OpenWork:
    """What is not over.

    Attributes:
        running: oldest first.
        claimed: about to be started by a pass.
        queued: behind an earlier execution of the same cue.
        pending: due and waiting for somebody who can run it.
        retrying: waiting for their next attempt.
        reporting: their process is over, their report may still come.
        unverified: wait for `cuectl verify`.
        unreadable: views that are damaged.
    """

    running: list[Running]
    claimed: int = 0
    queued: int = 0
    pending: int = 0
    retrying: int = 0
    reporting: int = 0
    unverified: int = 0
    unreadable: int = 0


def open_work(source: ViewSource, home: str, now: int) -> OpenWork:
    """Return what is not over."""
    work = OpenWork(running=[])
    logs: dict[str, dict[str, Spawned]] = {}
    boot_ns = since_boot_ns()
    for name in sorted(source.names("open")):
        record = _read(source, f"open/{name}", work)
        if record is None:
            continue
        if record["status"] == "queued":
            work.queued += 1
            continue
        spawned = _spawned(record, home, logs)
        if spawned is None:
            work.claimed += 1
        elif spawned.status is None:
            began = now - (boot_ns - spawned.started_ns) // 1_000_000
            one = Running(id=record["id"], cue_name=record["cue_name"], started_at=began)
            work.running.append(one)
    for name in source.names("waiting"):
        record = _read(source, f"waiting/{name}", work)
        if record is not None:
            _count_waiting(record, work)
    return work


def _read(source: ViewSource, path: str, work: OpenWork) -> Record | None:
    try:
        return source.read(path)
    except BadView:
        work.unreadable += 1
        return None


def _spawned(record: Record, home: str, logs: dict[str, dict[str, Spawned]]) -> Spawned | None:
    pass_id = record.get("pass_id") or ""
    if pass_id not in logs:
        logs[pass_id] = passes.read_spawn_log(home, pass_id) or {} if pass_id else {}
    phase = Phase(record.get("phase") or Phase.MAIN)
    return logs[pass_id].get(process_key(record["id"], record.get("attempt", 1), phase))


def _count_waiting(record: Record, work: OpenWork) -> None:
    if record.get("outcome_state") == "verification_pending":
        work.unverified += 1
    elif record["status"] == "pending":
        work.pending += 1
    elif record.get("reason") == "report":
        work.reporting += 1
    else:
        work.retrying += 1
