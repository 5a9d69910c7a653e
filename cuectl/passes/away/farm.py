"""One executor, as a pass sees it while it handles the work there."""

from __future__ import annotations

from cuectl.values.records import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.definitions.rules.definitions import ExecutorDefinition
    from cuectl.executions.effects import Effects
    from cuectl.executions.executors.remote import KeySight, RemoteExecutor
    from cuectl.executions.rules.record import Execution
    from cuectl.store.store import Transaction
    from cuectl.values.records import Record

    Stage = Callable[[Transaction, Effects], None]
    Commit = Callable[[Stage], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """Whether the engine remembers everything sent since an instant."""

    store_id: str
    word: str
    since: int
    is_forgotten: bool


@dataclass(slots=True)
class Farm:
    """One executor, as a pass sees it."""

    name: str
    definition: ExecutorDefinition | None
    memory: Record
    there: dict[str, Execution] = field(default_factory=dict)  # by key
    late: dict[str, Record] = field(default_factory=dict)  # by key
    executor: RemoteExecutor | None = None
    clock_offset_ms: int = 0
    sights: dict[str, KeySight] = field(default_factory=dict)
    epoch: Epoch | None = None

    @property
    def keys(self) -> Record:
        """What is remembered of each key."""
        known: Record = self.memory.setdefault("keys", {})
        return known
