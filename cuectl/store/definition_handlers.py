"""The section `handlers`: how tasks are done (definitions.md; cueapi.md 5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.model.definitions import Handler
from cuectl.store.definition_commands import read_command, read_directory, read_env, read_shell
from cuectl.store.definition_fields import Fields
from cuectl.store.yaml_nodes import Kind, Node, shown

if TYPE_CHECKING:
    from cuectl.store.definition_problems import Findings

_KEYS = ("cmd", "timeout", "env", "cwd", "shell", "payload_file")
_HINTS = {
    "command": "did you mean 'cmd'?",
    "argv": "did you mean 'cmd'? a list runs without a shell",
    "retries": "it belongs to the cue: retry: {max_attempts: 3}",
    "retry": "it belongs to the cue: retry: {max_attempts: 3}",
    "user": "cuectl runs handlers as the user who runs cuectl",
}


def read_handler(name: str, node: Node, directory: str, findings: Findings) -> Handler | None:
    """Return the handler at `node`: a command line, or a mapping with `cmd`."""
    what = f"handler '{shown(name)}'"
    if node.kind is Kind.TEXT:
        entry = Fields(_short_form(node), what, findings, known=("cmd",))
        line = read_shell(entry, "cmd")
        return None if line is None else Handler(name=name, shell=line, cwd=directory)
    if node.kind is not Kind.MAPPING:
        findings.error(node, f"{what} must be a command or a mapping with 'cmd'")
        return None
    fields = Fields(node, what, findings, known=_KEYS, hints=_HINTS)
    argv, shell = read_command(fields)
    if "cmd" not in node.entries:
        findings.error(node, f"{what} has no 'cmd'", hint="say what to run: cmd: python3 audit.py")
    return Handler(
        name=name,
        argv=argv,
        shell=shell,
        timeout_s=fields.seconds("timeout", bare_unit="s"),
        env=read_env(fields),
        cwd=read_directory(fields, directory),
        payload_file=fields.flag("payload_file", default=False),
    )


def _short_form(node: Node) -> Node:
    from cuectl.store.yaml_nodes import Entry

    return Node(
        kind=Kind.MAPPING,
        path=node.path,
        line=node.line,
        column=node.column,
        entries={"cmd": Entry(key=node, value=node)},
    )
