"""A `gh` that answers what a file says, and notes how it was called."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.builder import Cuectl

SCRIPT = """#!/bin/sh
echo "$*" >> "$HOME/gh.calls"
[ -f "$HOME/gh.hang" ] && exec sleep 1000
[ -f "$HOME/gh.error" ] && { cat "$HOME/gh.error" >&2; exit 1; }
cat "$HOME/gh.$1"
"""


class GitHub:
    """What the stub says."""

    def __init__(self, cuectl: Cuectl) -> None:
        folder = cuectl.user / "bin"
        folder.mkdir()
        (folder / "gh").write_text(SCRIPT)
        (folder / "gh").chmod(0o755)
        cuectl.environment["PATH"] = f"{folder}:{cuectl.environment['PATH']}"
        self._user = cuectl.user
        self.lists([])
        self.lists([], "issue")

    def lists(self, items: list[dict[str, Any]], kind: str = "pr") -> None:
        """List these items from now on."""
        self.answers(json.dumps(items), kind)

    def answers(self, text: str, kind: str = "pr") -> None:
        """Answer this text from now on."""
        (self._user / f"gh.{kind}").write_text(text)

    def fails(self, text: str | None) -> None:
        """Fail with a text from now on; None works again."""
        file = self._user / "gh.error"
        file.unlink(missing_ok=True)
        if text is not None:
            file.write_text(text)

    @property
    def calls(self) -> list[str]:
        """How it was called."""
        file = self._user / "gh.calls"
        return file.read_text().splitlines() if file.exists() else []


def item(number: int, **more: Any) -> dict[str, Any]:
    """Return an item as `gh` lists it."""
    return {
        "number": number,
        "title": f"No {number}",
        "author": {"login": "ann"},
        "url": f"https://github.com/acme/shop/pull/{number}",
        "body": "a body",
        "state": "OPEN",
        "isDraft": False,
        "labels": [{"name": "bug"}],
        "headRefName": "fix",
        "baseRefName": "main",
        "createdAt": "2026-11-20T10:00:00Z",
        "updatedAt": "2026-11-21T01:00:00Z",
        "mergedAt": None,
    } | more
