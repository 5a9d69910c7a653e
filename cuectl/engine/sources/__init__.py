"""Event sources: whatever tells that something has happened, without anybody emitting it.

Those of time are pure (`model/time_sources.py`) and are asked under the store lock. The
others look at the world: one module each, with a `poll`, in `POLLED`. A new one is a module
here and a line there.
"""

from __future__ import annotations

from cuectl.model import event_types as types
from cuectl.model.errors import CuectlError
from cuectl.model.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from cuectl.model.source_look import Look, Seen
    from cuectl.model.time_sources import Sight

    Record = dict[str, Any]


MINUTE_MS = 60_000


class SourceError(CuectlError):
    """A source can't be asked: what it says of that is kept, and told once.

    Attributes:
        too_often: it was asked more often than it allows.
    """

    def __init__(self, message: str, *, too_often: bool = False) -> None:
        super().__init__(message)
        self.too_often = too_often


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a poll may know.

    Attributes:
        trigger: of the subscription.
        root: the directory that relative paths begin at.
        memory: what it remembered last; None at the first look.
        now: by the clock in use.
        machine_ns: by the machine's clock, which is that of files.
        deadline_s: on the monotonic clock, when the poll must be over.
        environment: for programs.
        home: the state directory, which is never watched.
        accepts: whether the filter takes a payload.
        in_haste: what is still being changed is told as it is.
    """

    trigger: Record
    root: str
    memory: Record | None
    now: int
    machine_ns: int
    deadline_s: float
    environment: Mapping[str, str]
    home: str
    accepts: Callable[[Record], bool]
    in_haste: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PolledSource:
    """How a source outside is asked.

    Attributes:
        module: in this package.
        minutes: between two polls where the subscription says nothing; 0 for every pass.
        limit_s: for one poll.
        slow: it waits for others, so whatever is quick comes first.
        keeps_memory: a pause does not make it forget what it has seen.
    """

    module: str
    minutes: float = 0
    limit_s: float = 60.0
    slow: bool = False
    keeps_memory: bool = False

    def poll(self, ask: Ask) -> Seen:
        """Ask it.

        Raises:
            SourceError: it can't be asked.
        """
        from importlib import import_module

        found: Seen = import_module(f"{__name__}.{self.module}").poll(ask)
        return found

    def pace_ms(self, trigger: Record) -> int:
        """Return the time between two polls; 0 for every pass."""
        minutes = trigger.get("poll_minutes")
        return round((self.minutes if minutes is None else minutes) * MINUTE_MS)


# Type to the name of its rule in `model/time_sources.py`.
TIMED = {
    types.APP_STARTUP: "startup",
    types.HEARTBEAT: "heartbeat",
    types.SCHEDULED: "scheduled",
    types.ONCE: "once",
}


def timed(event: str) -> Callable[[Record, Record | None, Sight], Look]:
    """Return the rule of a source of time."""
    from cuectl.model import time_sources

    rule: Callable[[Record, Record | None, Sight], Look] = getattr(time_sources, TIMED[event])
    return rule


POLLED: dict[str, PolledSource] = {
    types.FILE_CHANGED: PolledSource(module="file_changed"),
    types.TASK_PENDING: PolledSource(module="task_pending"),
    types.PULL_REQUEST: PolledSource(
        module="github", minutes=5, limit_s=30.0, slow=True, keeps_memory=True
    ),
    types.ISSUE: PolledSource(
        module="github", minutes=5, limit_s=30.0, slow=True, keeps_memory=True
    ),
}
