"""The page: who may look, who may act, what each page says, and that nothing of it is believed."""

from __future__ import annotations

import json
import re
import stat
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.http.client import Client, Serve
from tests.http.page_scene import PAGES, START
from tests.http.visit import Form, Html, Visit

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl


WORKFLOW = """\
from cuectl.workflow import workflow


@workflow
async def ask(engine):
    await engine.bash("echo looking")
    return await engine.ask_human("Publish <b>it</b>?", options=["yes", "no"])
"""


def test_without_a_session_there_is_no_page(served: Serve) -> None:
    visit = Visit(served)
    for path in ("/", "/s/", "/s/x", "/s/x/", f"/s/{'a' * 32}/cues", "/open/", "/open/x"):
        answer = visit.ask("GET", path)
        assert answer.status == 401, path
        assert "cuectl open" in answer.html.said
        assert "set-cookie" not in answer.headers
    token = f"Bearer {served.client.token}"
    assert visit.ask("GET", "/", Authorization=token).status == 401
    # And a session is nothing to the interface.
    assert visit.ask("GET", f"{visit.base}v1/cues").status == 404
    stranger = Client(None, port=served.port, headers={"Referer": visit.base})
    stranger.get("/v1/cues").refuses(401, "invalid_api_key")


def test_a_link_counts_once(served: Serve, cuectl: Cuectl) -> None:
    visit = Visit(served)
    again = visit.ask("GET", served.told["page"])
    assert (again.status, "used" in again.html.said) == (401, True)
    link = urlsplit(cuectl.json("open")["url"])
    (left,) = (cuectl.home / "page").glob("link-*")
    assert len(list((cuectl.home / "page").glob("serve-*"))) == 1
    assert stat.S_IMODE(left.stat().st_mode) == 0o600
    assert link.path.rpartition("/")[2] not in left.name
    assert visit.ask("GET", link.path, Sec_Purpose="prefetch").status == 405
    assert visit.ask("GET", link.path, Purpose="prefetch").status == 405
    assert visit.ask("HEAD", link.path).status == 405
    other = Visit(served, link.path)
    assert other.base != visit.base
    assert not left.exists()
    assert visit.ask("GET", link.path).status == 401
    assert "No cues yet" in other.page().said


def test_a_link_may_lead_to_a_cue(acting: tuple[Serve, Visit], place: Cuectl) -> None:
    serve, _ = acting
    link = urlsplit(place.json("open", "good")["url"])
    visit = Visit(serve, f"{link.path}?{link.query}")
    assert visit.first.startswith(f"{visit.base}cues/cue_")
    first = visit.first.removeprefix(visit.base)
    assert "echo fine" in visit.page(first).said
    for foreign in ("//evil.example", "/evil", "http://evil.example"):
        away = urlsplit(place.json("open")["url"]).path
        found = Visit(serve, f"{away}?to={foreign}")
        assert found.first.startswith(found.base)


def test_without_a_server_there_is_nothing_to_open(cuectl: Cuectl) -> None:
    hint = "start one, in another terminal: cuectl serve"
    cuectl.run("open").fails(6, "no page is served", hint)
    with Serve(cuectl, "--port", "0"):
        pass
    cuectl.run("open").fails(6, "no page is served", hint)
    assert list((cuectl.home / "page").glob("serve-*")) == []


def test_what_a_browser_is_told(served: Serve) -> None:
    visit = Visit(served)
    page = visit.ask("GET", visit.base)
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    for part in ("frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'",
                 "require-trusted-types-for 'script'", "trusted-types cuectl"):  # fmt: skip
        assert part in policy
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["cross-origin-opener-policy"] == "same-origin"
    style = visit.ask("GET", f"{visit.base}app.css")
    script = visit.ask("GET", f"{visit.base}app.js")
    assert style.headers["content-type"].startswith("text/css")
    assert script.headers["content-type"].startswith("text/javascript")
    assert len(style.body) <= 10_000
    assert len(script.body) <= 8_000


