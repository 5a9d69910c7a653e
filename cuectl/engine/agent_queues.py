"""What waits for agents: listed for people, and sent away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.engine.agent_list import agents_in, slots_in
from cuectl.engine.agent_slots import canonical, line, places
from cuectl.engine.definitions_in_force import definitions_now
from cuectl.engine.settle import finish, read_open
from cuectl.engine.surroundings import context_of
from cuectl.model.errors import NotFound
from cuectl.model.execution_status import ExecutionStatus
from cuectl.model.instants import to_text
from cuectl.model.values import replace
from cuectl.store import paths

if TYPE_CHECKING:
    from cuectl.engine.definitions_in_force import InForce
    from cuectl.engine.runtime import Runtime
    from cuectl.engine.view_source import ViewSource

Record = dict[str, Any]

CLEARED = "cleared"


def queues_in(source: ViewSource, in_force: InForce) -> list[Record]:
    """Return how many wait for each agent, who comes first, and since when.

    An agent that no definition knows any more is in it as long as somebody waits for it.
    """
    names = sorted(source.names("queues"))
    agents = {each["name"]: each for each in agents_in(source, in_force)}
    for record in _waited_for(source, names):
        agents.setdefault(record["agent"], _forgotten(record))
    return [_row(source, names, agents[name]) for name in sorted(agents)]


def _waited_for(source: ViewSource, names: list[str]) -> list[Record]:
    slots = [name for name in names if name.startswith("agent.")]
    found = (source.read(f"queues/{name}") for name in slots)
    return [each for each in found if each and (each["waiting"] or each["held"])]


def _forgotten(record: Record) -> Record:
    running, waiting = len(record["held"]), record["waiting"]
    more = {"running": running, "waiting": waiting, "max_concurrent": None, "queue_size": None}
    return {"name": record["agent"], **more}


def _row(source: ViewSource, names: list[str], agent: Record) -> Record:
    first = min(places(agent["name"], names), default=None)
    entry = source.read(f"queues/{first}") if first else None
    return {
        "kind": "agent",
        "name": agent["name"],
        "running": agent["running"],
        "max_concurrent": agent["max_concurrent"],
        "waiting": agent["waiting"],
        "queue_size": agent["queue_size"],
        "next": entry["execution"] if entry else None,
        "oldest": to_text(entry["since"]) if entry else None,
    }


def clear_queue(runtime: Runtime, name: str) -> tuple[list[str], list[str]]:
    """Send away all that wait for an agent; return their ids, and lines for people.

    Raises:
        NotFound: there is no such agent, and nobody waits for one.
    """
    store, now = runtime.existing_store, runtime.now()
    if store is None:
        raise _unknown(name)
    gone: list[str] = []
    with store.transaction(now) as tx:
        in_force = definitions_now(tx, runtime.home)
        agent = canonical({"type": "agent", "agent": name}, in_force)
        if in_force.agent(name) is None and not slots_in(tx, agent).waiting:
            raise _unknown(name)
        to = context_of(runtime, in_force, None, None).settling(now)
        # The last one first: who stands further ahead must not be served meanwhile.
        for place in reversed(line(tx, agent)):
            execution = read_open(tx, place.rsplit(".", 2)[1])
            if execution is None or execution.status is not ExecutionStatus.QUEUED:
                continue
            status = ExecutionStatus.SKIPPED
            skipped = replace(execution, status=status, reason=CLEARED, ended_at=now)
            finish(tx, skipped, to, {paths.open_execution(execution.id): None})
            gone.append(execution.id)
    return gone[::-1], to.lines


def _unknown(name: str) -> NotFound:
    return NotFound(f"no agent named '{name}'", hint="all names: cuectl agents list")
