"""What changes that settle something share: their context, and what they raise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.engine.definitions_in_force import definitions
from cuectl.engine.deliver import start_delivery
from cuectl.engine.surroundings import Context, context_of

if TYPE_CHECKING:
    from cuectl.api.caller import Call
    from cuectl.engine.settling import Settling


def context_of_call(call: Call) -> Context:
    """Return the surroundings of a change; the store lock is held."""
    return context_of(call.runtime, definitions(call.runtime.store), None, None)


def tell(call: Call, context: Context, to: Settling) -> None:
    """Say what a committed change has raised, and have its alerts delivered."""
    for line in to.lines:
        context.tell(line)
    if to.deliver:
        start_delivery(call.runtime)
