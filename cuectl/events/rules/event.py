"""Events as CloudEvents 1.0, the payloads of ours, and fan-in: several reports, one event; pure.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md; the second page and
reference/maestro-cue.md 2.1 and 6. Any other type may be emitted, with any payload. A round of
a fan-in is kept under the event at the top of the chain where its sources share one, else it
takes reports as they arrive (contracts.md, identity 7).
"""

from __future__ import annotations

from cuectl.values.errors import UsageError
from cuectl.values.records import dataclass, field, replace
from cuectl.values.times import from_text, to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from cuectl.values.records import Record

SPECVERSION = "1.0"
CONTENT_TYPE = "application/json"
MOST_TYPE_LETTERS = 200
ROOT = "\0root"  # no field of a payload: where the relative paths of a filter start
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event."""

    id: str
    type: str  # such as `file.changed`; a type of the second page, or any that is emitted
    source: str  # a URI reference: who says so
    at: int
    data: Record = field(default_factory=dict)  # the payload that filters and templates see
    subject: str | None = None  # what it is about, when there is one thing: a path, a name
    only: str | None = None  # the subscription that it is for; None for all that listen to its type
    root: str | None = None  # the event at the top of its chain, where it is not itself
    depth: int = 0  # how many `agent.completed` events precede it in its chain
    key: str | None = None  # of two events with the same source and key, only the first is recorded
    execution: str | None = None  # whose end it is
    execution_root: str | None = None  # the top of that one's chain
    from_subscription: str | None = None
    replay_of: str | None = None
    directory: str | None = None  # that its source watches

    @property
    def fields(self) -> Record:
        """The payload as filters see it."""
        return self.data if self.directory is None else {**self.data, ROOT: self.directory}

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
    "cuedirectory": "directory",
}


def event_from_record(record: Record) -> Event:
    """Return the event in a CloudEvent. Raises KeyError, TypeError, ValueError: it is not one."""
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
    """Return the type of an event: words with dots between. Raises UsageError: it is none."""
    words = text.split(".")
    if len(text) > MOST_TYPE_LETTERS or not all(word and _WORD.issuperset(word) for word in words):
        raise UsageError(f"'{text}' is not the type of an event", hint="write it as deploy.done")
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One event that a source has found, before it has an id."""

    data: Record
    subject: str | None = None


@dataclass(slots=True, kw_only=True)
class News:
    """The news of one poll, told as far as there is room for them."""

    accepts: Callable[[Record], bool]  # whether the filter takes a payload; the others need no room
    room: int
    told: list[Happening] = field(default_factory=list)
    places: int = 0  # how many of the told take one
    waiting: list[str] = field(default_factory=list)

    def tell(self, one: Happening) -> bool:
        """Tell one; False when it waits for a place, so that it must not count as seen."""
        if self.accepts(one.data):
            if self.places >= self.room:
                self.waiting.append(one.subject or "")
                return False
            self.places += 1
        self.told.append(one)
        return True

    def seen(self, memory: Record | None, **more: Any) -> Seen:
        """Return what the poll has found, with what it remembers now."""
        told, waiting = tuple(self.told), tuple(self.waiting)
        return Seen(happenings=told, places=self.places, waiting=waiting, memory=memory, **more)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a poll of a source outside has found."""

    happenings: tuple[Happening, ...] = ()  # the news, in the order in which they are told
    memory: Record | None = None  # what it remembers after them; None when that has not changed
    problem: str | None = None  # what could not be looked at, while the rest could
    rests_in_s: float | None = None  # until what is still being changed may be reported
    more: bool = False  # there are more news than one poll tells
    places: int = 0  # how many of the news take a place in a queue
    waiting: tuple[str, ...] = ()  # news for which a queue has no place, by what they are about

    @property
    def rests(self) -> bool:
        """Whether something is still to come to rest."""
        return self.rests_in_s is not None


APP_STARTUP = "app.startup"
HEARTBEAT = "time.heartbeat"
SCHEDULED = "time.scheduled"
ONCE = "time.once"
FILE_CHANGED = "file.changed"
TASK_PENDING = "task.pending"
COMPLETED = "agent.completed"
PULL_REQUEST = "github.pull_request"
ISSUE = "github.issue"
TRIGGER = "cli.trigger"

# Type to the name of its rule in `time_sources.py`, for those that time alone sets off.
TIMED = {APP_STARTUP: "startup", HEARTBEAT: "heartbeat", SCHEDULED: "scheduled", ONCE: "once"}

_RECONCILED = ("reconciled", "missedCount", "sleepDurationMs")
_FILE = ("path", "filename", "directory", "extension")
_GITHUB = (
    *("type", "number", "title", "author", "url", "body", "state", "labels", "repo"),
    *("created_at", "updated_at", "is_retrigger", "retrigger_count", "new_comments"),
)

FIELDS: dict[str, tuple[str, ...]] = {
    APP_STARTUP: ("reason",),
    HEARTBEAT: ("interval_minutes", *_RECONCILED),
    SCHEDULED: (
        *("schedule_times", "schedule_days", "matched_time", "matched_day"),
        *(*_RECONCILED, "mostRecentSlotMs"),
    ),
    ONCE: ("fire_at", "fired_at", "grace_minutes"),
    FILE_CHANGED: (*_FILE, "changeType"),
    TASK_PENDING: (*_FILE, "taskCount", "taskList", "tasks", "content"),
    COMPLETED: (
        *("sourceSession", "sourceSessionId", "status", "exitCode", "durationMs"),
        *("sourceOutput", "outputTruncated", "triggeredBy", "perSourceOutputs"),
        *("forwardedOutputs", "completedSessions", "timedOutSessions", "partial"),
        *("sourceRunId", "sourceOutputFile", "sources"),
    ),
    PULL_REQUEST: (*_GITHUB, "draft", "head_branch", "base_branch", "merged_at"),
    ISSUE: (*_GITHUB, "assignees"),
    TRIGGER: ("manual", "cliPrompt", "sourceAgentId"),
}

# What fan-out and starts by hand add to the payload of any event.
ADDED = ("fanOutSource", "fanOutIndex", "manual", "cliPrompt", "sourceAgentId")

OUTPUT_LETTERS = 5_000
CONTENT_LETTERS = 10_000
BODY_LETTERS = 5_000
CHAIN_DEPTH_MOST = 10


def is_built_in(event: str) -> bool:
    """Tell whether cuectl makes events of this type itself."""
    return event in FIELDS


def unknown_field(event: str, key: str) -> bool:
    """Tell whether no payload of a built-in event ever has the field of a filter's key."""
    fields = FIELDS.get(event)
    return fields is not None and key.partition(".")[0] not in (*fields, *ADDED)


