"""The sections `agents` and `queues`: who can be given a prompt, and in what order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.definitions.fields import Fields
from cuectl.definitions.rules.definitions import RESULT_GRACE_S, AgentDefinition, QueueDefinition
from cuectl.definitions.section import read_command, read_directory, read_env, read_placement
from cuectl.definitions.yaml_nodes import YamlKind, shown

if TYPE_CHECKING:
    from cuectl.definitions.fields import Findings
    from cuectl.definitions.yaml_nodes import YamlNode

DRIVERS = ("claude", "codex", "gemini", "opencode", "aider", "command")
PROMPTS = ("stdin", "arg", "file")
MCP = ("read", "write")
TAKES_MCP = ("claude", "codex", "opencode")
OUTPUTS = ("text", "json", *DRIVERS[:-1])

_AGENT_KEYS = (
    *("driver", "id", "cmd", "shell", "args", "start_args", "resume_args", "cwd", "model"),
    *("env", "prompt", "output", "ok_exit", "empty_is_error", "error_pattern", "mcp"),
    *("timeout", "idle_timeout", "result_grace", "max_concurrent", "queue_size"),
    *("price", "budget_usd", "budget_usd_per_day", "executor"),
)
_PRICE_KEYS = ("input", "output", "cached")
_MOST_USD = 1_000_000
_WITHOUT_PROMPT_FILE = ("claude", "codex", "gemini", "opencode")
_MOST_EXIT = 255
_QUEUE_KEYS = ("agent", "max_parallel", "timeout", "retries")


def read_agent(
    name: str, node: YamlNode, directory: str, findings: Findings
) -> AgentDefinition | None:
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
    prompt = fields.choice("prompt", PROMPTS)
    if prompt == "file" and driver in _WITHOUT_PROMPT_FILE and len(argv) < 2 and shell is None:
        hint = "write: prompt: stdin"
        fields.fail("prompt", f"is 'file', which '{driver}' has no option for", hint=hint)
    tools = fields.choice("mcp", MCP)
    if tools is not None and (driver not in TAKES_MCP or len(argv) > 1 or shell is not None):
        hint = f"drivers that can be given it: {' '.join(TAKES_MCP)}"
        fields.fail("mcp", "is for a program that cuectl knows the options of", hint=hint)
    grace_s = fields.seconds("result_grace", bare_unit="s", zero=True)
    return AgentDefinition(
        name=name,
        driver=driver or "command",
        id=fields.text("id"),
        argv=argv,
        shell=shell,
        args=_arguments(fields, "args"),
        start_args=_arguments(fields, "start_args"),
        resume_args=_arguments(fields, "resume_args"),
        output=fields.choice("output", OUTPUTS),
        ok_exit=_exit_codes(fields),
        empty_is_error=fields.maybe("empty_is_error"),
        error_pattern=_pattern(fields, "error_pattern"),
        cwd=read_directory(fields, directory),
        model=fields.text("model"),
        env=read_env(fields),
        prompt=prompt,
        mcp=tools,
        timeout_s=fields.seconds("timeout", bare_unit="s"),
        idle_timeout_s=fields.seconds("idle_timeout", bare_unit="s"),
        result_grace_s=RESULT_GRACE_S if grace_s is None else grace_s,
        max_concurrent=fields.whole("max_concurrent", least=1, most=100),
        queue_size=fields.whole("queue_size", least=0, most=10_000),
        price=_price(fields, what, findings),
        budget_usd=_dollars(fields, "budget_usd"),
        budget_usd_per_day=_dollars(fields, "budget_usd_per_day"),
        executor=read_placement(fields),
    )


def _dollars(fields: Fields, key: str) -> float | None:
    return fields.number(key, least=0, most=_MOST_USD, above=True)


def _price(fields: Fields, what: str, findings: Findings) -> dict[str, float] | None:
    node = fields.get("price")
    if node is None:
        return None
    inner = Fields(node, f"'price' of {what}", findings, known=_PRICE_KEYS)
    if inner.is_mapping and len(inner.given(_PRICE_KEYS[:2])) < 2:
        hint = "in dollars for a million tokens"
        findings.error(node, f"'price' of {what} needs 'input' and 'output'", hint=hint)
    values = {key: inner.number(key, least=0, most=_MOST_USD) for key in _PRICE_KEYS}
    return {key: one for key, one in values.items() if one is not None}


def _arguments(fields: Fields, key: str) -> tuple[str, ...]:
    return fields.texts(key, empty=True, blank=True, scalars=True) or ()


def _exit_codes(fields: Fields) -> tuple[int, ...]:
    node = fields.get("ok_exit")
    if node is None:
        return (0,)
    items = node.items if node.kind is YamlKind.LIST else [node]
    found = []
    for item in items:
        if item.kind is YamlKind.NUMBER and item.text.isdigit() and int(item.text) <= _MOST_EXIT:
            found.append(int(item.text))
        else:
            fields.wrong("ok_exit", item, f"an exit code from 0 to {_MOST_EXIT}, or a list of them")
    return tuple(dict.fromkeys(found)) or (0,)


def _pattern(fields: Fields, key: str) -> str | None:
    import re

    text = fields.text(key)
    try:
        re.compile(text or "")
    except (re.error, RecursionError, OverflowError) as error:
        fields.fail(key, f"is not a regular expression: {error}")
        return None
    return text


def read_queue(name: str, node: YamlNode, _: str, findings: Findings) -> QueueDefinition | None:
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
