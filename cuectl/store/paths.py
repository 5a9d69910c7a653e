"""Where each thing lives under the state directory. Views are relative, files absolute."""

from __future__ import annotations

from functools import lru_cache

from cuectl.model.ids import time_of
from cuectl.model.instants import DAY, HOUR, MINUTE, civil

SEEN = "seen."


def cue(cue_id: str) -> str:
    """Return the view of a cue's definition."""
    return f"cues/{cue_id}.json"


def state(cue_id: str) -> str:
    """Return the view of a cue's state."""
    return f"cues/{cue_id}.s.json"


def fires(cue_id: str) -> str:
    """Return the view of a cue's next dozens of fires."""
    return f"cues/{cue_id}.n.json"


def open_execution(execution_id: str) -> str:
    """Return the view of an execution that is claimed, running or queued."""
    return f"open/{execution_id}.json"


def waiting_execution(execution_id: str) -> str:
    """Return the view of an execution that waits: pending, retry, report, verification."""
    return f"waiting/{execution_id}.json"


def revised_execution(execution_id: str) -> str:
    """Return the view of a settled execution that was changed after it had settled."""
    return f"revised/{execution_id}.json"


def alert(alert_id: str) -> str:
    """Return the view of an alert."""
    return f"alerts/{alert_id}.json"


def name_key(name: str) -> str:
    """Return the view that says which cue has a name."""
    return f"keys/name.{_digest(name)}.json"


def chain_key(parent: str, key: str) -> str:
    """Return the view that says which child a parent made under a key."""
    return f"keys/chain.{parent}.{_digest(key)}.json"


def chain_root_key(root: str) -> str:
    """Return the view that says when a chain has made its newest cues."""
    return f"keys/root.{root}.json"


def _digest(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:24]


def agent_slots(agent: str) -> str:
    """Return the view that says who holds the slots of an agent."""
    return f"queues/agent.{_digest(agent)}.json"


def agent_line(agent: str) -> str:
    """Return how the views of those begin that wait for an agent."""
    return f"queues/line.{_digest(agent)}."


def agent_place(agent: str, number: int, alone: str, execution_id: str) -> str:
    """Return the view of a place in the line for an agent; they sort by their numbers.

    Args:
        agent: its name.
        number: of the place.
        alone: the cue whose executions never run side by side; empty for none.
        execution_id: who waits.
    """
    return f"{agent_line(agent)}{number:012d}.{alone or '-'}.{execution_id}.json"


def event_index(event: str) -> str:
    """Return the view that says which cues listen to a type of event."""
    return f"keys/event.{_digest(event)}.json"


def event_key(source: str, key: str) -> str:
    """Return the view that says which event a source has sent under a key."""
    identity = _digest(f"{source}\n{key}")
    return f"keys/{SEEN}{identity}.json"


def source(cue_id: str) -> str:
    """Return the view of what the event source of a subscription remembers."""
    return f"sources/{cue_id}.json"


def fan_in(cue_id: str) -> str:
    """Return the view of the rounds of a fan-in."""
    return f"fanin/{cue_id}.json"


def marker(at_ms: int, kind: str, identity: str) -> str:
    """Return the view of a place in the agenda.

    Kinds: `c` a cue's next occurrence, `e` a pending execution, `r` a retry, `w` a deadline of
    a waiting execution, `a` an alert to deliver, `p` a ping to send, `f` the time limit of a
    fan-in, `k` the end of the memory of an event's key, `s` the next look at a source of time.
    """
    hour, rest = divmod(at_ms, HOUR)
    return f"due/{hour}/{rest // MINUTE:02d}/{at_ms}.{kind}.{identity}"


@lru_cache(maxsize=1024)
def day_of(execution_id: str) -> str:
    """Return the day folder of an execution: the date of its nominal time in UTC."""
    return _day((time_of(execution_id) or 0) // DAY)


@lru_cache(maxsize=64)
def _day(number: int) -> str:
    year, month, day = civil(number)
    return f"{year:04d}-{month:02d}-{day:02d}"


def run_file(home: str, execution_id: str, attempt: int, suffix: str) -> str:
    """Return the path of a file of one attempt: suffix `out`, `outcome.json`, `payload.json`."""
    number = "" if attempt == 1 else f".{attempt}"
    return f"{home}/runs/{day_of(execution_id)}/{execution_id}{number}.{suffix}"


def pass_file(home: str, pass_id: str) -> str:
    """Return the path of the lock and spawn log of a pass."""
    return f"{home}/passes/{pass_id}"


def payload_file(home: str, digest: str) -> str:
    """Return the path of a payload that is too large for the journal."""
    return f"{home}/payloads/{digest}.json"


def live_run(run_id: str) -> str:
    """Return the view of a workflow's run that is not over."""
    return f"workflows/live.{run_id}.json"


def ended_run(run_id: str) -> str:
    """Return the view of a workflow's run that is over."""
    return f"workflows/{run_id}.json"


def session(handle: str) -> str:
    """Return the view of an agent's session."""
    return f"sessions/{handle}.json"


def queue_counter(queue: str) -> str:
    """Return the view that says how many tasks a queue has had."""
    return f"queues/count.{_digest(queue)}.json"


def queue_tasks(queue: str) -> str:
    """Return how the names of the views begin that hold a queue's tasks which are not over."""
    return f"task.{_digest(queue)}."


def queue_task(queue: str, number: int, task_id: str) -> str:
    """Return the view of a task that is not over; they sort by their numbers."""
    return f"queues/{queue_tasks(queue)}{number:012d}.{task_id}.json"


def ended_task(task_id: str) -> str:
    """Return the view of a task that is over."""
    return f"queues/done.{task_id}.json"


def queue_slot(home: str, queue: str, number: int) -> str:
    """Return the path of the lock that a queue's worker holds."""
    return f"{home}/queues/queue.{_digest(queue)}.slot{number}.lock"
