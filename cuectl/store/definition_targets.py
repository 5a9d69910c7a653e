"""What a cue or a subscription starts: a task, a command, an agent, a workflow, an address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.store.definition_commands import read_directory, read_env, read_shell, read_words
from cuectl.store.definition_settings import read_url

if TYPE_CHECKING:
    from cuectl.store.definition_fields import Fields

Record = dict[str, Any]

KINDS = ("task", "command", "shell", "agent", "workflow", "url")
TARGET_KEYS = (*KINDS, "prompt", "kwargs", "env", "cwd")

# What belongs to one kind of target and means nothing beside another.
_BESIDE = {
    "prompt": ("agent",),
    "kwargs": ("workflow",),
    "env": ("command", "shell"),
    "cwd": ("command", "shell"),
}


def read_target(fields: Fields, payload: Record, directory: str) -> Record | None:
    """Return the target of a cue, in the form of `model/cue.py`; None when there is none."""
    kind = _kind(fields, payload)
    if kind is None:
        return None
    for key in fields.given(_BESIDE):
        if kind not in _BESIDE[key]:
            message = f"'{key}' in {fields.what} means nothing beside '{kind}'"
            fields.findings.error(fields.key(key), message, hint=_way_out(key))
    if kind == "agent":
        return _agent(fields)
    return read_work(fields, kind, payload, directory)


def read_work(fields: Fields, kind: str, payload: Record, directory: str) -> Record:
    """Return a target that is not an agent."""
    match kind:
        case "task":
            return {"type": "task", "task": _task(fields, payload)}
        case "workflow":
            record = {"type": "workflow", "workflow": fields.text("workflow")}
            return record | {"kwargs": fields.record("kwargs"), "cwd": directory}
        case "url":
            return {"type": "webhook", "url": read_url(fields, "url")}
        case "shell":
            return _command(fields, {"shell": read_shell(fields, "shell")}, directory)
        case _:
            return _command(fields, {"argv": list(read_words(fields, "command"))}, directory)


def _kind(fields: Fields, payload: Record) -> str | None:
    given = fields.given(KINDS)
    if len(given) > 1:
        words = " and ".join(f"'{key}'" for key in given)
        fields.findings.error(fields.key(given[1]), f"{fields.what} has {words}; give one")
    if given:
        return given[0]
    if "task" in payload:
        return "task"
    message = f"{fields.what} says nothing to run"
    fields.findings.error(fields.node, message, hint=f"give one of: {' '.join(KINDS)}")
    return None


def _task(fields: Fields, payload: Record) -> str:
    task = fields.text("task")
    if "task" not in payload:
        return task or ""
    named = payload["task"]
    if not isinstance(named, str) or not named:
        fields.fail("payload", "has a 'task' that is not the name of a handler")
        return ""
    if task is not None and task != named:
        fields.fail("payload", f"has the task '{named}', and 'task' says '{task}'")
    return named


def _agent(fields: Fields) -> Record:
    prompt = fields.text("prompt", blank=True)
    if not fields.given(("prompt",)):
        fields.findings.error(fields.key("agent"), f"{fields.what} has an agent and no 'prompt'")
    return {"type": "agent", "agent": fields.text("agent"), "prompt": prompt}


def _command(fields: Fields, record: Record, directory: str) -> Record:
    target = {"type": "command"} | record | {"cwd": read_directory(fields, directory)}
    env = read_env(fields)
    return target | {"env": env} if env else target


def _way_out(key: str) -> str | None:
    if key in ("env", "cwd"):
        return "the handler, the agent or the module has its own"
    return None
