"""What a person asked of a pass, and what it tells at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cuectl.engine.watching import Watched

DEFAULT_POLL_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PassOptions:
    """Options of `run-due` and `worker`.

    Attributes:
        only: names or ids of cues; empty for all.
        executions: ids of executions to run and nothing else, for `fire --wait`.
        max_parallel: lowers the setting, never raises it.
        max_time_s: no new starts after this; what runs is waited for.
        end_after_s: what still runs after this is ended, as by SIGTERM.
        worker: the worker's name in records and environments.
        stay: go on when nothing is left to do, until a signal comes (a worker).
        poll_s: how often a worker looks for changes of others.
        claimed: called with 0 once the first claims are durable.
        watch: called twice a second with what runs, and with nothing before something is told;
            only where somebody is at a terminal.
    """

    only: frozenset[str] = frozenset()
    executions: frozenset[str] = frozenset()
    max_parallel: int | None = None
    max_time_s: float | None = None
    end_after_s: float | None = None
    worker: str | None = None
    stay: bool = False
    poll_s: float = DEFAULT_POLL_S
    claimed: Callable[[int], None] | None = None
    watch: Callable[[Sequence[Watched]], None] | None = None


@dataclass(slots=True, kw_only=True)
class PassResult:
    """What a pass did.

    Attributes:
        started, settled: executions.
        failed: whether any of them settled as a failure.
        signal: the signal that ended the pass.
        problems: what the pass itself could not do; it did not work when there are any.
    """

    started: int = 0
    settled: int = 0
    failed: bool = False
    signal: int | None = None
    problems: tuple[str, ...] = ()
