"""Loading the modules that define workflows, each from the directory of its file.

One that is broken does not hide the others: what is wrong with it is kept beside what the
others define.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cuectl.engine.workflows.registration import REGISTERED, forget_file
from cuectl.model.errors import CuectlError
from cuectl.model.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cuectl.engine.workflows.registration import Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A file that could not be loaded.

    Attributes:
        message: one line that says why.
        detail: the traceback, for people who mend it.
    """

    path: str
    message: str
    detail: str = ""


@dataclass(slots=True, kw_only=True)
class Loaded:
    """The workflows of all files."""

    workflows: dict[str, Workflow] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)


def load_workflows(paths: Iterable[str]) -> Loaded:
    """Load all files, and those in directories; return what they define.

    Args:
        paths: absolute, or beginning with `~`.
    """
    loaded = Loaded()
    for path in dict.fromkeys(os.path.expanduser(each) for each in paths):
        files = list(_files_at(path))
        if not files:
            why = "holds no Python files" if os.path.isdir(path) else "is not there"
            loaded.broken.append(Broken(path=path, message=f"'{path}' {why}"))
        for file in files:
            _load(file, loaded)
    loaded.workflows = dict(sorted(REGISTERED.items()))
    return loaded


def _files_at(path: str) -> Iterator[str]:
    if not os.path.isdir(path):
        if os.path.isfile(path):
            yield path
        return
    for directory, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if name[0] not in "_.")
        for name in sorted(names):
            if name.endswith(".py") and name[0] not in "_.":
                yield os.path.join(directory, name)


def _load(path: str, loaded: Loaded) -> None:
    loaded.files.append(path)
    before = dict(REGISTERED)
    forget_file(path)
    try:
        with _other_names():
            _execute(path)
    # Whatever somebody's module does when it is imported, the others are not its business.
    except (Exception, SystemExit) as error:  # noqa: BLE001
        REGISTERED.clear()
        REGISTERED.update(before)
        forget_file(path)
        loaded.broken.append(_broken(path, error))


def _execute(path: str) -> None:
    from importlib.machinery import SourceFileLoader
    from importlib.util import module_from_spec, spec_from_loader

    directory = os.path.dirname(os.path.abspath(path))
    if directory not in sys.path:
        sys.path.insert(0, directory)
    name = "_".join(("cuectl_workflows", *os.path.abspath(path).strip("/.").split("/")))
    name = name.replace(".", "_")
    spec = spec_from_loader(name, SourceFileLoader(name, path))
    if spec is None:
        raise ImportError(f"'{path}' can't be loaded")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)  # type: ignore[union-attr]  # it is the one above
    except BaseException:
        del sys.modules[name]
        raise


@contextmanager
def _other_names() -> Iterator[None]:
    """Let modules import `aegis.workflow`, the name that they may know us by."""
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


def _broken(path: str, error: BaseException) -> Broken:
    import traceback

    if isinstance(error, CuectlError):
        return Broken(path=path, message=error.message)
    detail = "".join(traceback.format_exception(error))
    text = str(error).partition("\n")[0]
    line = next(
        (f.lineno for f in reversed(traceback.extract_tb(error.__traceback__))
         if os.path.realpath(f.filename) == os.path.realpath(path)), None
    )  # fmt: skip
    if isinstance(error, SyntaxError) and error.filename == path:
        line, text = error.lineno, error.msg
    place = f"{path}:{line}" if line else path
    return Broken(path=path, message=f"{place}: {type(error).__name__}: {text}", detail=detail)
