"""A command for tests of the frame, with an option of every kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.frame import registry
from cuectl.cli.frame.declare import (
    Argument,
    Command,
    Option,
    command,
    duration,
    key_value,
    whole_number,
)
from cuectl.values.records import replace

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


def probe(
    run: Callable[..., int | None], *, argv: str = "A command", name: str = "probe"
) -> Command:
    """Return a command that takes one of everything."""
    made = command(
        name,
        Argument("FIRST", "A word"),
        Argument("[REST...]", "More words"),
        Option("-t, --text TEXT", "Any text"),
        Option("--in DUR", "A span", duration),
        Option("-n, --number N", "A number", whole_number(1, 99), default=7),
        Option("--mode MODE", "A word of two", choices=("red", "green")),
        Option("--pair K=V", "Pairs", key_value, many=True),
        Option("--flag, --banner", "A flag"),
        argv=argv,
        exits={3: "something is odd"},
    )(run)
    return replace(made, summary="Probe the frame")


def register(monkeypatch: pytest.MonkeyPatch, *commands: Command) -> None:
    """Make the commands known for one test."""
    known = {command.name: command for command in commands}
    entries = {name: ("", registry.CARE, command.summary) for name, command in known.items()}
    load = registry.load
    monkeypatch.setattr(registry, "COMMANDS", registry.COMMANDS | entries)
    monkeypatch.setattr(registry, "load", lambda name: known.get(name) or load(name))


class Recorder:
    """Remembers what `run` was called with."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def __call__(self, call: Any, **values: Any) -> int | None:
        self.calls.append({"settings": call.settings, **values})
        return None
