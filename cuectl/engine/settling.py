"""What one change that settles executions needs, and what comes of it besides its events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.model.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.engine.definitions_in_force import InForce
    from cuectl.engine.listeners import Listener
    from cuectl.model.audience import Audience
    from cuectl.model.execution import Execution


def _utc(_: int) -> int:
    return 0


@dataclass(slots=True, kw_only=True)
class Settling:
    """What settling needs besides the transaction.

    Attributes:
        now: the instant of the change.
        random: for ids of alerts.
        pass_id, boot: of the pass that claims what becomes free; None in a command, which
            leaves that to the next pass.
        masked: hides secrets in a text.
        mask_json: hides secrets in a JSON value.
        in_force: the definitions, for the limits of agents and what listens to events; None
            leaves both to the next pass.
        worker: name of the worker whose pass it is.
        offset_of: how far local time is from UTC at an instant, in minutes.
        room: how many more executions the pass may claim for what events start; None when it
            leaves all of them to the agenda.
        listeners: type of event to who listens to it, as this change has read it.
        texts: execution to the final text that was found of it.
        sinks_of: where alerts go, from the sinks that a policy names.
        lines: what was raised, for the standard error of the pass.
        claimed: executions that this settling has claimed for the pass.
        deliver: whether an alert waits for a command or a webhook.
        cancel: executions that an event has displaced, whose processes are to be ended.
        failed: whether something settled as a failure.
    """

    now: int
    random: Callable[[int], bytes]
    pass_id: str | None = None
    boot: str | None = None
    masked: Callable[[str], str] = str
    mask_json: Callable[[object], object] = lambda value: value
    sinks_of: Callable[[tuple[str, ...]], tuple[str, ...]] = tuple
    in_force: InForce | None = None
    worker: str | None = None
    offset_of: Callable[[int], int] = _utc
    room: Callable[[], int] | None = None
    listeners: dict[str, Audience[Listener]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    claimed: list[Execution] = field(default_factory=list)
    cancel: list[str] = field(default_factory=list)
    failed: bool = False
    deliver: bool = False

    def takes_on(self) -> bool:
        """Tell whether the pass may claim one more execution that an event starts."""
        return self.pass_id is not None and self.room is not None and self.room() > 0
