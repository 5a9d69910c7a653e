"""What the shell offers for a value. Completion never fails and never writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem

    from cuectl.cli.options import Argument, Option

Found = Iterable[tuple[str, str]]
Complete = Callable[["click.Context", "click.Parameter", str], list["CompletionItem"]]


def completer(declared: Option | Argument) -> Complete | None:
    """Return click's callback for what an option or argument takes; None for free text."""
    if not declared.choices and declared.complete not in KINDS and not declared.complete:
        return None

    def complete(ctx: Any, parameter: Any, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        if declared.complete in ("file", "directory"):
            kind = "dir" if declared.complete == "directory" else "file"
            return [CompletionItem(incomplete, type=kind)]
        if declared.choices:
            found: Found = ((choice, "") for choice in declared.choices)
        else:
            found = _quietly(KINDS[declared.complete])
        return [CompletionItem(w, help=h) for w, h in found if w.startswith(incomplete)]

    return complete


def _quietly(source: Callable[[], Found]) -> Found:
    from cuectl.model.errors import CuectlError

    try:
        return list(source())
    except (CuectlError, OSError, ValueError, KeyError):
        return []


def _zones() -> Found:
    import zoneinfo

    return ((name, "") for name in sorted(zoneinfo.available_timezones()))


def _topics() -> Found:
    from cuectl.cli.manual.pages import page_names

    return ((name, "") for name in page_names())


KINDS: dict[str, Callable[[], Found]] = {"zone": _zones, "topic": _topics}
