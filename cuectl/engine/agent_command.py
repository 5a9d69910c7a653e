"""From an agent's definition and a prompt to the command line of one turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cuectl.engine.agents import driver_of
from cuectl.model.errors import CuectlError
from cuectl.model.turn import PromptBy

if TYPE_CHECKING:
    from cuectl.engine.agents import Driver
    from cuectl.model.definitions import AgentDefinition
    from cuectl.model.turn import Ask

# One argument may be no longer than this on Linux, whatever the sum of all.
LONGEST_ARGUMENT = 131_071
_SHELL = "/bin/sh"


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnCommand:
    """The command line of a turn.

    Attributes:
        reads_prompt: whether its standard input is the prompt.
    """

    argv: tuple[str, ...]
    reads_prompt: bool


def turn_command(agent: AgentDefinition, ask: Ask) -> TurnCommand:
    """Return how a prompt is given to an agent.

    A command of one word takes the place of the driver's program, a longer one that of its
    whole command line. `{prompt}`, `{prompt_file}`, `{session_id}`, `{model}` and `{cwd}` in it
    are replaced; in a line for `sh` nothing is, because a prompt is no code.

    Raises:
        CuectlError: the prompt can't be an argument.
    """
    driver = driver_of(agent.driver)
    by = PromptBy(agent.prompt) if agent.prompt else driver.prompt
    if agent.shell is not None:
        return _shell_turn(agent, ask, by)
    words = (*_words(agent, driver, ask), *agent.args)
    template = " ".join(words)
    argv = [_filled(word, ask) for word in words]
    if "{prompt}" in template:
        _check_argument(ask.prompt)
        return TurnCommand(argv=tuple(argv), reads_prompt=False)
    if "{prompt_file}" in template:
        return TurnCommand(argv=tuple(argv), reads_prompt=False)
    before = driver.prompt_words.get(by, ())
    match by:
        case PromptBy.STDIN:
            return TurnCommand(argv=tuple(argv), reads_prompt=True)
        case PromptBy.ARG:
            _check_argument(ask.prompt)
            return TurnCommand(argv=(*argv, *before, ask.prompt), reads_prompt=False)
        case PromptBy.FILE:
            return TurnCommand(argv=(*argv, *before, ask.prompt_file), reads_prompt=False)


def _shell_turn(agent: AgentDefinition, ask: Ask, by: PromptBy) -> TurnCommand:
    """Return the turn of a command line for `sh`; the prompt is never part of its text."""
    more = list(agent.args)
    if by is PromptBy.ARG:
        _check_argument(ask.prompt)
        more.append(ask.prompt)
    elif by is PromptBy.FILE:
        more.append(ask.prompt_file)
    line = f'{agent.shell} "$@"' if more else agent.shell
    argv = (_SHELL, "-c", line or "", agent.name, *more)
    return TurnCommand(argv=argv, reads_prompt=by is PromptBy.STDIN)


def _words(agent: AgentDefinition, driver: Driver, ask: Ask) -> list[str]:
    if len(agent.argv) == 1:
        return [agent.argv[0], *driver.arguments(ask)]
    return list(agent.argv) or [driver.program, *driver.arguments(ask)]


def _filled(word: str, ask: Ask) -> str:
    if "{" not in word:
        return word
    values = {
        "{prompt_file}": ask.prompt_file,
        "{session_id}": ask.session or "",
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
    if len(prompt.encode("utf-8", "replace")) > LONGEST_ARGUMENT:
        raise CuectlError(
            "the prompt is too long for an argument", hint="give it by 'prompt: stdin' or 'file'"
        )
