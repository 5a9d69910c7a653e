"""The page and the file of it in a real browser without a head; skipped where there is none."""

from __future__ import annotations

import contextlib
import re
import shutil
import struct
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.fixtures.browser import PROGRAM, Browser
from tests.http.page_scene import HOSTILE, PAGES
from tests.http.test_site import run_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fixtures.builder import Cuectl
    from tests.http.client import Serve
    from tests.http.visit import Visit

pytestmark = [
    pytest.mark.skipif(PROGRAM is None, reason="no Chromium here: apt-get install chromium"),
    pytest.mark.timeout(300),
]
# Letters that would end up elsewhere by themselves, or not fit a telephone.
SIZES = ((320, "light"), (390, "dark"), (1280, "light"), (1280, "dark"))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests here."""
    made = Browser(tmp_path_factory.mktemp("browser"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, of one version: each has rules of its own."""
    folder = tmp_path_factory.mktemp("axe")
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm here, which fetches axe-core")
    words = [
        npm,
        "install",
        "--prefix",
        str(folder),
        "--ignore-scripts",
        "--no-audit",
        "axe-core@4.14.1",
    ]
    # Where nothing answers, npm tries for minutes.
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(words, capture_output=True, timeout=60, check=False)
    source = folder / "node_modules/axe-core/axe.min.js"
    if not source.exists():
        pytest.skip("axe-core can't be fetched")
    return source.read_text(encoding="utf-8")


def address(visit: Visit, place: str = "") -> str:
    return f"http://127.0.0.1:{visit.port}{visit.base}{place}"


def places(visit: Visit) -> list[str]:
    return [*PAGES, "cues/bad", "journal?q=error", run_of(visit, "bad"),
            f"{run_of(visit, 'bad')}/chain", "nosuch"]  # fmt: skip


def test_pages_fit_every_width_and_break_no_rule_of_their_own(
    browser: Browser, acting: tuple[Serve, Visit]
) -> None:
    _, visit = acting
    for number, place in enumerate(places(visit)):
        for width, scheme in SIZES if number == 0 else (SIZES[0], SIZES[-1]):
            browser.size(width)
            browser.media(scheme=scheme)
            browser.go(address(visit, place))
            seen = browser.evaluate("[window.wrong, document.documentElement.scrollWidth]")
            assert seen == [[], width], place
    picture = browser.picture()
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">I", picture[16:20]) == (1280,)


def violations(browser: Browser, axe: str) -> Any:
    """Return what axe-core finds wrong with the page that is shown."""
    browser.evaluate(axe)
    return browser.evaluate(
        "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa',"
        " 'best-practice']}).then(r => r.violations.map(v =>"
        " [v.id, ...v.nodes.slice(0, 3).map(n => n.html.slice(0, 200))]))"
    )


def test_axe_finds_nothing(browser: Browser, acting: tuple[Serve, Visit], axe: str) -> None:
    _, visit = acting
    for number, place in enumerate(places(visit)):
        for width, scheme in SIZES if number == 0 else (SIZES[1 + number % 2],):
            browser.size(width)
            browser.media(scheme=scheme)
            browser.go(address(visit, place))
            assert violations(browser, axe) == [], (place, width, scheme)
    # It does see what is wrong.
    browser.evaluate("document.querySelector('h1').replaceChildren(new Image()), 1")
    assert "image-alt" in [one[0] for one in violations(browser, axe)]


def test_hostile_text_runs_nowhere(browser: Browser, acting: tuple[Serve, Visit]) -> None:
    _, visit = acting
    browser.go(address(visit))
    assert browser.evaluate("[window.wrong, document.images.length, document.scripts.length]") == [
        *([], 0, 1)
    ]
    assert HOSTILE in browser.evaluate("document.querySelector('tbody').textContent")
    assert "cuectl" in browser.evaluate("document.title")


def test_rows_change_by_themselves_and_keys_lead_on(
    browser: Browser, acting: tuple[Serve, Visit], place: Cuectl
) -> None:
    serve, visit = acting
    browser.size(1280)
    browser.go(address(visit))
    browser.until("document.querySelector('#live').textContent.includes('live')")
    cue = place.json("get", "good")["id"]
    row = f"document.getElementById('{cue}').textContent"
    assert "paused" not in browser.evaluate(row)
    serve.client.post(f"/v1/cues/{cue}/pause").gives()
    browser.until(f"{row}.includes('paused')")
    serve.client.post(f"/v1/cues/{cue}/resume").gives()
    browser.until(f"!{row}.includes('paused')")
    assert browser.evaluate("window.wrong") == []
    browser.evaluate("dispatchEvent(new KeyboardEvent('keydown', {key: 'j'}))")
    assert "cues/" in browser.evaluate("document.activeElement.href")
    # A row in which someone is at work is not put anew under their hands.
    assert browser.evaluate("document.title").startswith("(")
    browser.evaluate("[...'ga'].forEach(key => dispatchEvent(new KeyboardEvent('keydown', {key})))")
    browser.until("location.pathname.endsWith('/alerts')")


def test_output_grows_under_the_eyes(
    browser: Browser, acting: tuple[Serve, Visit], place: Cuectl
) -> None:
    _, visit = acting
    wait = "while [ ! -e {} ]; do sleep 0.02; done"
    paint = "printf '\\033[32mtwo\\033[0m <b>\\n'"
    script = f"echo one; {wait.format('two')}; {paint}; {wait.format('end')}"
    place.run("create", "--name", "grows", "--shell", script)
    place.run("fire", "grows")
    at_work = place.start("run-due")
    try:
        newest = run_of(visit, "grows")
        browser.go(address(visit, newest))
        browser.until("document.querySelector('#live').textContent.includes('live')")
        browser.until("document.querySelector('#out').textContent.includes('one')")
        (place.work / "two").touch()
        browser.until("document.querySelector('#L2 .c2')?.textContent === 'two'")
        assert "two <b>" in browser.evaluate("document.querySelector('#L2').textContent")
        (place.work / "end").touch()
        browser.until("document.querySelector('.head .v').textContent.includes('passed')")
        assert browser.evaluate("window.wrong") == []
    finally:
        (place.work / "two").touch()
        (place.work / "end").touch()
        at_work.communicate(timeout=60)


def test_the_file_is_the_same_page_and_two_sheets_of_paper(
    browser: Browser, place: Cuectl, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    for number in range(7):
        place.run("create", "--name", f"more-{number}", "--cron", f"0 {number} * * *", "--", "true")
    file = tmp_path / "page.html"
    place.run("dashboard", str(file))
    for width, scheme in SIZES:
        browser.size(width)
        browser.media(scheme=scheme)
        browser.go(file.as_uri())
        seen = browser.evaluate("[window.wrong, document.documentElement.scrollWidth]")
        assert seen == [[], width]
    assert HOSTILE in browser.evaluate("document.querySelector('tbody').textContent")
    assert browser.evaluate("document.querySelectorAll('#each details').length") >= 15
    assert len(re.findall(rb"/Type\s*/Page\b", browser.pdf())) <= 2
    assert violations(browser, request.getfixturevalue("axe")) == []
