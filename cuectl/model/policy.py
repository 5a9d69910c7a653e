"""How sure one must be: verification, limits, retries, catch-up, overlap (design.md section 6)."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from cuectl.model.values import dataclass

Record = dict[str, Any]

DEFAULT_TIMEOUT_S = 3600.0
DEFAULT_BACKOFF_S = (60.0, 300.0, 900.0)


class CatchUp(StrEnum):
    """What happens to occurrences that fell due while no pass ran."""

    LATEST = "latest"
    NONE = "none"
    ALL = "all"


class Overlap(StrEnum):
    """What happens to an occurrence while an earlier one of its cue is not over."""

    SKIP = "skip"
    QUEUE = "queue"
    CANCEL = "cancel"
    ALLOW = "allow"


class OnInterrupted(StrEnum):
    """What happens to an execution that lost its process and left no outcome."""

    REPORT = "report"
    RERUN = "rerun"


# The words of CueAPI for the same thing are accepted wherever ours are.
CATCH_UP_WORDS = {
    "latest": CatchUp.LATEST,
    "none": CatchUp.NONE,
    "all": CatchUp.ALL,
    "run_once_if_missed": CatchUp.LATEST,
    "skip_missed": CatchUp.NONE,
    "replay_all": CatchUp.ALL,
    "replay_all_missed": CatchUp.ALL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The policy of a cue. Spans are in seconds; None means the setting's default.

    Attributes:
        verification: a mode of `model/verification.py`.
        check: the checker's argv, for the mode `command`.
        timeout_s: limit of one attempt.
        max_attempts: retries + 1.
        backoff_s: waits before the second, third, ... attempt; the last one repeats.
        retry_on: kinds of failure that are tried again.
        deadline_s: an occurrence that starts later than this is missed.
        outcome_deadline_s: how long a report may come after the process has ended.
        alert: names of alert sinks.
        ping_url: of a monitor that hears of starts, successes and failures.
    """

    verification: str = "none"
    check: tuple[str, ...] = ()
    timeout_s: float | None = None
    max_attempts: int = 1
    backoff_s: tuple[float, ...] = DEFAULT_BACKOFF_S
    retry_on: tuple[str, ...] = ("failed", "timed_out")
    catch_up: CatchUp = CatchUp.LATEST
    overlap: Overlap = Overlap.SKIP
    deadline_s: float | None = None
    jitter_s: float = 0.0
    on_interrupted: OnInterrupted = OnInterrupted.REPORT
    outcome_deadline_s: float | None = None
    alert: tuple[str, ...] = ()
    ping_url: str | None = None

    def to_record(self) -> Record:
        """Return the JSON form; what has its default is left out."""
        record: Record = {}
        for name, default in _DEFAULTS.items():
            value = getattr(self, name)
            if value != default:
                record[name] = list(value) if isinstance(value, tuple) else value
        return record


_DEFAULTS: Record = {
    name: getattr(Policy(), name)
    for name in (
        "verification check timeout_s max_attempts backoff_s retry_on catch_up overlap "
        "deadline_s jitter_s on_interrupted outcome_deadline_s alert ping_url"
    ).split()
}
PLAIN = Policy()


def policy_from_record(record: Record) -> Policy:
    """Return the policy in a JSON form; unknown members are not looked at."""
    if not record:
        return PLAIN
    known = {name: record[name] for name in _DEFAULTS if name in record}
    for name in ("check", "backoff_s", "retry_on", "alert"):
        if name in known:
            known[name] = tuple(known[name])
    if "catch_up" in known:
        known["catch_up"] = CatchUp(known["catch_up"])
    if "overlap" in known:
        known["overlap"] = Overlap(known["overlap"])
    if "on_interrupted" in known:
        known["on_interrupted"] = OnInterrupted(known["on_interrupted"])
    return Policy(**known)
