"""One call of the interface: who calls, and the surroundings."""

from __future__ import annotations

from cuectl.model.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.api.messages import Request
    from cuectl.api.service import Service
    from cuectl.engine.runtime import Runtime
    from cuectl.store.reading import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whoever holds the token of the request.

    Attributes:
        execution_id: the execution whose handler calls; None for the user.
        attempt: of that execution.
    """

    execution_id: str | None = None
    attempt: int = 0

    @property
    def is_user(self) -> bool:
        """Whether the user calls, and no handler."""
        return self.execution_id is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a handler of a route gets first."""

    service: Service
    caller: Caller
    request: Request

    @property
    def runtime(self) -> Runtime:
        """State directory, clock, randomness."""
        return self.service.runtime

    @property
    def now(self) -> int:
        """The instant."""
        return self.service.runtime.now()

    def reader(self) -> Reader:
        """Return a look at the store."""
        from cuectl.store.reading import open_reader

        return open_reader(self.runtime.existing_store)
