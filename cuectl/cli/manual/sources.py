"""The hand-written sources of the manual, which the package carries."""

from __future__ import annotations

from importlib.resources import files

from cuectl.cli.manual.markup import Block, Heading, parse

_ROOT = files("cuectl.cli.manual")


def sections_of(name: str) -> dict[str, list[Block]]:
    """Return the hand-written sections of a command: heading to blocks; empty without a file."""
    source = _ROOT / "sections" / f"{name}.md"
    if not source.is_file():
        return {}
    found: dict[str, list[Block]] = {}
    for block in parse(source.read_text(encoding="utf-8")):
        if isinstance(block, Heading) and block.level == 1:
            found[block.text] = []
        else:
            last = list(found)[-1]
            found[last].append(block)
    return found


def topics() -> dict[str, int]:
    """Return the pages that are written by hand as a whole: name to section."""
    names = sorted(entry.name for entry in (_ROOT / "topics").iterdir())
    found = {}
    for name in names:
        stem, _, suffix = name.rpartition(".")
        if suffix == "md":
            page, _, section = stem.rpartition(".")
            found[page] = int(section)
    return found


def topic(name: str, section: int) -> list[Block]:
    """Return the blocks of a page that is written by hand."""
    source = _ROOT / "topics" / f"{name}.{section}.md"
    return parse(source.read_text(encoding="utf-8"))
