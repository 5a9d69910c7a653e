"""A command for tests of the frame, with an option of every kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli import registry
from cuectl.cli.options import Argument, Command, Option
from cuectl.cli.parameters import duration, key_value, whole_number

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


def probe(
    run: Callable[..., int | None], *, argv: str = "A command", name: str = "probe"
) -> Command:
    """Return a command that takes one of everything."""
    return Command(
        name=name,
        summary="Probe the frame",
        arguments=(
            Argument(name="FIRST", help="A word"),
            Argument(name="REST", help="More words", many=True, required=False),
        ),
        options=(
            Option(name="--text", short="-t", metavar="TEXT", help="Any text"),
            Option(name="--in", metavar="DUR", help="A span", convert=duration),
            Option(
                name="--number",
                short="-n",
                metavar="N",
                help="A number",
                default=7,
                convert=whole_number(1, 99),
            ),
            Option(name="--mode", metavar="MODE", help="A word of two", choices=("red", "green")),
            Option(name="--pair", metavar="K=V", help="Pairs", many=True, convert=key_value),
            Option(name="--flag", also=("--banner",), help="A flag"),
        ),
        argv=argv,
        exits=((3, "something is odd"),),
        run=run,
    )


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
