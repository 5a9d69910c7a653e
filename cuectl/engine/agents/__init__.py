"""Agent command lines: one adapter each, in a registry (reference/agent-clis.md).

A new one is a module with a `driver`, a line in `DRIVERS`, and its name in
`store/definition_agents.py`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from cuectl.model.turn import PromptBy
from cuectl.model.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.model.definitions import AgentDefinition
    from cuectl.model.turn import Answer, Ask


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """The facts of one command line.

    Attributes:
        program: what is looked for on the PATH; empty when the definition must say.
        arguments: from what is asked to the arguments, prompt and conversation left out.
        read: from standard output and standard error to what they say.
        prompt: how the prompt gets in, unless the definition says otherwise.
        prompt_words: what stands before the prompt as an argument, or before its file, or
            says that it comes on the standard input; a way that is missing does not exist.
        resume: from the id of a conversation to the words that go on with it.
        begin: from an id to the words that begin a conversation of that id.
        session_is_file: an id is the path of a file.
        env: variables that the program should have.
        empty_is_error: an empty answer is a failure.
        version: arguments that print a version and do nothing.
    """

    program: str
    arguments: Callable[[Ask], list[str]]
    read: Callable[[bytes, bytes], Answer]
    prompt: PromptBy = PromptBy.STDIN
    prompt_words: dict[PromptBy, tuple[str, ...]] = field(default_factory=dict)
    resume: Callable[[str], tuple[str, ...]] | None = None
    begin: Callable[[str], tuple[str, ...]] | None = None
    session_is_file: bool = False
    env: dict[str, str] = field(default_factory=dict)
    empty_is_error: bool = True
    version: tuple[str, ...] = ("--version",)


DRIVERS = ("claude", "codex", "gemini", "opencode", "aider", "command")


def driver_of(name: str) -> Driver:
    """Return the adapter of that name.

    Raises:
        KeyError: there is none.
    """
    if name not in DRIVERS:
        raise KeyError(name)
    driver: Driver = import_module(f"cuectl.engine.agents.{name}").driver
    return driver


def reader_of(agent: AgentDefinition) -> Callable[[bytes, bytes], Answer]:
    """Return what reads the output of an agent: its driver, unless the definition says other."""
    if agent.output in ("text", "json"):
        from cuectl.engine.agents import command

        return command.read_text if agent.output == "text" else command.read_json
    return driver_of(agent.output or agent.driver).read


def empty_is_error(agent: AgentDefinition) -> bool:
    """Tell whether an empty answer of an agent is a failure."""
    if agent.empty_is_error is not None:
        return agent.empty_is_error
    return driver_of(agent.output if agent.output in DRIVERS else agent.driver).empty_is_error