def check(page: Html, place: str) -> None:
    """Check what every page has to have, and what none may."""
    assert page.count("h1") == 1, place
    assert page.count("main") == 1
    assert page.count("table") == page.count("caption"), place
    heads = [known for tag, known in page.tags if tag == "th"]
    assert all(known.get("scope") in ("row", "col") for known in heads), place
    names = [name for _, known in page.tags for name in known]
    assert not [name for name in names if name.startswith("on") or name == "style"]
    assert not [tag for tag, _ in page.tags if tag in ("img", "iframe", "object", "embed", "base")]
    assert page.count("script") == 1
    assert not page.scripts
    ids = [known["id"] for _, known in page.tags if "id" in known]
    assert len(ids) == len(set(ids)), place
    for _, known in page.tags:
        link = known.get("href") or known.get("src") or ""
        assert not link.startswith(("http", "//", "javascript")), link


def links(page: Html) -> list[str]:
    found = [known.get("href") or "" for tag, known in page.tags if tag == "a"]
    return [one for one in found if one and not one.startswith("#")]


def test_every_page_is_there_and_leads_to_others(acting: tuple[Serve, Visit]) -> None:
    _, visit = acting
    seen: set[str] = set()
    waiting = list(PAGES)
    while waiting:
        place = waiting.pop()
        if place in seen or "/raw" in place:
            continue
        seen.add(place)
        page = visit.page(place)
        check(page, place)
        for link in links(page):
            target = re.sub(r"[^/?]*(\?.*)?$", "", place) + link
            while "/../" in f"/{target}":
                target = re.sub(r"(^|/)[^/]+/\.\./", r"\1", target, count=1)
            waiting.append(target.replace("./", ""))
    kinds = {one.partition("?")[0].partition("/")[0] for one in seen}
    assert {"cues", "executions", "alerts", "journal", "workflows", "agents", ""} <= kinds
    assert len(seen) > 30


def test_an_empty_home_says_how_to_begin(served: Serve) -> None:
    visit = Visit(served)
    said = {place: visit.page(place).said for place in PAGES}
    assert "No cues yet. Make one: cuectl create" in said[""]
    assert "Nothing has ever called cuectl: no cue will run." in said[""]
    assert "Nothing has run yet." in said["executions"]
    assert "Start one: cuectl workflow run NAME" in said["workflows"]
    assert "No agents. See cuectl help agents" in said["agents"]
    assert "All quiet" in said["alerts"]
    assert "No hits back to where the journal begins." in said["journal"]
    assert "There is nothing at this address." in visit.page("nosuch", 404).said
    assert "no cue named 'x'" in visit.page("cues/x", 404).said
    assert "no execution 'exec_x'" in visit.page("executions/exec_x", 404).said


def test_the_first_page_has_problems_first(acting: tuple[Serve, Visit]) -> None:
    _, visit = acting
    page = visit.page()
    assert "3 failing" in page.said
    assert "1 waiting for you" in page.said
    assert "1 finished: show" in page.said or "finished" in page.said
    order = [page.said.index(word) for word in ("bad ✗ failed", "invoices ?", "good ✓ passed")]
    assert order == sorted(order)
    assert "exit 3: error: no" in page.said
    assert "unproven exited 0, no external_id was reported" in re.sub(
        r"unproven (?:\S+ )*?exited", "unproven exited", page.said
    )
    (picture,) = {
        known["aria-label"] for tag, known in page.tags
        if tag == "svg" and "passed" in (known.get("aria-label") or "")
    }  # fmt: skip
    assert picture == "last 1: 1 passed"


def test_filters_are_in_the_address(acting: tuple[Serve, Visit]) -> None:
    _, visit = acting
    failing = visit.page("?status=failing").said
    assert "bad ✗ failed" in failing
    assert "good ✓" not in failing
    assert "resting" in visit.page("?status=paused").said
    assert "once ✓ passed" in visit.page("?status=finished").said
    assert "good ✓ passed" in visit.page("?q=GOO").said
    nothing = visit.page("?q=%3Cb%3Enothing").said
    assert "cues matches '<b>nothing'" in nothing
    assert "✗ failed" in visit.page("executions?status=failed").said
    assert "fine" not in visit.page("executions?status=failed").said
    assert "good" in visit.page("executions?cue=good").said
    hits = visit.page("journal?q=error%3A%20no").said
    assert "exit 3: error: no" in hits
    assert "'eternity' is not" in visit.page("journal?since=eternity", 422).said


