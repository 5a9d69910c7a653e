"""The variables of handlers, and the files that secrets are in."""

from __future__ import annotations

import os

from cuectl.engine.checks.answers import ok, problem, warning
from cuectl.model.errors import Refused
from cuectl.model.handler_text import UnsetName, environment_value
from cuectl.store.env_file import read_env_file
from cuectl.store.secret_file import read_secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cuectl.engine.checks.patient import Patient
    from cuectl.model.finding import Finding


def env_file(patient: Patient) -> Iterator[Finding]:
    """Answer whether `~/.cue/env` is for us alone."""
    if not patient.is_usable:
        return
    try:
        count = len(read_env_file(patient.home))
    except Refused as error:
        hint = f"{error.hint or 'chmod 600'}, or: cuectl doctor --fix"
        yield problem("env_open", error.message, hint)
        return
    yield ok("env", f"'{patient.home}/env' sets {count} variables")


def secret_files(patient: Patient) -> Iterator[Finding]:
    """Answer whether the keys of webhooks can be read by us and nobody else."""
    for sink in patient.in_force.alerts.values():
        if sink.secret_file is None:
            continue
        try:
            read_secret(os.path.expanduser(sink.secret_file))
        except Refused as error:
            message = f"alert sink '{sink.name}': {error.message}"
            yield problem("secret_file", message, error.hint or f"look at: {sink.secret_file}")


def unset_names(patient: Patient) -> Iterator[Finding]:
    """Answer whether every `${NAME}` means something in a pass."""
    if not patient.is_usable:
        return
    try:
        known = patient.pass_environment
    except Refused:
        # `env_file` has said so.
        return
    found = False
    for user, env in _environments(patient):
        for name in _unset(env, known):
            found = True
            hint = f"give it a value in {patient.home}/env"
            if name in patient.runtime.environment:
                message = f"'{name}' of {user} is set in this shell, and not for passes"
                yield warning("name_unset_in_passes", message, hint)
            else:
                yield problem("name_unset", f"'{name}' of {user} is not set", hint)
    if not found:
        yield ok("names", "every ${NAME} has a value")


def _environments(patient: Patient) -> Iterator[tuple[str, Mapping[str, str]]]:
    for handler in patient.in_force.definitions.handlers.values():
        yield f"handler '{handler.name}'", handler.env
    for agent in patient.in_force.agents.values():
        yield f"agent '{agent.name}'", agent.env
    for cue in patient.cues:
        yield f"cue '{cue.name}'", cue.target.get("env", {})


def _unset(env: Mapping[str, str], known: Mapping[str, str]) -> list[str]:
    stand_ins: dict[str, str] = {}
    for text in env.values():
        while (name := _first_unset(text, {**known, **stand_ins})) is not None:
            stand_ins[name] = ""
    return list(stand_ins)


def _first_unset(text: str, known: Mapping[str, str]) -> str | None:
    try:
        environment_value(text, {}, known.get)
    except UnsetName as error:
        return error.name
    return None
