"""`python -m cuectl.cli.manual [--check] [DIR]`: write man/, or say that it is stale."""

from __future__ import annotations

import os
import sys

from cuectl.cli.manual.markup import as_roff
from cuectl.cli.manual.pages import all_pages


def main(arguments: list[str]) -> int:
    """Write every page; with `--check`, compare and write nothing. Return 1 when stale."""
    only_check = "--check" in arguments
    folders = [word for word in arguments if word != "--check"]
    folder = folders[0] if folders else "man"
    pages = {page.path: as_roff(page) for page in all_pages()}
    stale = [name for name, text in pages.items() if _read(f"{folder}/{name}") != text]
    extra = sorted(_files(folder) - pages.keys())
    if only_check:
        for name in [*stale, *extra]:
            print(f"{folder}/{name} is stale; run: python -m cuectl.cli.manual", file=sys.stderr)
        return 1 if stale or extra else 0
    for name in stale:
        os.makedirs(os.path.dirname(f"{folder}/{name}"), exist_ok=True)
        with open(f"{folder}/{name}", "w", encoding="ascii") as file:
            file.write(pages[name])
    for name in extra:
        os.unlink(f"{folder}/{name}")
    return 0


def _files(folder: str) -> set[str]:
    return {
        os.path.relpath(os.path.join(where, name), folder)
        for where, _, names in os.walk(folder)
        for name in names
    }


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
