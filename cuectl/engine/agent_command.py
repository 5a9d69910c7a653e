"""From an agent's definition and a prompt to the command line of one turn."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cuectl.engine.agents import driver_of
from cuectl.model.errors import CuectlError
from cuectl.model.turn import PromptBy
from cuectl.model.values import dataclass

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
        CuectlError: the prompt can't be an argument, or the conversation can't go on.
    """
    driver = driver_of(agent.driver)
    by = PromptBy(agent.prompt) if agent.prompt else driver.prompt
    more = (*agent.args, *_conversation(agent, driver, ask))
    if agent.shell is not None:
        return _shell_turn(agent, [_filled(word, ask) for word in more], ask, by)
    own = len(agent.argv) > 1
    words = (
        list(agent.argv) if own else [*(agent.argv or (driver.program,)), *driver.arguments(ask)]
    )
    template = "\0".join([*words, *more])
    argv = [_filled(word, ask) for word in (*words, *more)]
    argv[0] = os.path.expanduser(argv[0])
    if "{prompt}" in template or "{prompt_file}" in template:
        if "{prompt}" in template:
            _check_argument(ask.prompt)
        return TurnCommand(argv=tuple(argv), reads_prompt=False)
    before = driver.prompt_words.get(by, ())
    match by:
        case PromptBy.STDIN:
            # Whoever writes a whole command line also writes what says "from standard input".
            return TurnCommand(argv=(*argv, *(() if own else before)), reads_prompt=True)
        case PromptBy.ARG:
            _check_argument(ask.prompt)
            return TurnCommand(argv=(*argv, *before, ask.prompt), reads_prompt=False)
        case PromptBy.FILE:
            return TurnCommand(argv=(*argv, *before, ask.prompt_file), reads_prompt=False)


def begins_sessions(agent: AgentDefinition) -> bool:
    """Tell whether the id of a new conversation of an agent can be chosen beforehand."""
    if agent.start_args:
        return any("{session_id}" in word for word in agent.start_args)
    return (
        len(agent.argv) <= 1 and agent.shell is None and driver_of(agent.driver).begin is not None
    )


def _conversation(agent: AgentDefinition, driver: Driver, ask: Ask) -> tuple[str, ...]:
    """Return the words that begin a conversation, or go on with one."""
    own = len(agent.argv) > 1 or agent.shell is not None
    if ask.session is not None:
        if agent.resume_args:
            return agent.resume_args
        if driver.resume is not None and not own:
            return driver.resume(ask.session)
        if driver.resume is None or any(
            "{session_id}" in word for word in (*agent.argv, *agent.args)
        ):
            # A program of one's own finds it in its environment.
            return ()
        hint = "say how under 'resume_args', with {session_id}"
        raise CuectlError(f"agent '{agent.name}' can't go on with a conversation", hint=hint)
    if agent.start_args:
        return agent.start_args
    if ask.new_session is not None and driver.begin is not None and not own:
        return driver.begin(ask.new_session)
    return ()


def _shell_turn(agent: AgentDefinition, more: list[str], ask: Ask, by: PromptBy) -> TurnCommand:
    """Return the turn of a command line for `sh`; the prompt is never part of its text."""
    if by is PromptBy.ARG:
        _check_argument(ask.prompt)
        more.append(ask.prompt)
    elif by is PromptBy.FILE:
        more.append(ask.prompt_file)
    line = f'{agent.shell} "$@"' if more else agent.shell
    argv = (_SHELL, "-c", line or "", agent.name, *more)
    return TurnCommand(argv=argv, reads_prompt=by is PromptBy.STDIN)


def _filled(word: str, ask: Ask) -> str:
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
            "the prompt is too long for an argument", hint="give it by 'prompt: stdin' or 'file'"
        )
