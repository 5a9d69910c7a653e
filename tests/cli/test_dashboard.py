"""`dashboard`: one page that shows everything, loads nothing and believes no text from outside."""

from __future__ import annotations

import re
import stat
from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING

from cuectl.process.runtime import Runtime, runtime_from
from tests.cli.many import settle_many
from tests.http.visit import Html

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl

START = "2026-11-21T02:00:00Z"
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp;"


def made(cuectl: Cuectl, *words: str) -> Html:
    answer = cuectl.run("dashboard", "page.html", *words)
    assert answer.status == 0, answer
    return Html((cuectl.work / "page.html").read_text(encoding="utf-8"))


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

    for title in ("Cues", "Failures", "Open alerts", "Coming", "Workflows", "Each cue", "Runs"):
        assert title in page.said
    # Problems first.
    table = page.said.partition("Last 30 runs")[2]
    assert table.index("audit") < table.index("often")
    # The calendar has what fires rarely; the rest stands below it.
    coming = page.said.partition("Coming Sat 2026")[2].partition("Workflows")[0]
    assert "03:00 audit" in coming
    assert "every 30 minutes: often" in coming
    assert coming.count("often") == 1
    # The evidence of the failure: what it said, and the end of its output.
    failure = page.said.partition("Failures \N{BALLOT X}")[2].partition("Open alerts")[0]
    assert "looking around" in failure
    assert page.forms == []
    assert stat.S_IMODE((cuectl.work / "page.html").stat().st_mode) == 0o600


def test_failures_that_are_alike_are_one(cuectl: Cuectl) -> None:
    cuectl.at(START)
    cuectl.run(
        "create", "--name", "sync", "--every", "30m", "--shell", "echo token expired; exit 1"
    )
    for hour in ("02:30", "03:00", "03:30"):
        cuectl.at(f"2026-11-21T{hour}:01Z").run("run-due")
    page = made(cuectl)

    failures = page.said.partition("Failures \N{BALLOT X}")[2].partition("Open alerts")[0]
    assert "failed sync ×3 since" in failures
    assert failures.count("exit 1: token expired") == 1


def test_hostile_text_is_shown_and_never_read_as_markup(cuectl: Cuectl) -> None:
    scene(cuectl, HOSTILE)
    cuectl.run("create", "--name", HOSTILE, "--cron", "0 4 * * *", "--", "echo", HOSTILE)
    page = made(cuectl)

    assert HOSTILE in page.said
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not [tag for tag, _ in page.tags if tag in ("img", "iframe", "object", "embed", "base")]
    names = [name for _, attributes in page.tags for name in attributes]
    assert not [name for name in names if name[:2] == "on" or name == "style"]


def test_the_page_loads_nothing_and_says_so_to_the_browser(cuectl: Cuectl) -> None:
    scene(cuectl)
    page = made(cuectl)

    links = [a for _, a in page.tags if "src" in a or "href" in a]
    assert {(one.get("src") or one["href"] or "")[:5] for one in links} > {"data:"}
    assert {(one.get("src") or one["href"] or "")[:1] for one in links} == {"#", "d"}
    targets = {a["href"] for _, a in page.tags if (a.get("href") or "").startswith("#")}
    ids = {f"#{a['id']}" for _, a in page.tags if "id" in a}
    assert targets <= ids
    assert "url(" not in page.text
    assert "@import" not in page.text
    (policy,) = [a["content"] for t, a in page.tags if a.get("http-equiv")]
    assert policy is not None
    style, script = page.scripts
    for text, kind in ((style, "style-src"), (script, "script-src")):
        digest = b64encode(sha256(text.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
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


def test_ten_thousand_executions_stay_below_two_hundred_kilobytes(cuectl: Cuectl) -> None:
    many(cuectl, 10_000)
    page = made(cuectl)

    assert len(page.text.encode()) < 200_000
    assert rows(page) == 200
    assert "Older executions are not on this page." in page.said


def rows(page: Html) -> int:
    """Return how many runs the last table has."""
    return page.text.partition("<section id=runs")[2].count("<tr><th scope=row>")


def test_the_limit_and_the_beginning_leave_older_ones_out(cuectl: Cuectl) -> None:
    many(cuectl, 50)

    page = made(cuectl, "-n", "10")
    assert rows(page) == 10
    assert "Older executions are not on this page." in page.said
    answer = cuectl.json("dashboard", "page.html", "--since", "2026-11-14T02:40:00Z")
    assert (answer["executions"], answer["left_out"]) == (10, False)


def test_a_page_that_cannot_be_written_leaves_the_old_one(cuectl: Cuectl) -> None:
    answer = cuectl.run("dashboard", "missing/page.html")

    assert answer.status == 1
    assert re.fullmatch(r"cuectl: error: 'missing/page.html': .*\n", answer.stderr)
