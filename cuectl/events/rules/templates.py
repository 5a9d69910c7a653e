"""Prompts with variables: `{{CUE_FILE_PATH}}`, `{{PROJECT_ROOT}}`, `{{ payload.a.b }}`.

Every value is inserted once, in one reading from left to right, and never expanded again: an
issue's body that says `{{CUE_GH_TITLE}}` stays those characters. Source: the second page,
"Template Variables"; where it is silent, reference/maestro-cue.md 4.
"""

from __future__ import annotations

import re

from cuectl.events.rules import event as event_types
from cuectl.events.rules.filters import ABSENT, printed, value_at
from cuectl.values.errors import UsageError
from cuectl.values.ids import nearest
from cuectl.values.records import dataclass, field
from cuectl.values.times import to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from cuectl.values.records import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class VariablePlace:
    """Which agent is given a prompt, where and when."""

    agent: str = ""
    agent_id: str = ""  # what another system calls it
    driver: str = ""
    directory: str = ""  # where it works, absolute
    now: int
    offset_minutes: int = 0  # of local time from UTC at `now`
    session: str = ""


def _local(form: str) -> Callable[[VariablePlace], str]:

    def printed_time(place: VariablePlace) -> str:
        from datetime import datetime, timedelta, timezone

        zone = timezone(timedelta(minutes=place.offset_minutes))
        return datetime.fromtimestamp(place.now // 1000, zone).strftime(form)

    return printed_time


def _directory(place: VariablePlace) -> str:
    return place.directory


# All names that the peer knows, so that its prompts pass the check. Those that mean nothing
# without a desktop app are empty.
STANDARD: dict[str, Callable[[VariablePlace], str]] = {
    "PROJECT_ROOT": _directory,
    "PROJECT_PATH": _directory,
    "PROJECT_NAME": lambda place: place.directory.rstrip("/").rpartition("/")[2],
    "CWD": _directory,
    "AGENT_NAME": lambda place: place.agent,
    "AGENT_ID": lambda place: place.agent_id or place.agent,
    "AGENT_PATH": _directory,
    "TOOL_TYPE": lambda place: place.driver,
    "SESSION_ID": lambda place: place.session,
    "SESSION_NAME": lambda place: place.agent,
    "AGENT_SESSION_ID": lambda place: place.session,
    "DATE": _local("%Y-%m-%d"),
    "TIME": _local("%H:%M:%S"),
    "DATETIME": _local("%Y-%m-%d %H:%M:%S"),
    "TIMESTAMP": lambda place: str(place.now),
    "DATE_SHORT": _local("%m/%d/%y"),
    "TIME_SHORT": _local("%H:%M"),
    "YEAR": _local("%Y"),
    "MONTH": _local("%m"),
    "DAY": _local("%d"),
    "WEEKDAY": _local("%A"),
    "IS_GIT_REPO": lambda _: "false",
    **dict.fromkeys(
        (
            *("AGENT_GROUP", "AGENT_HISTORY_PATH", "TAB_NAME", "AUTORUN_FOLDER", "GIT_BRANCH"),
            *("LOOP_NUMBER", "DOCUMENT_NAME", "DOCUMENT_PATH", "AGENT_DEEP_LINK"),
            *("TAB_DEEP_LINK", "GROUP_DEEP_LINK", "CONTEXT_USAGE", "MAESTRO_CLI_PATH"),
            "CONDUCTOR_PROFILE",
        ),
        lambda _: "",
    ),
}

_PLACE = re.compile(
    r"\{\{[ \t]*(?:(?P<name>[A-Za-z][A-Za-z0-9_]*)"
    r"|(?P<path>payload(?:\.[A-Za-z0-9_-]+)+))[ \t]*\}\}"
)
_BRACES = re.compile(r"\{\{([^{}\n]{1,200})\}\}")
_OTHER_LETTERS = re.compile(r"[^A-Z0-9]+")
_PER_SOURCE = {"CUE_OUTPUT_": "perSourceOutputs", "CUE_FORWARDED_": "forwardedOutputs"}
_COMMENT_MARK = "\n\n---\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What a template is filled in for."""

    event: str | None  # type of the event; None for a prompt that no event asked for
    at: int
    subscription: str = ""  # its name, or the cue's
    run_id: str = ""
    payload: Record = field(default_factory=dict)
    place: VariablePlace


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownVariable:
    """A name in a template that stands for nothing; `offset` is that of its braces."""

    name: str
    offset: int
    nearest: str | None


def render(template: str, occasion: Occasion) -> str:
    """Return the text with every variable replaced; names that are unknown stay as written."""
    if "{{" not in template:
        return template

    def value(found: re.Match[str]) -> str:
        if found["path"]:
            return _text(value_at(occasion.payload, found["path"].removeprefix("payload.")))
        text = _variable(found["name"].upper(), occasion)
        return found[0] if text is None else text

    return _PLACE.sub(value, template)


def names_in(template: str) -> Iterator[str]:
    """Yield the variables that a template names, as it writes them."""
    for found in _PLACE.finditer(template):
        if found["name"] and is_variable(found["name"].upper()):
            yield found["name"]


def unknown_variables(
    template: str, sources: Collection[str] | None = None
) -> Iterator[UnknownVariable]:
    """Yield the words in braces that are no variable; outputs of `sources` (None: of any) are."""
    for found in _BRACES.finditer(template):
        place, name = _PLACE.fullmatch(found[0]), found[1].strip()
        if place and (place["path"] or is_variable(name.upper(), sources)):
            continue
        yield UnknownVariable(name=name, offset=found.start(), nearest=_like(name))


def misspelt(template: str) -> UsageError | None:
    """Return what is wrong with a prompt that means a variable and misses its name."""
    for unknown in unknown_variables(template):
        if unknown.nearest:
            message = f"'{{{{{unknown.name}}}}}' in the prompt is not a variable"
            return UsageError(message, hint=f"did you mean '{{{{{unknown.nearest}}}}}'?")
    return None


def is_variable(name: str, sources: Collection[str] | None = None) -> bool:
    """Tell whether there is a variable of that name, in capitals."""
    if name in _EVENT or name in _COMMON or name in STANDARD:
        return True
    for prefix in _PER_SOURCE:
        if name.startswith(prefix) and len(name) > len(prefix):
            known = None if sources is None else {variable_part(each) for each in sources}
            return known is None or name[len(prefix) :] in known
    return False


def variable_part(source: str) -> str:
    """Return the form that the name of an agent has in the name of a variable."""
    return _OTHER_LETTERS.sub("_", source.upper()).strip("_") or "UNNAMED"


def _variable(name: str, occasion: Occasion) -> str | None:
    if name in _COMMON:
        return _COMMON[name](occasion)
    if name in _EVENT:
        types, read = _EVENT[name]
        known = occasion.event is not None and event_types.is_built_in(occasion.event)
        if known and types is not None and occasion.event not in types:
            return ""
        return read(occasion.payload)
    if name in STANDARD:
        return STANDARD[name](occasion.place)
    text = _of_source(name, occasion.payload)
    return "" if text is None and name.startswith(tuple(_PER_SOURCE)) else text


def _of_source(name: str, payload: Record) -> str | None:
    for prefix, key in _PER_SOURCE.items():
        if name.startswith(prefix):
            outputs = payload.get(key)
            for source, text in outputs.items() if isinstance(outputs, dict) else ():
                if variable_part(source) == name[len(prefix) :]:
                    return _text(text)[-event_types.OUTPUT_LETTERS :]
    return None


def silent_sources(template: str, payload: Record) -> list[str]:
    """Return the variables of sources in a template that stand for nothing, each once."""
    names = (found["name"].upper() for found in _PLACE.finditer(template) if found["name"])
    asked = (name for name in names if name.startswith(tuple(_PER_SOURCE)))
    return [name for name in dict.fromkeys(asked) if _of_source(name, payload) is None]


def _text(value: object) -> str:
    return "" if value is ABSENT or value is None else printed(value)


def _of(*keys: str, most: int | None = None, default: str = "") -> Callable[[Record], str]:
    """Return the reader of the first of some fields that is there, cut at its end."""

    def read(payload: Record) -> str:
        texts = (_text(payload.get(key)) for key in keys)
        return next((text[:most] for text in texts if text), default)

    return read


def _source_output(payload: Record) -> str:
    text = _text(payload.get("sourceOutput"))
    # The outputs of several sources are cut one by one, before they are joined.
    return text if "completedSessions" in payload else text[-event_types.OUTPUT_LETTERS :]


def _new_comments(payload: Record) -> str:
    comments = payload.get("new_comments")
    if not isinstance(comments, list):
        return ""
    texts = [
        f"[@{_text(each.get('author'))} at {_text(each.get('createdAt'))}]\n"
        f"{_text(each.get('body'))}"
        for each in comments
        if isinstance(each, dict)
    ]
    return _COMMENT_MARK.join(texts)


_COMMON: dict[str, Callable[[Occasion], str]] = {
    "CUE_EVENT_TYPE": lambda occasion: occasion.event or "",
    "CUE_EVENT_TIMESTAMP": lambda occasion: to_text(occasion.at),
    "CUE_TRIGGER_NAME": lambda occasion: occasion.subscription,
    "CUE_RUN_ID": lambda occasion: occasion.run_id,
}
_FILES = (event_types.FILE_CHANGED, event_types.TASK_PENDING)
_TASKS = (event_types.TASK_PENDING,)
_DONE = (event_types.COMPLETED,)
_GITHUB = (event_types.PULL_REQUEST, event_types.ISSUE)

# Name to (events that have it, None for all; how it is read from the payload).
_EVENT: dict[str, tuple[tuple[str, ...] | None, Callable[[Record], str]]] = {
    "CUE_FROM_AGENT": (None, _of("sourceSessionId", "sourceAgentId")),
    "CUE_FILE_PATH": (_FILES, _of("path")),
    "CUE_FILE_NAME": (_FILES, _of("filename")),
    "CUE_FILE_DIR": (_FILES, _of("directory")),
    "CUE_FILE_EXT": (_FILES, _of("extension")),
    "CUE_FILE_CHANGE_TYPE": (_FILES, _of("changeType")),
    "CUE_TASK_FILE": (_TASKS, _of("path")),
    "CUE_TASK_FILE_NAME": (_TASKS, _of("filename")),
    "CUE_TASK_FILE_DIR": (_TASKS, _of("directory")),
    "CUE_TASK_COUNT": (_TASKS, _of("taskCount", default="0")),
    "CUE_TASK_LIST": (_TASKS, _of("taskList")),
    "CUE_TASK_CONTENT": (_TASKS, _of("content", most=event_types.CONTENT_LETTERS)),
    # A follow-up prompt and a start by hand have an output too.
    "CUE_SOURCE_SESSION": (_DONE, _of("sourceSession")),
    "CUE_SOURCE_OUTPUT": (None, _source_output),
    "CUE_SOURCE_STATUS": (_DONE, _of("status")),
    "CUE_SOURCE_EXIT_CODE": (_DONE, _of("exitCode")),
    "CUE_SOURCE_DURATION": (_DONE, _of("durationMs")),
    "CUE_SOURCE_TRIGGERED_BY": (_DONE, _of("triggeredBy")),
    "CUE_SOURCE_RUN_ID": (_DONE, _of("sourceRunId")),
    "CUE_SOURCE_OUTPUT_FILE": (_DONE, _of("sourceOutputFile")),
    "CUE_GH_TYPE": (_GITHUB, _of("type")),
    "CUE_GH_NUMBER": (_GITHUB, _of("number")),
    "CUE_GH_TITLE": (_GITHUB, _of("title")),
    "CUE_GH_AUTHOR": (_GITHUB, _of("author")),
    "CUE_GH_URL": (_GITHUB, _of("url")),
    "CUE_GH_BODY": (_GITHUB, _of("body", most=event_types.BODY_LETTERS)),
    "CUE_GH_LABELS": (_GITHUB, _of("labels")),
    "CUE_GH_STATE": (_GITHUB, _of("state")),
    "CUE_GH_REPO": (_GITHUB, _of("repo")),
    "CUE_GH_BRANCH": ((event_types.PULL_REQUEST,), _of("head_branch")),
    "CUE_GH_BASE_BRANCH": ((event_types.PULL_REQUEST,), _of("base_branch")),
    "CUE_GH_MERGED_AT": ((event_types.PULL_REQUEST,), _of("merged_at")),
    "CUE_GH_ASSIGNEES": ((event_types.ISSUE,), _of("assignees")),
    "CUE_NEW_COMMENTS": (_GITHUB, _new_comments),
    "CUE_GH_IS_RETRIGGER": (_GITHUB, _of("is_retrigger")),
    "CUE_GH_RETRIGGER_COUNT": (_GITHUB, _of("retrigger_count")),
    "CUE_CLI_PROMPT": (None, _of("cliPrompt")),
    "CUE_SOURCE_AGENT_ID": (None, _of("sourceAgentId")),
    "CUE_FIRE_AT": ((event_types.ONCE,), _of("fire_at")),
    "CUE_PIPELINE_NAME": (None, _of("pipelineName")),
}


def _like(name: str) -> str | None:
    word = variable_part(name)
    # A single everyday word, such as `title`, is no slip of `TIME`.
    cutoff = 0.75 if "_" in word else 0.9
    return nearest(word, (*_COMMON, *_EVENT, *STANDARD), cutoff=cutoff)
