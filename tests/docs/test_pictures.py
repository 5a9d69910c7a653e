"""The picture of the README is what the program shows now; `make pictures` draws it again."""

from __future__ import annotations

import importlib.util
import xml.dom.minidom
from typing import TYPE_CHECKING

from tests.fixtures.builder import ROOT

if TYPE_CHECKING:
    from types import ModuleType

    import pytest


def picture(name: str = "picture") -> ModuleType:
    path = ROOT / "examples" / "week" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_picture_is_not_stale() -> None:
    for path, content in picture().pictures().items():
        assert path.read_text(encoding="utf-8") == content, "stale: make pictures"
        xml.dom.minidom.parseString(content)


def test_text_is_drawn_as_it_is_and_always_alike() -> None:
    draw = picture().draw
    drawn = draw("\x1b[1;31m<a & b>\x1b[0m  c\x1b]8;;http://x\x1b\\d\x1b]8;;\x1b\\\x1b[K\n", "dark")
    assert '<tspan fill="#ff7b72" font-weight="bold">&lt;a &amp; b&gt;</tspan>  cd</text>' in drawn
    assert drawn == draw("\x1b[1;31m<a & b>\x1b[0m  cd", "dark")
    assert draw("x", "light") != draw("x", "dark")


def test_the_readme_shows_it_light_and_dark() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in picture().PALETTES:
        assert f"examples/week/week-{name}.svg" in readme
    assert 'alt="A terminal' in readme


def test_the_picture_of_the_page_is_of_this_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "examples" / "week")
    page = picture("page")
    taken = page.FILE.read_bytes()

    assert page.noted(taken) == page.made_of(), "stale: make pictures"
    assert (taken[:4], page.noted(taken[:33])) == (b"\x89PNG", "")
    assert page.noted(page.with_note(taken)) == page.made_of()
    monkeypatch.setattr(page, "MADE_OF", ("app.js",))
    assert page.noted(taken) != page.made_of()
    assert "examples/week/page.png" in (ROOT / "README.md").read_text(encoding="utf-8")
