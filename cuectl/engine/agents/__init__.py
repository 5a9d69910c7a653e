"""Agent command lines: one adapter each, in a registry (reference/agent-clis.md).

A new one is a module with a `driver`, a line in `DRIVERS`, and its name in
`store/definition_agents.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING

from cuectl.model.turn import PromptBy

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.model.turn import Answer, Ask


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """The facts of one command line.

    Attributes:
        program: what is looked for on the PATH; empty when the definition must say.
        arguments: from what is asked to the arguments, the prompt left out.
        read: from standard output and standard error to what they say.
        prompt: how the prompt gets in, unless the definition says otherwise.
        prompt_words: what stands before the prompt as an argument, or before its file.
        env: variables that the program should have.
        empty_is_error: an empty answer is a failure.
        version: arguments that print a version and do nothing.
    """

    program: str
    arguments: Callable[[Ask], list[str]]
    read: Callable[[bytes, bytes], Answer]
    prompt: PromptBy = PromptBy.STDIN
    prompt_words: dict[PromptBy, tuple[str, ...]] = field(default_factory=dict)
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
