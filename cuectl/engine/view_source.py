"""What views can be read from: the store with its lock held, a change, or a reader."""

from __future__ import annotations

from typing import Any, Protocol


class ViewSource(Protocol):
    """Reading by name, and listing."""

    def read(self, path: str) -> dict[str, Any] | None:
        """Return the object of a view, None when it is not there.

        Raises:
            BadView: it is damaged.
        """

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder of views."""
