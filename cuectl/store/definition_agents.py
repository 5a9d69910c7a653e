"""The sections `agents` and `queues`: who can be given a prompt, and in what order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.model.definitions import AgentDefinition, QueueDefinition
from cuectl.store.definition_commands import read_command, read_directory, read_env
from cuectl.store.definition_fields import Fields
from cuectl.store.yaml_nodes import shown

if TYPE_CHECKING:
    from cuectl.store.definition_problems import Findings
    from cuectl.store.yaml_nodes import Node

DRIVERS = ("claude", "codex", "gemini", "opencode", "aider", "command")
PROMPTS = ("stdin", "arg", "file")

_AGENT_KEYS = (
    *("driver", "id", "cmd", "shell", "args", "cwd", "model", "env", "prompt"),
    *("timeout", "idle_timeout", "max_concurrent", "queue_size"),
)
_QUEUE_KEYS = ("agent", "max_parallel", "timeout", "retries")


def read_agent(name: str, node: Node, directory: str, findings: Findings) -> AgentDefinition | None:
    """Return the agent at `node`."""
    what = f"agent '{shown(name)}'"
    hints = {"command": "did you mean 'cmd'?", "argv": "did you mean 'cmd'?"}
    fields = Fields(node, what, findings, known=_AGENT_KEYS, hints=hints)
    argv, shell = read_command(fields)
    has_command = "cmd" in node.entries
    driver = fields.choice("driver", DRIVERS)
    if not fields.given(("driver",)):
        if not has_command:
            hint = f"drivers: {' '.join(DRIVERS)}"
            findings.error(node, f"{what} has neither 'driver' nor 'cmd'", hint=hint)
        driver = "command"
    if driver == "command" and not has_command and fields.given(("driver",)):
        findings.error(node, f"{what} has the driver 'command' and no 'cmd'")
    return AgentDefinition(
        name=name,
        driver=driver or "command",
        id=fields.text("id"),
        argv=argv,
        shell=shell,
        args=fields.texts("args", empty=True, blank=True, scalars=True) or (),
        cwd=read_directory(fields, directory),
        model=fields.text("model"),
        env=read_env(fields),
        prompt=fields.choice("prompt", PROMPTS),
        timeout_s=fields.seconds("timeout", bare_unit="s"),
        idle_timeout_s=fields.seconds("idle_timeout", bare_unit="s"),
        max_concurrent=fields.whole("max_concurrent", least=1, most=100),
        queue_size=fields.whole("queue_size", least=0, most=10_000),
    )


def read_queue(name: str, node: Node, _: str, findings: Findings) -> QueueDefinition | None:
    """Return the queue at `node`."""
    what = f"queue '{shown(name)}'"
    fields = Fields(node, what, findings, known=_QUEUE_KEYS)
    agent = fields.text("agent")
    if not fields.given(("agent",)):
        findings.error(node, f"{what} has no 'agent'")
    parallel = fields.whole("max_parallel", least=1, most=100)
    return QueueDefinition(
        name=name,
        agent=agent or "",
        max_parallel=parallel or 1,
        timeout_s=fields.seconds("timeout", bare_unit="s"),
        retries=fields.whole("retries", least=0, most=100) or 0,
    )
