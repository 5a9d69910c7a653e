"""Survivors that are known, each with the reason why no test notices it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.mutants.making import Mutant

FILE = Path(__file__).with_name("accepted.toml")


@dataclass(frozen=True)
class Accepted:
    """One survivor.

    Attributes:
        module: the path of the source.
        function: the qualified name around the change.
        diff: the old lines after `- ` and the new ones after `+ `.
        noticeable: whether a user could tell; these count against the bar.
        reason: why it is left.
    """

    module: str
    function: str
    diff: tuple[str, ...]
    noticeable: bool
    reason: str

    def is_about(self, mutant: Mutant) -> bool:
        """Tell whether it stands for a mutant, wherever its lines stand now."""
        same = (mutant.module, mutant.function, mutant.diff)
        return same == (self.module, self.function, self.diff)


def accepted(path: Path = FILE) -> list[Accepted]:
    """Read the file.

    Raises ValueError: an entry has no reason, or one is there twice.
    """
    rows = tomllib.loads(path.read_text(encoding="utf-8")).get("survivor", [])
    found = [
        Accepted(
            row["module"],
            row["function"],
            tuple(row["diff"].strip().splitlines()),
            row["noticeable"],
            row["reason"].strip(),
        )
        for row in rows
    ]
    for one in found:
        if len(one.reason.split()) < 3:
            raise ValueError(f"no reason: {one.module} {one.function}")
    if len({(one.module, one.function, one.diff) for one in found}) != len(found):
        raise ValueError("a survivor is listed twice")
    return found


def about(mutant: Mutant, known: Iterable[Accepted]) -> Accepted | None:
    """Return what is said about a mutant."""
    return next((one for one in known if one.is_about(mutant)), None)
