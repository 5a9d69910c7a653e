"""One page of the manual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
        """The file's name in man/: `cuectl-create.1`."""
        return f"{self.name}.{self.section}"
