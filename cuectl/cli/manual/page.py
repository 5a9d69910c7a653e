"""One page of the manual."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.model.values import dataclass

if TYPE_CHECKING:
    from cuectl.cli.manual.markup import Block


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page.

    Attributes:
        name: `cuectl-create`.
        section: of the manual: 1 commands, 5 files, 7 everything else.
    """

    name: str
    section: int
    blocks: tuple[Block, ...]

    @property
    def file(self) -> str:
        """The file's name: `cuectl-create.1`."""
        return f"{self.name}.{self.section}"

    @property
    def path(self) -> str:
        """Where man looks for it below man/: `man1/cuectl-create.1`."""
        return f"man{self.section}/{self.file}"
