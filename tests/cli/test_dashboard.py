"""`dashboard`: one page that shows everything, loads nothing and believes no text from outside."""

from __future__ import annotations

import json
import re
import stat
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from cuectl.engine.runtime import Runtime, runtime_from
from tests.cli.many import settle_many

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builder import Cuectl

START = "2026-11-21T02:00:00Z"
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp;"


class Page(HTMLParser):
    """What a browser makes of a page: its tags, its text, and what it would load."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text = path.read_text(encoding="utf-8")
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.scripts: list[str] = []
        self._inside = ""
        self.feed(self.text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag if tag in ("script", "style") else ""

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        (self.scripts if self._inside == "script" else self.words).append(data)

    @property
    def said(self) -> str:
        return " ".join(" ".join(self.words).split())


def made(cuectl: Cuectl, *words: str) -> Page:
    answer = cuectl.run("dashboard", "page.html", *words)
    assert answer.status == 0, answer
    return Page(cuectl.work / "page.html")


def scene(cuectl: Cuectl, summary: str = "ok") -> None:
    cuectl.at(START)
    script = 'echo looking around; cuectl report --failure --summary "$SAID" --error "$SAID"'
    cuectl.run(
        "create", "--name", "audit", "--cron", "0 3 * * *", "--env", f"SAID={summary}",
        "--", "sh", "-c", f"cuectl chain --name follow-up -- true; {script}",
    )  # fmt: skip
    cuectl.run("create", "--name", "often", "--every", "30m", "--", "true")
    cuectl.run("fire", "audit")
    cuectl.run("run-due")
    cuectl.at("2026-11-21T02:01:00Z").run("run-due")


def test_a_home_that_is_not_there_has_a_page_too(cuectl: Cuectl) -> None:
    page = made(cuectl)

    assert "Nothing has run yet." in page.said
    assert not cuectl.home.exists()


def test_the_page_shows_what_happened_and_what_comes(cuectl: Cuectl) -> None:
    scene(cuectl)
    page = made(cuectl)

    for title in ("Is it working?", "Timeline", "Coming fires", "Failures", "Chains", "Alerts"):
        assert title in page.said
    assert "03:00 audit" in page.said
    assert "often \N{MULTIPLICATION SIGN}48" in page.said
    chain = page.said.partition("Chains audit")[2]
    assert chain.split()[0] == "failed"
    assert "follow-up succeeded" in chain
    # The evidence of the failure: what it said, and the end of its output.
    failure = page.said.partition("Failures audit")[2].partition("Alerts")[0]
    assert "looking around" in failure
    assert stat.S_IMODE((cuectl.work / "page.html").stat().st_mode) == 0o600


def test_hostile_text_is_shown_and_never_read_as_markup(cuectl: Cuectl) -> None:
    scene(cuectl, HOSTILE)
    page = made(cuectl)

    assert HOSTILE in page.said
    assert [tag for tag, _ in page.tags].count("script") == 2
    assert not [tag for tag, _ in page.tags if tag in ("img", "iframe", "object", "embed", "base")]
    assert not [name for _, attributes in page.tags for name in attributes if name[:2] == "on"]
    assert json.loads(page.scripts[0])["rows"]
    assert "<" not in page.scripts[0]


def test_the_page_loads_nothing_and_says_so_to_the_browser(cuectl: Cuectl) -> None:
    scene(cuectl)
    page = made(cuectl)

    links = [a for _, a in page.tags if "src" in a or "href" in a]
    assert {(one.get("src") or one["href"] or "")[:1] for one in links} <= {"#", "d"}
    assert "url(" not in page.text
    assert "@import" not in page.text
    (policy,) = [a["content"] for t, a in page.tags if a.get("http-equiv")]
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
    assert any(a.get("name") == "viewport" for _, a in page.tags)
    assert "@media print" in page.text


def test_secrets_are_masked_in_the_outputs(cuectl: Cuectl) -> None:
    cuectl.home.mkdir(mode=0o700)
    (cuectl.home / "cue.yaml").write_text("secrets: [TOKEN]\n")
    cuectl.env(TOKEN="hush-hush-4711").at(START)
    cuectl.run("create", "--name", "leak", "--", "sh", "-c", "echo $TOKEN; exit 1")
    cuectl.run("fire", "leak", "--wait")

    assert "hush-hush-4711" not in made(cuectl).text


def many(cuectl: Cuectl, count: int) -> None:
    runtime: Runtime = runtime_from({**cuectl.at(START).environment}, str(cuectl.home))
    settle_many(runtime, count)


def test_ten_thousand_executions_stay_below_two_megabytes(cuectl: Cuectl) -> None:
    many(cuectl, 10_000)
    page = made(cuectl)

    assert len(page.text.encode()) < 2_000_000
    assert len(json.loads(page.scripts[0])["rows"]) == 10_000
    assert page.said.count("nightly-report-3 ") > 0


def test_the_limit_and_the_beginning_leave_older_ones_out(cuectl: Cuectl) -> None:
    many(cuectl, 50)

    assert len(json.loads(made(cuectl, "-n", "10").scripts[0])["rows"]) == 10
    assert "Older executions are not on this page." in made(cuectl, "-n", "10").said
    answer = cuectl.json("dashboard", "page.html", "--since", "2026-11-14T02:40:00Z")
    assert (answer["executions"], answer["left_out"]) == (10, False)


def test_a_page_that_cannot_be_written_leaves_the_old_one(cuectl: Cuectl) -> None:
    answer = cuectl.run("dashboard", "missing/page.html")

    assert answer.status == 1
    assert re.fullmatch(r"cuectl: error: 'missing/page.html': .*\n", answer.stderr)
