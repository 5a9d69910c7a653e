"""The actions `command` and `notify` of a subscription (maestro-cue.md 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.store.definition_commands import read_directory, read_env, read_shell
from cuectl.store.definition_fields import Fields
from cuectl.store.yaml_nodes import Kind

if TYPE_CHECKING:
    from cuectl.store.yaml_nodes import Node

Record = dict[str, Any]

LEVELS = ("info", "success", "warning", "error")


def read_notify(fields: Fields) -> Record:
    """Return the target of `action: notify`."""
    node = fields.get("notify")
    if node is None:
        return {"type": "notify"}
    known = ("message", "sticky", "level")
    part = Fields(node, f"'notify' of {fields.what}", fields.findings, known=known)
    record: Record = {"type": "notify"}
    if (message := part.text("message", blank=True)) is not None:
        record["message"] = message
    if (level := part.choice("level", LEVELS)) is not None:
        record["level"] = level
    if part.flag("sticky", default=False):
        record["sticky"] = True
    return record


def read_command_action(fields: Fields, directory: str) -> Record:
    """Return the target of `action: command`: a command line, or a message to an agent."""
    node = fields.get("command")
    what = f"'command' of {fields.what}"
    if node is None or node.kind is not Kind.MAPPING:
        message = f"{fields.what} has the action 'command', which needs a mapping 'command'"
        hint = "write: command: {mode: shell, shell: npm test}"
        fields.findings.error(node or fields.node, message, hint=hint)
        return {"type": "command"}
    part = Fields(node, what, fields.findings, known=("mode", "shell", "cli"))
    given = part.given(("shell", "cli"))
    mode = part.choice("mode", ("shell", "cli"))
    if "mode" not in node.entries and len(given) == 1:
        mode = given[0]
    if mode is None or mode not in given or len(given) > 1:
        hint = "write: {mode: shell, shell: npm test} or {mode: cli, cli: {command: send, ...}}"
        if "mode" not in node.entries or mode is not None:
            fields.findings.error(
                node, f"{what} needs its 'mode' and what belongs to it", hint=hint
            )
        return {"type": "command"}
    if mode == "cli":
        return _send(part)
    target: Record = {"type": "command", "shell": read_shell(part, "shell")}
    target["cwd"] = read_directory(fields, directory)
    env = read_env(fields)
    return target | {"env": env} if env else target


def _send(part: Fields) -> Record:
    node: Node | None = part.get("cli")
    if node is None:
        return {"type": "send"}
    what = f"'cli' in {part.what}"
    send = Fields(node, what, part.findings, known=("command", "target", "message"))
    if not send.is_mapping:
        return {"type": "send"}
    send.choice("command", ("send",))
    for key in ("command", "target"):
        if key not in node.entries:
            part.findings.error(node, f"{what} has no '{key}'")
    record: Record = {"type": "send", "target": send.text("target")}
    if (message := send.text("message", blank=True)) is not None:
        record["message"] = message
    return record
