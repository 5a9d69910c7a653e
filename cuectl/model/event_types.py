"""The events that cuectl makes itself: the fields of their payloads, as filters see them.

Source: the second page and reference/maestro-cue.md 2.1. Any other type may be emitted, with
any payload.
"""

from __future__ import annotations

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
        *("sourceRunId", "sourceOutputFile"),
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
