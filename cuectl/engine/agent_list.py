"""The agents that there are: their limits, and how busy they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.engine.agent_slots import limits_of
from cuectl.engine.agent_work import agent_directory, turn_limit_s
from cuectl.model.agent_queue import Slots, slots_from_record
from cuectl.store import paths

if TYPE_CHECKING:
    from cuectl.engine.definitions_in_force import InForce
    from cuectl.engine.view_source import ViewSource

Record = dict[str, Any]


def agents_in(source: ViewSource, in_force: InForce) -> list[Record]:
    """Return the public form of every agent, by name."""
    found = []
    for name, agent in sorted(in_force.agents.items()):
        limits = limits_of({"type": "agent", "agent": name}, in_force)
        slots = slots_in(source, name)
        found.append(
            {
                "name": name,
                "id": agent.id,
                "driver": agent.driver,
                "command": list(agent.argv) or agent.shell,
                "cwd": agent_directory(agent),
                "model": agent.model,
                "timeout_s": turn_limit_s(agent, in_force),
                "idle_timeout_s": agent.idle_timeout_s,
                "max_concurrent": limits.slots,
                "queue_size": limits.line,
                "running": len(slots.held),
                "waiting": slots.waiting,
            }
        )
    return found


def slots_in(source: ViewSource, agent: str) -> Slots:
    """Return the slots of an agent as a listing sees them."""
    record = source.read(paths.agent_slots(agent))
    return slots_from_record(record) if record is not None else Slots(agent=agent)
