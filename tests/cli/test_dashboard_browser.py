"""The dashboard in a real browser without a head; skipped where there is none."""

from __future__ import annotations

import html
import json
import resource
import shutil
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.cli.test_dashboard import HOSTILE, made, many, scene

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builder import Cuectl

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER = next((found for name in NAMES if (found := shutil.which(name))), None)
pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="no Chromium here: apt-get install chromium"),
    pytest.mark.timeout(300),
]


def chromium(folder: Path, *words: str) -> str:
    """Run the browser once and return what it printed; nothing of it stays."""
    assert BROWSER is not None
    done = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
         "--no-first-run", f"--user-data-dir={folder}/profile", *words],
        capture_output=True, text=True, check=True, timeout=280,
    )  # fmt: skip
    return done.stdout


def dom(folder: Path, page: Path, *words: str) -> str:
    return chromium(folder, "--dump-dom", *words, page.as_uri())


def test_the_page_is_drawn_and_its_script_fills_the_table(cuectl: Cuectl, tmp_path: Path) -> None:
    many(cuectl, 350)
    page = made(cuectl)
    shot = tmp_path / "shot.png"

    found = dom(tmp_path, cuectl.work / "page.html")
    chromium(tmp_path, f"--screenshot={shot}", "--window-size=420,900",
             (cuectl.work / "page.html").as_uri())  # fmt: skip

    # The script of the page ran under the page's own policy.
    assert "100 of 350" in found
    assert found.count("<tr>") >= 100
    assert len(page.text) < len(found) + 50_000
    picture = shot.read_bytes()
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", picture[16:24]) == (420, 900)
    assert len(picture) > 5_000


def test_hostile_text_runs_nowhere(cuectl: Cuectl, tmp_path: Path) -> None:
    evil = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    scene(cuectl, HOSTILE + evil)
    made(cuectl)

    found = dom(tmp_path, cuectl.work / "page.html")

    assert "<title>cuectl</title>" in found
    assert html.escape(evil, quote=False)[:30] in found


def bare(path: Path, rows: list[list[object]]) -> Path:
    """Write the table that a page of the same rows would be at the least."""
    cells = (f"<tr>{''.join(f'<td>{html.escape(str(one))}' for one in row)}" for row in rows)
    path.write_text(f"<!doctype html><meta charset=utf-8><table>{''.join(cells)}</table>")
    return path


def spent(folder: Path, page: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    dom(folder, page)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.bench
def test_ten_thousand_open_within_thrice_the_cost_of_a_bare_table(
    cuectl: Cuectl, tmp_path: Path
) -> None:
    many(cuectl, 10_000)
    rows = json.loads(made(cuectl).scripts[0])["rows"]
    plain, ours = bare(tmp_path / "bare.html", rows), cuectl.work / "page.html"
    dom(tmp_path, plain)

    pairs = [(spent(tmp_path, ours), spent(tmp_path, plain)) for _ in range(3)]

    ratio = sorted(mine / floor for mine, floor in pairs)[1]
    print(f"\ndashboard of 10,000 against a bare table: {ratio:.2f}")
    assert ratio < 3
