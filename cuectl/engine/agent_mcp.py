"""Giving an agent's program our MCP server, by the options that it has for that."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cuectl.engine.own_process import own_command
from cuectl.model.values import replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cuectl.model.definitions import AgentDefinition


def with_mcp(agent: AgentDefinition, env: Mapping[str, str]) -> AgentDefinition:
    """Return an agent whose program starts our server with its session and state directory.

    Args:
        agent: with `mcp` in its definition.
        env: of its turn; it may name the session that the server speaks for.
    """
    words = own_command()
    if home := env.get("CUECTL_HOME"):
        words += ["--home", home]
    words += ["mcp", *(["--allow-write"] if agent.mcp == "write" else [])]
    if handle := env.get("CUE_HANDLE"):
        words += ["--handle", handle]
    match agent.driver:
        case "claude":
            server = {"command": words[0], "args": words[1:]}
            config = json.dumps({"mcpServers": {"cuectl": server}})
            # In a batch nobody could say yes to a tool.
            more = (f"--mcp-config={config}", "--allowedTools=mcp__cuectl")
            return replace(agent, args=(*agent.args, *more))
        case "codex":
            # The values are TOML, in which a JSON text and a JSON list mean the same.
            command = f"mcp_servers.cuectl.command={json.dumps(words[0])}"
            rest = f"mcp_servers.cuectl.args={json.dumps(words[1:])}"
            return replace(agent, args=(*agent.args, "-c", command, "-c", rest))
        case _:
            local = {"type": "local", "command": words, "enabled": True}
            config = json.dumps({"mcp": {"cuectl": local}})
            return replace(agent, env={"OPENCODE_CONFIG_CONTENT": config, **agent.env})