SEPARATOR = "\n---\n"
_RUN_FACTS = ("status", "exitCode", "durationMs", "triggeredBy", "sourceRunId")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one source said when its run was over."""

    source: str  # as the subscription names it
    session: str  # what the payload calls the source
    at: int
    data: Record  # payload of its `agent.completed` event
    depth: int = 0
    execution: str | None = None

    def to_record(self) -> Record:
        """Return the JSON form."""
        record = {"source": self.source, "session": self.session, "at": self.at}
        more = {"data": self.data, "depth": self.depth, "execution": self.execution}
        return record | {name: value for name, value in more.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Reports that wait for the others, in the order of their first coming."""

    root: str  # the event at the top of the chain of its first report
    by_root: bool = False  # whether only reports of the same root count
    started_at: int
    deadline: int
    reports: tuple[Report, ...] = ()

    def has(self, source: str) -> bool:
        """Tell whether a source has reported."""
        return any(one.source == source for one in self.reports)

    def missing(self, sources: tuple[str, ...]) -> tuple[str, ...]:
        """Return the sources that have not reported."""
        return tuple(source for source in sources if not self.has(source))

    def with_report(self, report: Report) -> Round:
        """Return the round with a report; a repeated one keeps the first one's place."""
        if self.has(report.source):
            reports = [report if one.source == report.source else one for one in self.reports]
            return replace(self, reports=tuple(reports))
        return replace(self, reports=(*self.reports, report))

    def to_record(self) -> Record:
        """Return the JSON form."""
        record: Record = {"root": self.root, "by_root": self.by_root}
        record |= {"started_at": self.started_at, "deadline": self.deadline}
        return record | {"reports": [one.to_record() for one in self.reports]}


def rounds_from_record(record: Record | None) -> tuple[Round, ...]:
    """Return the rounds in a view, the oldest first. Raises KeyError, TypeError, ValueError."""

    def reports(found: list[Record]) -> tuple[Report, ...]:
        return tuple(Report(**{"data": {}, **each}) for each in found)

    rounds = (record or {}).get("rounds", ())
    return tuple(Round(**{**one, "reports": reports(one["reports"])}) for one in rounds)


def rounds_record(rounds: tuple[Round, ...]) -> Record | None:
    """Return what the view holds; None when no round is open."""
    return {"rounds": [one.to_record() for one in rounds]} if rounds else None


def place_of(rounds: tuple[Round, ...], report: Report, root: str) -> int | None:
    """Return the round that a report belongs to; None when it starts one.

    One of its own chain comes first; then the oldest that takes what arrives and lacks the
    source; then the oldest of these that has it, whose report it replaces.
    """
    own = [place for place, one in enumerate(rounds) if one.root == root]
    open_ones = [place for place, one in enumerate(rounds) if not one.by_root]
    lacking = [place for place in open_ones if not rounds[place].has(report.source)]
    return next(iter(own or lacking or open_ones), None)


def joined_payload(reports: tuple[Report, ...], missing: tuple[str, ...] = ()) -> Record:
    """Return the payload of the event that a round becomes, with the sources that were late."""
    texts = {one.session: str(one.data.get("sourceOutput") or "") for one in reports}
    forwarded: Record = {}
    for one in reports:
        forwarded |= one.data.get("forwardedOutputs") or {}
    payload: Record = {
        "completedSessions": [one.data.get("sourceSessionId") or one.session for one in reports],
        "sourceSession": ", ".join(one.session for one in reports),
        "sourceOutput": SEPARATOR.join(texts[one.session] for one in reports),
        "outputTruncated": any(one.data.get("outputTruncated") is True for one in reports),
        "perSourceOutputs": texts,
        "sources": {
            one.session: {name: one.data[name] for name in _RUN_FACTS if name in one.data}
            for one in reports
        },
    }
    if forwarded:
        payload["forwardedOutputs"] = forwarded
    if missing:
        payload |= {"timedOutSessions": list(missing), "partial": True}
    return payload
