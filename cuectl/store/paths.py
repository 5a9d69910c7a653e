"""Where each thing lives under the state directory. Views are relative, files absolute."""

from __future__ import annotations

from functools import lru_cache

from cuectl.values.ids import hex_hash, time_of
from cuectl.values.times import DAY, HOUR, MINUTE, civil

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SEEN = "seen."


def _view_of(pattern: str) -> Callable[[str], str]:
    """Return the function that puts an id into the path of a view."""
    return pattern.format


# A cue's definition, its state, and its next dozens of fires.
cue = _view_of("cues/{}.json")
state = _view_of("cues/{}.s.json")
fires = _view_of("cues/{}.n.json")

# An execution that is claimed, running or queued; one that waits: pending, retry, report,
# verification; one that was changed after it had settled.
open_execution = _view_of("open/{}.json")
waiting_execution = _view_of("waiting/{}.json")
revised_execution = _view_of("revised/{}.json")

alert = _view_of("alerts/{}.json")
# When a chain has made its newest cues, by the root of the chain.
chain_root_key = _view_of("keys/root.{}.json")
# What the event source of a subscription remembers, and the rounds of a fan-in, by the cue.
source = _view_of("sources/{}.json")
fan_in = _view_of("fanin/{}.json")

# The word left with an executor, by its name; an execution that was given up, and whose result may
# still come.
executor_epoch = _view_of("executors/epoch.{}.json")
late_result = _view_of("executors/late.{}.json")

# Runs of workflows, agents' sessions, and tasks of queues that have ended.
live_run = _view_of("workflows/live.{}.json")
ended_run = _view_of("workflows/{}.json")
session = _view_of("sessions/{}.json")
ended_task = _view_of("queues/done.{}.json")


def _digest(text: str) -> str:
    try:
        return hex_hash(text.encode("utf-8", "surrogateescape"))[:24]
    except UnicodeEncodeError:
        # Half a pair of surrogates, which JSON may have.
        return hex_hash(text.encode("utf-8", "surrogatepass"))[:24]


def name_key(name: str) -> str:
    """Return the view that says which cue has a name."""
    return f"keys/name.{_digest(name)}.json"


def chain_key(parent: str, key: str) -> str:
    """Return the view that says which child a parent made under a key."""
    return f"keys/chain.{parent}.{_digest(key)}.json"


def event_index(event: str) -> str:
    """Return the view that says which cues listen to a type of event."""
    return f"keys/event.{_digest(event)}.json"


def event_waits(event: str) -> str:
    """Return the view that says which parked runs wait for a type of event."""
    return f"keys/wait.{_digest(event)}.json"


def event_key(source: str, key: str) -> str:
    """Return the view that says which event a source has sent under a key."""
    identity = _digest(f"{source}\n{key}")
    return f"keys/{SEEN}{identity}.json"


def agent_slots(agent: str) -> str:
    """Return the view that says who holds the slots of an agent."""
    return f"queues/agent.{_digest(agent)}.json"


def agent_spending(agent: str) -> str:
    """Return the view that says what the turns of an agent have cost on its last day of work."""
    return f"queues/spent.{_digest(agent)}.json"


def agent_line(agent: str) -> str:
    """Return how the views of those start that wait for an agent."""
    return f"queues/line.{_digest(agent)}."


def agent_place(agent: str, number: int, alone: str, execution_id: str) -> str:
    """Return the view of a place in the line for an agent; they sort by their numbers.

    `alone` is the cue whose executions never run side by side; empty for none.
    """
    return f"{agent_line(agent)}{number:012d}.{alone or '-'}.{execution_id}.json"


def queue_counter(queue: str) -> str:
    """Return the view that says how many tasks a queue has had."""
    return f"queues/count.{_digest(queue)}.json"


def queue_tasks(queue: str) -> str:
    """Return how the names of the views start that hold a queue's tasks which have not ended."""
    return f"task.{_digest(queue)}."


def queue_task(queue: str, number: int, task_id: str) -> str:
    """Return the view of a task that has not ended; they sort by their numbers."""
    return f"queues/{queue_tasks(queue)}{number:012d}.{task_id}.json"


def marker(at_ms: int, kind: str, identity: str) -> str:
    """Return the view of a place in the agenda.

    Kinds: `c` a cue's next occurrence, `e` a pending execution, `r` a retry, `w` a deadline of
    a waiting execution, `a` an alert to deliver, `p` a ping to send, `f` the time limit of a
    fan-in, `k` the end of the memory of an event's key, `s` the next look at a source of time,
    `u` the end of a cue's pause, `b` the time by which a cue is to have succeeded.
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


def queue_slot(home: str, queue: str, number: int) -> str:
    """Return the path of the lock that a queue's worker holds."""
    return f"{home}/queues/queue.{_digest(queue)}.slot{number}.lock"
