"""Tests of workflows: fake agents, commands, steps and answers, in a time that costs none.

Once this is imported, `aegis.workflow` is another name of `cuectl.workflow`, where nothing else is
called `aegis`. The fixture `cue_workflow` of pytest gives a `Kit`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from cuectl.testing.fakes import FakeTurn as Turn
    from cuectl.testing.fakes import Unexpected
    from cuectl.testing.kit import Kit, RehearsedRun

__all__ = ["Kit", "RehearsedRun", "Turn", "Unexpected"]

_OTHER = "aegis"


class _OtherName(MetaPathFinder, Loader):
    """Finds `aegis.workflow`; it is asked last of all, so that it hides no other package."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return what is to be loaded, None when it is no name of ours."""
        if fullname == _OTHER:
            return ModuleSpec(fullname, self, is_package=True)
        above = getattr(sys.modules.get(_OTHER), "__loader__", None)
        return (
            ModuleSpec(fullname, self)
            if fullname == f"{_OTHER}.workflow" and above is self
            else None
        )

    def exec_module(self, module: ModuleType) -> None:
        """Put our module in the place of the new one, which is empty."""
        if module.__name__ != _OTHER:
            sys.modules[module.__name__] = import_module("cuectl.workflow")


if not any(isinstance(one, _OtherName) for one in sys.meta_path):
    sys.meta_path.append(_OtherName())


def __getattr__(name: str) -> Any:
    """Import the kit when it is asked for: pytest loads this with every test of anything."""
    if name in __all__:
        module = "kit" if name in ("Kit", "RehearsedRun") else "fakes"
        return getattr(import_module(f"cuectl.testing.{module}"), name.replace("Turn", "FakeTurn"))
    raise AttributeError(f"module 'cuectl.testing' has no attribute '{name}'")