def run_of(visit: Visit, cue: str) -> str:
    """Return the place of the newest run of a cue."""
    page = visit.page(f"executions?cue={cue}")
    return next(link for link in links(page) if link.startswith("executions/exec_"))


def test_a_run_shows_its_output_with_what_it_would_do_made_visible(
    acting: tuple[Serve, Visit],
) -> None:
    _, visit = acting
    place = run_of(visit, "bad")
    page = visit.page(place)
    assert "\\x1b]0;evil\\x07" in page.said
    assert "\\u202etxt <b>x</b>" in page.said
    assert "\x1b" not in page.text
    assert '<i class="c1">red</i>' in page.text
    assert ("b", {"id": "L2"}) in page.tags
    raw = visit.ask("GET", f"{visit.base}{place}/raw")
    assert raw.headers["content-type"] == "text/plain"
    assert raw.body.startswith(b"\x1b[31mred")
    assert visit.ask("GET", f"{visit.base}{place}/raw?file=../x").status == 404
    assert visit.ask("GET", f"{visit.base}{place}/raw?attempt=7").status == 404


def test_a_chain_is_a_tree_with_this_run_marked(acting: tuple[Serve, Visit]) -> None:
    _, visit = acting
    page = visit.page(run_of(visit, "child") + "/chain")
    assert "✓ passed parent" in page.said
    marked = [known for tag, known in page.tags if tag == "li" and "aria-current" in known]
    assert [known["class"] for known in marked] == ["d1"]


def test_secrets_are_masked_everywhere(cuectl: Cuectl) -> None:
    cuectl.home.mkdir(mode=0o700)
    (cuectl.home / "cue.yaml").write_text("secrets: [TOKEN]\n")
    cuectl.env(TOKEN="hush-hush-4711").at(START)
    words = "echo $TOKEN; cuectl report --failure --error $TOKEN"
    cuectl.run("create", "--name", "leak", "--payload", '{"key": "hush-hush-4711"}',
               "--shell", words)  # fmt: skip
    cuectl.run("fire", "leak", "--wait")
    with Serve(cuectl, "--port", "0") as serve:
        visit = Visit(serve)
        place = run_of(visit, "leak")
        for one in (*PAGES, "cues/leak", place, "journal?q=leak"):
            assert "hush-hush" not in visit.page(one).text, one
        assert b"***" in visit.ask("GET", f"{visit.base}{place}/raw").body


# --- who may act ----------------------------------------------------------------------------------


def events(cuectl: Cuectl, kind: str) -> list[Any]:
    lines = cuectl.run("--json", "log", "-n", "9999").stdout.splitlines()
    return [one for one in map(json.loads, lines) if one["type"] == kind]


def test_a_double_click_acts_once(acting: tuple[Serve, Visit], place: Cuectl) -> None:
    _, visit = acting
    form = visit.page("cues/good").form("Fire now")
    before = len(events(place, "execution.pending"))
    for _ in range(3):
        assert visit.send(form, "cues/good").status == 303
    assert len(events(place, "execution.pending")) == before + 1


def test_a_form_without_a_proof_is_refused(acting: tuple[Serve, Visit], place: Cuectl) -> None:
    serve, visit = acting
    form = visit.page("cues/good").form("Fire now")
    before = len(events(place, "execution.pending"))

    def refused(status: int = 403, change: dict[str, str] | None = None, **headers: str) -> None:
        sent = Form(form.place, {**form.fields, **(change or {})})
        assert visit.send(sent, "cues/good", **headers).status == status, (change, headers)

    refused(Origin="")
    refused(Origin="http://evil.example")
    refused(Origin=f"http://localhost:{visit.port}")
    refused(Origin="null", Sec_Fetch_Site="")
    refused(Origin="null", Sec_Fetch_Site="cross-site")
    refused(Sec_Fetch_Site="same-site")
    refused(change={"token": ""})
    refused(change={"token": "0" * 64})
    refused(change={"once": "another"})
    refused(change={"once": ""})
    refused(415, Content_Type="text/plain")
    other = Visit(serve, urlsplit(place.json("open")["url"]).path)
    assert other.send(form, "cues/good").status == 403
    elsewhere = Form(form.place.replace("fire", "pause"), form.fields)
    assert visit.send(elsewhere, "cues/good").status == 403
    assert visit.ask("GET", f"{visit.base}do/fire/good").status == 405
    assert visit.ask("POST", f"{visit.base}cues/good", b"").status == 405
    assert len(events(place, "execution.pending")) == before
    # A browser that tells no referrer sends no origin with a form, and says that it is the same.
    assert visit.send(form, "cues/good", Origin="null").status == 303


