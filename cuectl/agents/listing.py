"""Agents for people: their limits and slots, what waits for them, and sending that away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.agents.rules import Slots, slots_from_record
from cuectl.agents.slots import canonical, limits_of, line, places
from cuectl.executions.effects import commit_with_effects
from cuectl.executions.rules.record import ExecutionStatus
from cuectl.executions.settle import finish, read_open
from cuectl.executions.targets import agent_directory, turn_limit_s
from cuectl.store import paths
from cuectl.values.ids import nearest, not_found
from cuectl.values.records import replace
from cuectl.values.times import to_text

if TYPE_CHECKING:
    from cuectl.definitions.in_force import InForce
    from cuectl.executions.effects import Effects, PassContext
    from cuectl.process.runtime import Runtime
    from cuectl.store.reading import ViewReader
    from cuectl.store.store import Transaction
    from cuectl.values.records import Record


def agents_in(source: ViewReader, in_force: InForce) -> list[Record]:
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
                "result_grace_s": agent.result_grace_s,
                "max_concurrent": limits.slots,
                "queue_size": limits.line,
                "running": len(slots.held),
                "waiting": slots.waiting,
            }
        )
    return found


def slots_in(source: ViewReader, agent: str) -> Slots:
    """Return the slots of an agent as a listing sees them."""
    record = source.read(paths.agent_slots(agent))
    return slots_from_record(record) if record is not None else Slots(agent=agent)


def queues_in(source: ViewReader, in_force: InForce) -> list[Record]:
    """Return what waits for each agent, also for one that is no longer defined."""
    names = sorted(source.names("queues"))
    agents = {each["name"]: each for each in agents_in(source, in_force)}
    for name in names:
        known = source.read(f"queues/{name}") if name.startswith("agent.") else None
        if known and (known["waiting"] or known["held"]):
            running, waiting = len(known["held"]), known["waiting"]
            agents.setdefault(known["agent"], {"running": running, "waiting": waiting})
    return [_row(source, names, name, agents[name]) for name in sorted(agents)]


def _row(source: ViewReader, names: list[str], name: str, agent: Record) -> Record:
    first = min(places(name, names), default=None)
    entry = source.read(f"queues/{first}") if first else None
    return {
        "kind": "agent",
        "name": name,
        "running": agent["running"],
        "max_concurrent": agent.get("max_concurrent"),
        "waiting": agent["waiting"],
        "queue_size": agent.get("queue_size"),
        "next": entry["execution"] if entry else None,
        "oldest": to_text(entry["since"]) if entry else None,
    }


def clear_queue(runtime: Runtime, name: str) -> list[str]:
    """Send away all that wait for an agent; return their ids. Raises NotFound."""
    hint = "all names: cuectl agents list"
    if runtime.existing_store is None:
        raise not_found("agent named", name, None, hint)

    def stage(tx: Transaction, context: PassContext, effects: Effects) -> list[str]:
        gone: list[str] = []
        agent = canonical({"type": "agent", "agent": name}, context.in_force)
        if context.in_force.agent(name) is None and not slots_in(tx, agent).waiting:
            near = nearest(name, context.in_force.agents)
            raise not_found("agent named", name, near, hint)
        # The last one first, so that none further ahead is served meanwhile.
        for place in reversed(line(tx, agent)):
            execution = read_open(tx, place.rsplit(".", 2)[1])
            if execution is None or execution.status is not ExecutionStatus.QUEUED:
                continue
            status = ExecutionStatus.SKIPPED
            skipped = replace(execution, status=status, reason="cleared", ended_at=tx.now)
            finish(tx, skipped, effects, {paths.open_execution(execution.id): None})
            gone.append(execution.id)
        return gone[::-1]

    return commit_with_effects(runtime, stage)
