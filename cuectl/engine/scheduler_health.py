"""Whether anything calls `run-due` at all: the one thing that no pass can tell.

Every pass leaves its time as that of `last-pass`, the idle one too.
"""

from __future__ import annotations

import os

from cuectl.model.values import dataclass
from cuectl.store import passes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

LATE_MS = 300_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerHealth:
    """When passes were seen.

    Attributes:
        last_pass_at: when the last one began or ended; None when there never was one.
        running: how many are at work now.
    """

    last_pass_at: int | None
    running: int = 0

    def age_ms(self, now: int) -> int | None:
        """Return how long ago the last pass was; a clock that was set back makes it 0."""
        return None if self.last_pass_at is None else max(0, now - self.last_pass_at)

    def is_late(self, now: int, limit_ms: int = LATE_MS) -> bool:
        """Tell whether no pass was seen for longer than `limit_ms`."""
        age = self.age_ms(now)
        return age is None or age > limit_ms


def scheduler_health(home: str) -> SchedulerHealth:
    """Return when passes were seen in a state directory."""
    # The run of a workflow has a file among those of passes, with no slots, and is none.
    ids = [one for one in passes.pass_ids(home) if not one.endswith("-0")]
    alive = [one for one in ids if passes.is_alive(home, one)]
    seen = [_began_at(one) for one in alive]
    try:
        found = os.stat(f"{home}/last-pass", follow_symlinks=False)
        seen.append(found.st_mtime_ns // 1_000_000)
    except FileNotFoundError:
        pass
    times = [at for at in seen if at is not None]
    return SchedulerHealth(last_pass_at=max(times, default=None), running=len(alive))


def _began_at(pass_id: str) -> int | None:
    """Return the time in the id of a pass: `<ms>-<pid>-<slots>`."""
    text = pass_id.partition("-")[0]
    return int(text) if text.isdigit() else None


def install_command(home: str, environment: Mapping[str, str]) -> str:
    """Return the command that has `run-due` called for a home, from the shell of its user."""
    usual = environment.get("CUECTL_HOME") or os.path.join(os.path.expanduser("~"), ".cue")
    if home == os.path.abspath(usual):
        return "cuectl scheduler install"
    from shlex import quote

    return f"cuectl --home {quote(home)} scheduler install"
