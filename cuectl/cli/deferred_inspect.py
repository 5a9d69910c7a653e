"""Let `import dataclasses` do without `inspect`, which costs half of an interpreter's start.

`dataclasses` imports it for classes that have no docstring, which ours all have. Whoever
does need it gets it: the stand-in below imports the real module at the first use.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Deferred(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if sys.modules.get("inspect") is self:
            del sys.modules["inspect"]
        import inspect

        return getattr(inspect, name)


def defer() -> None:
    """Put the stand-in where `import inspect` looks, unless the module is there already."""
    if "inspect" not in sys.modules:
        sys.modules["inspect"] = _Deferred("inspect")
