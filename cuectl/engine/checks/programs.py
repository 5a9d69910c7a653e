"""Whether a pass would find what it is to run: the usual trap of cron's short PATH."""

from __future__ import annotations

import os
import re
import shlex
import shutil

from cuectl.engine.checks.answers import ok, problem, warning
from cuectl.model.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cuectl.engine.checks.patient import Patient
    from cuectl.model.finding import Finding

_PLAIN = re.compile(r"[\w./+@~-]+")
_ASSIGNMENT = re.compile(r"\w+=")
# What sh runs itself, or reads as part of its language.
_OF_THE_SHELL = frozenset(
    "! . : [ [[ { ( alias break builtin case cd command continue echo eval exec exit export "
    "false for function getopts hash if local printf pwd read readonly return select set shift "
    "source test time times trap true type ulimit umask unalias unset until wait while".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A program that something wants to run.

    Attributes:
        user: what wants it, for people.
        sure: whether it is the program for certain; a line for the shell is only guessed at.
    """

    user: str
    program: str
    cwd: str
    env: Mapping[str, str]
    sure: bool = True


def on_the_path(patient: Patient) -> Iterator[Finding]:
    """Answer for the first word of every handler, agent, sink and command."""
    if not patient.is_usable:
        return
    wanted = list(_wanted(patient))
    missing = [one for one in wanted if not _is_found(one, patient.pass_path)]
    where = "the scheduler's PATH" if patient.installed else "the PATH"
    for one in missing:
        message = f"'{one.program}' of {one.user} is not on {where}"
        hint = f"write its whole path, or put its directory on the PATH: {_way(patient)}"
        if "/" in one.program:
            message = f"'{one.program}' of {one.user} is not a program in '{one.cwd}'"
            hint = "make it, or mend its mode: chmod +x"
        yield (problem if one.sure else warning)("program_missing", message, hint)
    if not missing:
        yield ok("programs", f"all {len(wanted)} programs are on {where}")


def _way(patient: Patient) -> str:
    if any(one.by_hand for one in patient.installed):
        return "crontab -e"
    return "cuectl scheduler install"


def _wanted(patient: Patient) -> Iterator[Wanted]:
    parent = os.path.dirname(patient.home)
    for handler in patient.in_force.definitions.handlers.values():
        user = f"handler '{handler.name}'"
        yield from _first(user, handler.argv, handler.shell, handler.cwd, handler.env)
    for agent in patient.in_force.agents.values():
        user = f"agent '{agent.name}'"
        argv = tuple(os.path.expanduser(word) for word in agent.argv[:1])
        if not argv and agent.shell is None and agent.driver != "command":
            argv = (agent.driver,)
        yield from _first(user, argv, agent.shell, agent.cwd, agent.env)
    for sink in patient.in_force.alerts.values():
        if sink.argv:
            yield from _first(f"alert sink '{sink.name}'", sink.argv, None, sink.cwd or parent, {})
    for cue in patient.cues:
        target = cue.target
        if target.get("type") == "command":
            argv, shell = tuple(target.get("argv", ())), target.get("shell")
            cwd, env = target.get("cwd") or parent, target.get("env", {})
            yield from _first(f"cue '{cue.name}'", argv, shell, cwd, env)


def _first(
    user: str, argv: tuple[str, ...], shell: str | None, cwd: str, env: Mapping[str, str]
) -> Iterator[Wanted]:
    word = argv[0] if argv else first_word(shell or "")
    if word and "{{" not in word:
        folder = os.path.expanduser(cwd)
        yield Wanted(user=user, program=word, cwd=folder, env=env, sure=bool(argv))


def first_word(command: str) -> str | None:
    """Return the program that a line for the shell begins with, None when it is not plain."""
    try:
        words = shlex.split(command, comments=True)
    except ValueError:
        return None
    word = next((word for word in words if not _ASSIGNMENT.match(word)), None)
    if word is None or word in _OF_THE_SHELL or not _PLAIN.fullmatch(word):
        return None
    return os.path.expanduser(word)


def _is_found(wanted: Wanted, path: str) -> bool:
    if "/" in wanted.program:
        program = os.path.join(wanted.cwd, wanted.program)
        return os.path.isfile(program) and os.access(program, os.X_OK)
    own = wanted.env.get("PATH", "")
    if "$" in own:
        # What is put in there is known to a pass alone.
        own = f"{own}{os.pathsep}{path}"
    return shutil.which(wanted.program, path=own or path) is not None
