"""From an agent's definition and a prompt to the command line of one turn."""

from __future__ import annotations

import json
import os

from cuectl.agents.drivers.driver import driver_of
from cuectl.agents.rules import PromptBy
from cuectl.process.runtime import own_command
from cuectl.values.errors import CuectlError
from cuectl.values.records import dataclass, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cuectl.agents.drivers.driver import AgentDriver
    from cuectl.agents.rules import PromptRequest
    from cuectl.definitions.rules.definitions import AgentDefinition

# One argument may be no longer than this on Linux, whatever the sum of all.
LONGEST_ARGUMENT = 131_071
_SHELL = "/bin/sh"


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnCommand:
    """The command line of a turn, and whether its standard input is the prompt."""

    argv: tuple[str, ...]
    reads_prompt: bool


def turn_command(agent: AgentDefinition, ask: PromptRequest) -> TurnCommand:
    """Return how a prompt is given to an agent.

    A command of one word replaces the driver's program, a longer one its whole command line.
    Placeholders such as `{prompt}` are filled in, but not in a line for `sh`: a prompt is no code.

    Raises CuectlError: the prompt can't be an argument, or the conversation can't continue.
    """
    driver = driver_of(agent.driver)
    by = PromptBy(agent.prompt) if agent.prompt else driver.prompt
    more = (*agent.args, *_conversation(agent, driver, ask))
    if agent.shell is not None:
        return _shell_turn(agent, [_filled(word, ask) for word in more], ask, by)
    own = len(agent.argv) > 1
    words = agent.argv if own else (*(agent.argv or (driver.program,)), *driver.arguments(ask))
    template = "\0".join((*words, *more))
    argv = [_filled(word, ask) for word in (*words, *more)]
    argv[0] = os.path.expanduser(argv[0])
    if "{prompt}" in template or (by is PromptBy.ARG and "{prompt_file}" not in template):
        _check_argument(ask.prompt)
    if "{prompt}" in template or "{prompt_file}" in template:
        return TurnCommand(argv=tuple(argv), reads_prompt=False)
    before = driver.prompt_words.get(by, ())
    match by:
        case PromptBy.STDIN:
            # A command line that is given whole also has what says "from standard input".
            return TurnCommand(argv=(*argv, *(() if own else before)), reads_prompt=True)
        case PromptBy.ARG:
            # An option and its value in one word: a prompt that starts with a dash is no option.
            joined = before[-1:] and before[-1].endswith("=")
            last = (f"{before[-1]}{ask.prompt}",) if joined else (*before, ask.prompt)
            return TurnCommand(argv=(*argv, *last), reads_prompt=False)
        case PromptBy.FILE:
            return TurnCommand(argv=(*argv, *before, ask.prompt_file), reads_prompt=False)


def begins_sessions(agent: AgentDefinition) -> bool:
    """Tell whether the id of a new conversation of an agent can be chosen beforehand."""
    if agent.start_args:
        return any("{session_id}" in word for word in agent.start_args)
    own = len(agent.argv) > 1 or agent.shell is not None
    return not own and driver_of(agent.driver).begin is not None


def _conversation(
    agent: AgentDefinition, driver: AgentDriver, ask: PromptRequest
) -> tuple[str, ...]:
    own = len(agent.argv) > 1 or agent.shell is not None
    if ask.session is None:
        if agent.start_args or ask.new_session is None or driver.begin is None or own:
            return agent.start_args
        return driver.begin(ask.new_session)
    if agent.resume_args:
        return agent.resume_args
    if driver.resume is not None and not own:
        return driver.resume(ask.session)
    if driver.resume is None or "{session_id}" in "\0".join((*agent.argv, *agent.args)):
        # A program that cuectl does not know finds it in its environment.
        return ()
    hint = "say how under 'resume_args', with {session_id}"
    raise CuectlError(f"agent '{agent.name}' can't continue a conversation", hint=hint)


def _shell_turn(
    agent: AgentDefinition, more: list[str], ask: PromptRequest, by: PromptBy
) -> TurnCommand:
    """Return the turn of a command line for `sh`; the prompt is never part of its text."""
    if by is PromptBy.ARG:
        _check_argument(ask.prompt)
        more.append(ask.prompt)
    elif by is PromptBy.FILE:
        more.append(ask.prompt_file)
    line = f'{agent.shell} "$@"' if more else agent.shell
    argv = (_SHELL, "-c", line or "", agent.name, *more)
    return TurnCommand(argv=argv, reads_prompt=by is PromptBy.STDIN)


def _filled(word: str, ask: PromptRequest) -> str:
    if "{" not in word:
        return word
    values = {
        "{prompt_file}": ask.prompt_file,
        "{session_id}": ask.session or ask.new_session or "",
        "{model}": ask.model or "",
        "{cwd}": ask.cwd,
    }
    parts = word.split("{prompt}")
    for name, value in values.items():
        parts = [part.replace(name, value) for part in parts]
    return ask.prompt.join(parts)


def _check_argument(prompt: str) -> None:
    if "\0" in prompt:
        raise CuectlError("the prompt contains a NUL character and can't be an argument")
    if len(prompt.encode("utf-8", "surrogateescape")) > LONGEST_ARGUMENT:
        raise CuectlError(
            "the prompt is too long for an argument", hint="pass it with 'prompt: stdin' or 'file'"
        )


def with_mcp(agent: AgentDefinition, env: Mapping[str, str]) -> AgentDefinition:
    """Return an agent whose program starts our MCP server, for the session in its environment."""
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
            # In a batch no person can approve a tool.
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
