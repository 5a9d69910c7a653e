"""What starts what: events, cues and the work that they start; and one chain of executions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.engine.cue_lookup import all_cues
from cuectl.engine.executions import record_of
from cuectl.engine.listeners import is_subscription
from cuectl.model.cue import CueStatus
from cuectl.model.execution_status import ExecutionStatus
from cuectl.model.graph import Draft, Graph, Kind
from cuectl.model.subscription_cue import targets_of
from cuectl.model.verdict import counts_as_success
from cuectl.model.verification import OutcomeState
from cuectl.store.execution_history import settled_newest_first

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cuectl.engine.chain_tree import Node
    from cuectl.model.cue import Cue
    from cuectl.store.reading import Reader

Record = dict[str, Any]

_ASKS = ("watch", "repo", "interval_minutes", "schedule_times", "fire_at")
_RAN = frozenset({"succeeded"})
_OVER = frozenset({"failed", "timed_out", "interrupted", "missed"})


def pipelines(reader: Reader, chained: Iterable[tuple[str, str]] = ()) -> Graph:
    """Return the graph of all cues that can still start something.

    Args:
        reader: where to look.
        chained: names of cues of which the first was seen to chain the second.
    """
    draft = Draft()
    cues = [cue for cue, state in all_cues(reader) if state.status in _LIVE]
    cues.sort(key=lambda cue: (not is_subscription(cue), cue.name))
    for cue in cues:
        if cue.origin.parent is None:
            _add(draft, cue)
    for parent, child in chained:
        source = draft.node(Kind.CUE, parent, parent)
        draft.edge(source, draft.node(Kind.CUE, child, child), "chains", dashed=True)
    return draft.graph()


_LIVE = (CueStatus.ACTIVE, CueStatus.PAUSED)


def chained_pairs(reader: Reader) -> list[tuple[str, str]]:
    """Return which cues were seen to chain which, by the newest chained executions."""
    from itertools import islice

    if not reader.home:
        return []
    found: dict[tuple[str, str], None] = {}
    names: dict[str, str | None] = {}
    for record in islice(settled_newest_first(reader.history, (_HAS_PARENT,)), _LOOKED_AT):
        parent = record.get("parent_id")
        if not parent:
            continue
        if parent not in names:
            names[parent] = (record_of(reader, parent) or {}).get("cue_name")
        if names[parent]:
            found[str(names[parent]), str(record["cue_name"])] = None
    return sorted(found)


_HAS_PARENT = (b'"parent":"exec_',)
_LOOKED_AT = 200


def _add(draft: Draft, cue: Cue) -> None:
    place = draft.node(Kind.CUE, cue.name, cue.name)
    for source, label in _sources(draft, cue.trigger):
        draft.edge(source, place, label)
    for target in _targets(cue):
        draft.edge(place, draft.node(Kind.WORK, target, target))


def _sources(draft: Draft, trigger: Record) -> list[tuple[str, str]]:
    """Return the nodes that start a cue, with what stands on the way."""
    if trigger["type"] != "event":
        text = _schedule(trigger)
        return [(draft.node(Kind.EVENT, text, text), "")] if text else []
    condition = ", ".join(f"{key}={value}" for key, value in trigger.get("filter", {}).items())
    named = _words(trigger.get("source_session"))
    if trigger["event"] == "agent.completed" and named:
        agents = [draft.node(Kind.WORK, _agent(name), _agent(name)) for name in named]
        return [(agent, condition or "completed") for agent in agents]
    asks = [str(trigger[key]) for key in _ASKS if trigger.get(key)]
    key = " ".join([trigger["event"], *asks])
    return [(draft.node(Kind.EVENT, key, key), condition)]


def _words(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [str(one) for one in value] if isinstance(value, list) else []


def _schedule(trigger: Record) -> str:
    match trigger["type"]:
        case "cron":
            return f"{trigger['expression']}"
        case "every":
            from cuectl.model.durations import duration_text

            return f"every {duration_text(trigger['every_s'])}"
        case "at":
            return f"at {trigger['at']}"
        case _:
            return ""


def _agent(name: str) -> str:
    return f"agent {name}"


def _targets(cue: Cue) -> list[str]:
    import shlex

    found = []
    for target in targets_of(cue.target):
        match target.get("type"):
            case "agent":
                found.append(_agent(str(target.get("agent", "?"))))
            case "task":
                found.append(f"task {target['task']}")
            case "workflow":
                found.append(f"workflow {target.get('workflow')}")
            case "webhook":
                found.append(str(target.get("url")))
            case "command":
                found.append(target.get("shell") or shlex.join(target.get("argv", ())))
            case other:
                found.append(str(other))
    return found


def chain_graph(root: Node) -> Graph:
    """Return one chain: executions by their results, and what has not run yet."""
    draft = Draft()
    stack = [(root, "")]
    while stack:
        node, parent = stack.pop()
        place = _chain_node(draft, node)
        if parent:
            draft.edge(parent, place, dashed=node.execution is None)
        stack += [(child, place) for child in reversed(node.children)]
    return draft.graph()


def _chain_node(draft: Draft, node: Node) -> str:
    view = node.execution
    if view is None:
        name = node.cue["name"] if node.cue else "no longer kept"
        return draft.node(Kind.OPEN, node.cue["id"] if node.cue else "", f"{name} (not yet)")
    word = OutcomeState(view["outcome_state"] or OutcomeState.UNKNOWN)
    kind = Kind.OPEN
    if view["status"] in _RAN:
        kind = Kind.GOOD if counts_as_success(ExecutionStatus.SUCCEEDED, word) else Kind.BAD
    elif view["status"] in _OVER:
        kind = Kind.BAD
    said = view["outcome_state"] or view["status"]
    return draft.node(kind, view["id"], f"{view['cue_name']}: {said}")
