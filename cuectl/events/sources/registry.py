"""Event sources that look at the world: one module each, with a `poll`, in `POLLED`.

A pass that has nothing else to do looks at files and tasks the short way: the full pass before
has left in `polls` what it asked and which memory belongs to it. Whatever is not plain and quiet
(news, errors, a missing file) is left to a full pass. Little is imported here for that.
"""

from __future__ import annotations

import json
import os
import time

from cuectl.events.rules import event as types
from cuectl.store import files
from cuectl.store.workflow_files import try_lock
from cuectl.values.errors import CuectlError
from cuectl.values.records import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cuectl.events.rules.event import Seen
    from cuectl.values.records import Record

MINUTE_MS = 60_000
NO_LIMIT = 1 << 30


class SourceError(CuectlError):
    """A source can't be asked: what it says of that is kept, and told once."""

    def __init__(self, message: str, *, too_often: bool = False) -> None:
        super().__init__(message)
        self.too_often = too_often


@dataclass(frozen=True, slots=True, kw_only=True)
class PollRequest:
    """What a poll may know."""

    trigger: Record
    root: str  # the directory that relative paths start at
    memory: Record | None  # what it remembered last; None at the first look
    now: int  # by the clock in use
    machine_ns: int  # by the machine's clock, which is that of files
    deadline_s: float  # on the monotonic clock
    environment: Mapping[str, str]
    home: str  # the state directory, which is never watched
    accepts: Callable[[Record], bool]  # whether the filter takes a payload
    in_haste: bool = False  # what is still being changed is told as it is
    room: int = NO_LIMIT  # how many news that the filter takes may be reported

    def news(self) -> types.News:
        """Return what collects the news of this poll."""
        return types.News(accepts=self.accepts, room=self.room)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolledSource:
    """How a source outside is asked."""

    module: str  # in this package
    minutes: float = 0  # between two polls where the subscription says nothing; 0 for every pass
    limit_s: float = 60.0

    def poll(self, ask: PollRequest) -> Seen:
        """Ask it. Raises SourceError: it can't be asked."""
        return self.asker()(ask)

    def asker(self) -> Callable[[PollRequest], Seen]:
        """Return what asks it, loaded."""
        from importlib import import_module

        found: Callable[[PollRequest], Seen]
        found = import_module(f"cuectl.events.sources.{self.module}").poll
        return found

    def pace_ms(self, trigger: Record) -> int:
        """Return the time between two polls; 0 for every pass."""
        minutes = trigger.get("poll_minutes")
        return round((self.minutes if minutes is None else minutes) * MINUTE_MS)


POLLED: dict[str, PolledSource] = {
    types.FILE_CHANGED: PolledSource(module="file_changed"),
    types.TASK_PENDING: PolledSource(module="task_pending"),
    types.PULL_REQUEST: PolledSource(module="github", minutes=5),
    types.ISSUE: PolledSource(module="github", minutes=5),
}


def find_nothing(home: str) -> bool:
    """Tell whether all sources that each pass looks at are as they were."""
    lock = None
    try:
        polls = json.loads(files.read_file(f"{home}/polls") or b"{}")
        quick = [plan["quick"] for plan in polls.values() if "quick" in plan]
        # Whoever holds it may be stuck: a full pass can go around that.
        lock = try_lock(f"{home}/memory/quick.lock") if quick else None
        return not quick or (lock is not None and all(_is_quiet(home, one) for one in quick))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SourceError):
        return False
    finally:
        if lock is not None:
            os.close(lock)


def _is_quiet(home: str, quick: Record) -> bool:
    memory = json.loads(files.read_file(f"{home}/memory/{quick['memory']}", 1 << 30) or b"")
    source = POLLED[quick["event"]]
    seen = source.poll(
        PollRequest(
            trigger={"watch": quick["watch"]},
            root=quick["root"],
            memory=memory,
            now=0,
            machine_ns=time.time_ns(),
            deadline_s=time.monotonic() + source.limit_s,
            environment={},
            home=home,
            accepts=bool,
        )
    )
    return not seen.happenings and seen.memory is None and seen.problem is None and not seen.rests
