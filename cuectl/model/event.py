"""Events as CloudEvents 1.0: what happened, said once, kept in the journal.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
"""

from __future__ import annotations

from typing import Any

from cuectl.model.errors import UsageError
from cuectl.model.instants import from_text, to_text
from cuectl.model.values import dataclass, field

Record = dict[str, Any]

SPECVERSION = "1.0"
CONTENT_TYPE = "application/json"
MOST_TYPE_LETTERS = 200
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event.

    Attributes:
        type: such as `file.changed`; a type of the second page, or any that somebody emits.
        source: a URI reference: who says so.
        at: when it happened.
        data: the payload that filters and templates see.
        subject: what it is about, when there is one thing: a path, a name.
        only: the subscription that it is for; None for all that listen to its type.
        root: the event at the top of its chain, where it is not itself.
        depth: how many `agent.completed` events stand before it in its chain.
        key: of two events with the same source and key, only the first is recorded.
        execution: the execution that it came from.
        execution_root: the execution at the top of the chain of that one.
        from_subscription: the subscription that started that execution.
        replay_of: the event that it repeats.
    """

    id: str
    type: str
    source: str
    at: int
    data: Record = field(default_factory=dict)
    subject: str | None = None
    only: str | None = None
    root: str | None = None
    depth: int = 0
    key: str | None = None
    execution: str | None = None
    execution_root: str | None = None
    from_subscription: str | None = None
    replay_of: str | None = None

    @property
    def root_id(self) -> str:
        """The event at the top of the chain."""
        return self.root or self.id

    def to_record(self) -> Record:
        """Return the CloudEvent, ours among it as extension attributes."""
        record: Record = {
            "specversion": SPECVERSION,
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "time": to_text(self.at),
            "datacontenttype": CONTENT_TYPE,
        }
        if self.subject is not None:
            record["subject"] = self.subject
        for name, attribute in _EXTENSIONS.items():
            if value := getattr(self, attribute):
                record[name] = value
        record["data"] = self.data
        return record


# Names of extension attributes are lower-case letters and digits only.
_EXTENSIONS = {
    "cueonly": "only",
    "cueroot": "root",
    "cuedepth": "depth",
    "cuekey": "key",
    "cueexecution": "execution",
    "cuechain": "execution_root",
    "cuesubscription": "from_subscription",
    "cuereplayof": "replay_of",
}


def event_from_record(record: Record) -> Event:
    """Return the event in a CloudEvent.

    Raises:
        KeyError, TypeError, ValueError: it is not one.
    """
    if record.get("specversion") != SPECVERSION:
        raise ValueError("not a CloudEvent 1.0")
    data = record.get("data", {})
    if not isinstance(data, dict):
        raise TypeError("the data of an event must be an object")
    ours = {attribute: record[name] for name, attribute in _EXTENSIONS.items() if name in record}
    return Event(
        id=record["id"],
        type=record["type"],
        source=record["source"],
        at=from_text(record["time"]),
        data=data,
        subject=record.get("subject"),
        **ours,
    )


def check_type(text: str) -> str:
    """Return the type of an event if it can be one: words with dots between them.

    Raises:
        UsageError: it can't.
    """
    words = text.split(".")
    if len(text) > MOST_TYPE_LETTERS or not all(word and _WORD.issuperset(word) for word in words):
        raise UsageError(f"'{text}' is not the type of an event", hint="write it as deploy.done")
    return text
