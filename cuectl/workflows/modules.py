"""Executing the files with workflows, each directory with helper modules of its own.

A file in a package is imported under its full name, so that it may import what stands beside it by
`from . import`. Any other file sees its own directory first; what it has imported from there is put
aside when a file of another directory is executed, which so finds its own `helpers`.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

# The directory that imports start at now, and the modules that were imported from others.
_CURRENT: list[str] = []
_ASIDE: dict[str, dict[str, ModuleType]] = {}


def execute(path: str) -> None:
    """Execute a file as a module. Raises whatever the file does."""
    from importlib import import_module
    from importlib.machinery import SourceFileLoader
    from importlib.util import module_from_spec, spec_from_loader

    parts = os.path.abspath(path).strip("/.").split("/")
    name = enter(path) or "_".join(("cuectl_workflows", *parts)).replace(".", "_")
    with _other_names():
        if package := name.rpartition(".")[0]:
            import_module(package)
        spec = spec_from_loader(name, SourceFileLoader(name, path))
        if spec is None or spec.loader is None:
            raise ImportError(f"'{path}' can't be loaded")
        module = module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            sys.modules.pop(name, None)
            raise


def enter(path: str) -> str | None:
    """Let imports find what stands beside a file, and nothing that stands beside another.

    Returns the full name of a file that is in a package.
    """
    root, name = _place_of(path)
    if root not in _CURRENT:
        for before in _CURRENT:
            own = [key for key in sys.modules if _is_of(before, key)]
            _ASIDE[before] = {key: sys.modules.pop(key) for key in own}
            sys.path.remove(before)
        sys.path.insert(0, root)
        sys.modules |= _ASIDE.pop(root, {})
        _CURRENT[:] = [root]
    return name


def _place_of(path: str) -> tuple[str, str | None]:
    """Return the directory that the imports of a file start at, and its name in a package."""
    own, file = os.path.split(os.path.abspath(path))
    directory, words = own, [file.removesuffix(".py")]
    while os.path.isfile(f"{directory}/__init__.py"):
        directory, word = os.path.split(directory)
        words.append(word)
    if len(words) == 1 or not all(word.isidentifier() for word in words):
        return own, None
    return directory, ".".join(reversed(words))


def _is_of(root: str, name: str) -> bool:
    """Tell whether a module, or the package that it belongs to, is in a directory."""
    top = sys.modules.get(name.partition(".")[0])
    places = [str(each) for each in getattr(top, "__path__", ())] or [getattr(top, "__file__", "")]
    return any(os.path.dirname(each or "") == root for each in places)


@contextmanager
def _other_names() -> Iterator[None]:
    """Let modules import us as `aegis.workflow`, too."""
    from importlib import import_module
    from types import ModuleType

    if "aegis" in sys.modules:
        yield
        return
    package = ModuleType("aegis")
    package.__path__ = []
    ours = import_module("cuectl.workflow")
    package.workflow = ours  # type: ignore[attr-defined]
    sys.modules |= {"aegis": package, "aegis.workflow": ours}
    try:
        yield
    finally:
        for name in ("aegis", "aegis.workflow"):
            sys.modules.pop(name, None)
