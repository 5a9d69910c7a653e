"""Build `cuectl.pyz`: the program and all that it needs, as one file that any Python runs.

The same sources and the same versions of the dependencies give the same bytes: names in order,
no times, no modes of the machine. Compiled parts of the dependencies are left out, since each of
them does without.
"""

from __future__ import annotations

import os
import re
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
SHEBANG = b"#!/usr/bin/env python3\n"
MAIN = b"""\
import sys

from cuectl.entry import main

sys.exit(main())
"""
NO_TIME = (1980, 1, 1, 0, 0, 0)
COMPILED = (".so", ".pyd", ".dylib", ".pyc", ".pyx", ".pxd")
# Of what describes a package, its version and its licence go along.
KEPT_OF_METADATA = re.compile(r"[^/]+\.dist-info/(METADATA|licenses/.+|LICEN[CS]E[^/]*)$")


def build(target: Path) -> None:
    """Write the file, whole or not at all."""
    members = dict(contents())
    temporary = target.with_name(f"{target.name}.new")
    with temporary.open("wb") as file:
        file.write(SHEBANG)
        with zipfile.ZipFile(file, "w") as packed:
            for name in sorted(members):
                member = zipfile.ZipInfo(name, NO_TIME)
                member.external_attr = 0o644 << 16
                member.create_system = 3
                packed.writestr(member, members[name], zipfile.ZIP_DEFLATED, 9)
    temporary.chmod(0o755)
    os.replace(temporary, target)


def contents() -> Iterator[tuple[str, bytes]]:
    """Yield name and content of everything that goes in."""
    yield "__main__.py", MAIN
    for path in sorted((ROOT / "cuectl").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(ROOT).as_posix(), path.read_bytes()
    yield "cuectl-LICENSE", (ROOT / "LICENSE").read_bytes()
    for name in sorted(dependencies()):
        yield from of_package(name)


def dependencies() -> set[str]:
    """Return the packages that cuectl needs, and what those need."""
    found: set[str] = set()
    waiting = requirements((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [word for word in map(needed, distribution(name).requires or []) if word]
    return found


def requirements(pyproject: str) -> list[str]:
    """Return the names under `dependencies`."""
    import tomllib

    project = tomllib.loads(pyproject)["project"]
    return [word for word in map(needed, project["dependencies"]) if word]


def needed(requirement: str) -> str | None:
    """Return the name in a requirement, None when an option or another system asks for it."""
    word, _, condition = requirement.partition(";")
    if re.search(r"\bextra\b|win32|Windows|python_(full_)?version *<", condition):
        return None
    found = re.match(r"[A-Za-z0-9._-]+", word.strip())
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else None


def of_package(name: str) -> Iterator[tuple[str, bytes]]:
    """Yield the files of an installed package.

    Raises:
        SystemExit: it is not installed.
    """
    try:
        files = distribution(name).files or []
    except PackageNotFoundError:
        sys.exit(f"'{name}' is not installed here")
    for file in files:
        path = file.as_posix()
        if path.startswith(("..", "/")) or path.endswith(COMPILED) or "__pycache__" in path:
            continue
        if ".dist-info/" in path and not KEPT_OF_METADATA.match(path):
            continue
        yield path, file.read_binary()


if __name__ == "__main__":
    build(Path(sys.argv[1]))
