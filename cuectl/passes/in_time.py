"""Whether what this pass runs is in time, looked at beside the running handlers."""

from __future__ import annotations

from cuectl.executions.rules.record import Phase
from cuectl.values.times import MINUTE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cuectl.executions.effects import Effects
    from cuectl.executions.supervise import Running
    from cuectl.store.store import Transaction

_NEVER = 1 << 62


class InTime:
    """When each of the runs is looked at; one whose cue expects nothing never is."""

    def __init__(self) -> None:
        self._look_at: dict[tuple[str, int], int] = {}

    def due(self, running: Iterable[Running], now: int) -> list[Running]:
        """Return what is to be looked at now; should that fail, it is again in a minute."""
        found = []
        for one in running:
            execution = one.execution
            key = execution.id, execution.attempt
            is_main = execution.phase in (None, Phase.MAIN)
            if execution.policy.expects and is_main and self._look_at.get(key, 0) <= now:
                self._look_at[key] = now + MINUTE
                found.append(one)
        return found

    def look(self, tx: Transaction, runs: Iterable[Running], effects: Effects) -> None:
        """Stage what is to be told, and note when to look again."""
        from cuectl.alerts.expectations import look_at_run

        for one in runs:
            again = look_at_run(tx, one.execution, one.started_at, effects)
            key = one.execution.id, one.execution.attempt
            self._look_at[key] = _NEVER if again is None else again
