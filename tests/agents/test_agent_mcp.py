from __future__ import annotations

import json
import tomllib

import pytest

from cuectl.agents.command import with_mcp
from cuectl.definitions.rules.definitions import AgentDefinition
from cuectl.process.runtime import own_command

ENV = {"CUECTL_HOME": "/h", "CUE_HANDLE": "builder-1"}
WORDS = [*own_command(), "--home", "/h", "mcp", "--allow-write", "--handle", "builder-1"]


def agent(driver: str, mcp: str = "write") -> AgentDefinition:
    return AgentDefinition(name="a", driver=driver, cwd="/", mcp=mcp, args=("--x",))


def test_claude_gets_the_server_as_json() -> None:
    first, config, allowed = with_mcp(agent("claude"), ENV).args
    assert (first, allowed) == ("--x", "--allowedTools=mcp__cuectl")
    server = {"command": WORDS[0], "args": WORDS[1:]}
    assert json.loads(config.removeprefix("--mcp-config=")) == {"mcpServers": {"cuectl": server}}


def test_codex_gets_the_server_as_toml() -> None:
    _, _, command, _, rest = with_mcp(agent("codex"), ENV).args
    found = tomllib.loads(f"{command}\n{rest}")["mcp_servers"]["cuectl"]
    assert [found["command"], *found["args"]] == WORDS


def test_opencode_gets_the_server_by_a_variable() -> None:
    given = with_mcp(agent("opencode"), ENV)
    assert given.args == ("--x",)
    server = json.loads(given.env["OPENCODE_CONFIG_CONTENT"])["mcp"]["cuectl"]
    assert (server["command"], server["enabled"]) == (WORDS, True)


@pytest.mark.parametrize("driver", ["claude", "codex", "opencode"])
def test_to_read_only_nothing_more_is_allowed(driver: str) -> None:
    given = with_mcp(agent(driver, "read"), {})
    text = " ".join([*given.args, *given.env.values()])
    assert "--allow-write" not in text
    assert "--handle" not in text