@pytest.mark.parametrize("words", [(), ("--read-only", "--actions"), ("--read-only",)])
def test_without_actions_the_page_only_shows(cuectl: Cuectl, words: tuple[str, ...]) -> None:
    cuectl.at(START).run("create", "--name", "good", "--every", "1h", "--", "true")
    with Serve(cuectl, "--port", "0", *words) as serve:
        visit = Visit(serve)
        page = visit.page("cues/good")
        assert [one for one in page.forms if "do/" in one.place] == []
        sent = Form("do/fire/good", {"token": "x", "once": "y"})
        assert visit.send(sent).status == 403


def test_a_question_is_answered_from_the_page(cuectl: Cuectl) -> None:
    cuectl.files({"flow.py": WORKFLOW, "cue.yaml": "workflows: [flow.py]\n"}).at(START)
    cuectl.run("apply", "cue.yaml")
    cuectl.run("create", "--name", "notes", "--workflow", "ask", "--every", "1h")
    cuectl.run("fire", "notes")
    cuectl.run("run-due")
    with Serve(cuectl, "--port", "0", "--actions") as serve:
        visit = Visit(serve)
        assert "asks: Publish <b>it</b>?" in visit.page().said
        page = visit.page("workflows")
        check(page, "workflows")
        assert "✓ bash" in page.said
        assert "Asks: Publish <b>it</b>?" in page.said
        answered = visit.send(page.form("yes"), "workflows")
        assert answered.status == 303
        cuectl.at("2026-11-21T02:10:00Z").run("run-due")
        place = answered.headers["location"].removeprefix(visit.base)
        assert "succeeded" in visit.page(place).said


def test_the_socket_can_be_forwarded_to_from_any_port(cuectl: Cuectl) -> None:
    path = str(cuectl.work / "s")
    with Serve(cuectl, "--socket", path) as serve:
        for host, status in (("localhost:9", 200), ("127.0.0.1:8787", 200), ("evil:8787", 421)):
            client = Client(serve.client.token, path=path, headers={"Host": host})
            assert client.get("/v1/cues").status == status, host


def test_buttons_do_what_commands_do_in_the_name_of_the_page(
    acting: tuple[Serve, Visit], place: Cuectl
) -> None:
    _, visit = acting
    fired = visit.send(visit.page("cues/good").form("Fire now"), "cues/good")
    assert fired.status == 303
    fresh = fired.headers["location"].removeprefix(visit.base)
    page = visit.page(fresh)
    assert "'good' is queued; it starts on the next pass" in page.said
    assert "is queued" not in visit.page(fresh).said
    visit.send(visit.page("cues/good").form("Pause"), "cues/good")
    assert "good ‖ paused, passed" in visit.page("?status=paused").said
    visit.send(visit.page("cues/good").form("Resume"), "cues/good")
    assert "resumed 'good'" in visit.page().said
    visit.send(visit.page().form("Accept"))
    assert "accepted 'invoices'" in visit.page().said
    assert "invoices ✓ verified" in visit.page().said
    again = visit.page(run_of(visit, "bad"))
    assert again.forms, again.text
    visit.send(again.form("Retry"), run_of(visit, "bad"))
    newest = run_of(visit, "bad")
    asking = visit.page(f"{newest}/cancel")
    assert "Cancel bad?" in asking.said
    visit.send(asking.form("Cancel this run"), f"{newest}/cancel")
    assert "cancelled" in visit.page(newest).said
    open_before = len(visit.page("alerts").forms)
    visit.send(visit.page("alerts").form("Acknowledge"), "alerts")
    assert len(visit.page("alerts").forms) == open_before - 1
    for kind in ("execution.pending", "cue.paused", "cue.resumed", "execution.revised",
                 "alert.acknowledged"):  # fmt: skip
        assert events(place, kind)[-1]["detail"]["by"] == "page", kind
    assert "by page" in visit.page("journal").said
    assert "by" not in events(place, "cue.created")[0].get("detail", {})
