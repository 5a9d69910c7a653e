"""A copy of the source with an interpreter of its own, so that nothing here is ever changed."""

from __future__ import annotations

import os
import shutil
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEPT = (
    *("cuectl", "tests", "examples", "man", ".ci", "pyproject.toml", "Makefile"),
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE"),
)
# What a compiled module is compared with is the second of its source and its size, and a mutant may
# have both of the one before it.
_FIRST_TIME = 1_000_000_000


class Tree:
    """The copy. What its tests start runs the copy as well."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / ".venv" / "bin" / "python"
        self._time = _FIRST_TIME
        _copy(folder)
        _give_an_interpreter(folder)

    @property
    def packages(self) -> Path:
        """Where its interpreter looks first."""
        return packages_of(self.folder / ".venv")

    def write(self, module: str, text: str) -> None:
        """Put a text in the place of a module."""
        path = self.folder / module
        path.write_text(text, encoding="utf-8")
        self._time += 10
        os.utime(path, (self._time, self._time))


def packages_of(environment: Path) -> Path:
    """Return the directory of packages of a virtual environment."""
    found = sysconfig.get_path("purelib", "venv", {"base": str(environment)})
    return Path(found)


def _copy(folder: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in KEPT:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=ignored, symlinks=True)
        else:
            shutil.copy2(ROOT / name, folder / name)


def _give_an_interpreter(folder: Path) -> None:
    """Make an environment in which `cuectl` is the copy, and all else is what is installed here."""
    venv.create(folder / ".venv", with_pip=False, symlinks=True)
    # A directory that a .pth file names has its own .pth files ignored: ours would lead back here.
    lines = f"{folder}\n{sysconfig.get_path('purelib')}\n"
    (packages_of(folder / ".venv") / "copy.pth").write_text(lines, encoding="utf-8")
