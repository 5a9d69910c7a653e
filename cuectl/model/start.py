"""What is to be started and what came back: plain data on both sides of the executor.

`engine/local_executor.py` runs a `Start` on this machine; an executor for another engine
would take the same value and return the same value (design.md section 7).
"""

from __future__ import annotations

from enum import StrEnum

from cuectl.model.values import dataclass, field


class Phase(StrEnum):
    """Which process of an attempt this is (contracts.md, identity 2)."""

    MAIN = "main"
    CHECK = "check"
    FOLLOWUP = "followup"


class Cause(StrEnum):
    """Why cuectl ended a process that had not ended by itself."""

    TIMEOUT = "timeout"
    CANCEL = "cancel"
    SHUTDOWN = "shutdown"
    IDLE = "idle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A process to start.

    Attributes:
        execution_id, attempt, phase: what it is a process of.
        argv: program and arguments; the program is looked up on the PATH in `env`.
        cwd: absolute.
        output: absolute path of the output file; also its lease.
        timeout_s: wall-clock limit.
        idle_timeout_s: limit of the time in which nothing is printed.
        stdin: absolute path of what it reads; nothing when None.
        errors: absolute path for its standard error; the output file when None.
    """

    execution_id: str
    attempt: int
    phase: Phase = Phase.MAIN
    argv: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    cwd: str
    output: str
    timeout_s: float
    idle_timeout_s: float | None = None
    stdin: str | None = None
    errors: str | None = None

    @property
    def key(self) -> str:
        """The name of this process in the spawn log."""
        return process_key(self.execution_id, self.attempt, self.phase)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A process that ended, or could not be started.

    Attributes:
        exit_code: None when a signal ended it, it never started, or nobody saw its end.
        signal: number of the signal that ended it.
        cause: why cuectl ended it; None when it ended by itself.
        spawn_error: why it could not be started.
        started_at, ended_at: wall clock; duration_s from the monotonic clock.
        lost: nobody saw its end: the pass died, or the machine.
        survivors: pids of its tree that could not be ended.
    """

    execution_id: str
    attempt: int
    phase: Phase = Phase.MAIN
    exit_code: int | None = None
    signal: int | None = None
    cause: Cause | None = None
    spawn_error: str | None = None
    started_at: int | None = None
    ended_at: int
    duration_s: float | None = None
    lost: bool = False
    survivors: tuple[int, ...] = ()


def process_key(execution_id: str, attempt: int, phase: Phase = Phase.MAIN) -> str:
    """Return the name of a process in the spawn log: `<execution>.<attempt>[.<phase>]`."""
    suffix = "" if phase is Phase.MAIN else f".{phase}"
    return f"{execution_id}.{attempt}{suffix}"
