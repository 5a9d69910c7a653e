"""What the page is made of: sessions, output, bars, spans, templates."""

from __future__ import annotations

import re
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from cuectl.cues.rules.recent import RecentEnd
from cuectl.executions.rules.verdict import BAD, GOOD, VerdictWord
from cuectl.http.page import printed
from cuectl.http.page.cues import table_of
from cuectl.http.page.look import PageLook
from cuectl.http.page.printed import Colours, tail_of
from cuectl.http.page.render import bars, look_of, render
from cuectl.http.page.sessions import MOST_SESSIONS, SESSION_S, Sessions
from cuectl.process.runtime import runtime_from
from cuectl.store import page_files
from cuectl.store.reading import Reader
from cuectl.values.safe_text import Masker
from tests.http.visit import Html

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.process.runtime import Runtime
    from tests.fixtures.builder import Cuectl

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "cuectl/http/page/templates"


def counting() -> Callable[[int], bytes]:
    """Return randomness that never repeats."""
    number = 0

    def random(count: int) -> bytes:
        nonlocal number
        number += 1
        return sha256(str(number).encode()).digest()[:count]

    return random


# --- sessions -------------------------------------------------------------------------------------


def test_a_session_lasts_twelve_hours_and_there_are_thirty_two() -> None:
    sessions = Sessions(counting())
    first = sessions.begin(0.0)
    assert sessions.find(first.word, SESSION_S - 0.01) is first
    assert sessions.find(first.word, SESSION_S) is None
    made = [sessions.begin(1.0) for _ in range(MOST_SESSIONS + 1)]
    assert sessions.find(made[0].word, 1.0) is None
    assert all(sessions.find(one.word, 1.0) is one for one in made[1:])


def test_a_proof_is_for_one_button_of_one_session() -> None:
    sessions = Sessions(counting())
    one, other = sessions.begin(0.0), sessions.begin(0.0)
    token = one.token("fire", "cue_1", "once")
    assert one.owns("fire", "cue_1", "once", token)
    assert not other.owns("fire", "cue_1", "once", token)
    for changed in (("pause", "cue_1", "once"), ("fire", "cue_2", "once"), ("fire", "cue_1", "x")):
        assert not one.owns(*changed, token)
    assert not one.owns("fire", "cue_1", "", one.token("fire", "cue_1", ""))
    assert not one.owns("fire", "cue_1", "once", "\ud800")
    assert one.use(token)
    assert not one.use(token)


def test_a_link_that_was_left_counts_once(tmp_path: Path) -> None:
    home = str(tmp_path)
    page_files.leave_link(home, "a", 1_000)
    assert not page_files.take_link(home, "b", 1_000)
    assert page_files.take_link(home, "a", 1_000 + page_files.LINK_MS - 1)
    assert not page_files.take_link(home, "a", 1_000)
    page_files.leave_link(home, "old", 1_000)
    assert not page_files.take_link(home, "old", 1_000 + page_files.LINK_MS)
    # The clock of another start of the machine, and what is no number.
    page_files.leave_link(home, "later", 10**9)
    assert not page_files.take_link(home, "later", 1_000)
    (left,) = (tmp_path / "page").iterdir()
    left.write_text("soon")
    assert not page_files.take_link(home, "later", 10**9)
    page_files.leave_link(home, "new", 10**12)
    assert len(list((tmp_path / "page").iterdir())) == 1
    assert page_files.take_link(home, "new", 10**12)


# --- output ---------------------------------------------------------------------------------------


def text_of(runs: list[printed.Run]) -> list[tuple[str, str]]:
    """Join neighbours of one colour."""
    found: list[tuple[str, str]] = []
    for kind, text in runs:
        if found and found[-1][0] == kind:
            found[-1] = (kind, found[-1][1] + text)
        else:
            found.append((kind, text))
    return found


PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [b"\x1b[31m", b"\x1b[0m", b"\x1b[1;92m", b"\x1b[", b"\x1b", b"\r\n", b"\n"]
        ),
        st.binary(max_size=6),
        st.text(max_size=4).map(lambda text: text.encode("utf-8", "replace")),
    ),
    max_size=12,
)


@given(PIECES, st.lists(st.integers(0, 60), max_size=5))
def test_pieces_give_what_the_whole_gives(pieces: list[bytes], cuts: list[int]) -> None:
    data = b"".join(pieces)
    whole = Colours().feed(data, final=True)
    colours, found = Colours(), []
    places = sorted({0, len(data), *(cut for cut in cuts if cut <= len(data))})
    for start, end in pairwise(places):
        found += colours.feed(data[start:end])
    found += colours.feed(b"", final=True)
    assert text_of(found) == text_of(whole)
    assert "\x1b" not in "".join(text for _, text in found)


@given(st.binary(max_size=400))
def test_no_output_is_markup(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.out"
    path.write_bytes(b"<script>" + data)
    page = Html(str(tail_of(str(path), None).lines))
    assert {tag for tag, _ in page.tags} <= {"b", "i"}


def test_colours_become_classes() -> None:
    runs = Colours().feed(b"a\x1b[31mb\x1b[1mc\x1b[39md\x1b[96me\x1b[mf\x1b[4", final=True)
    assert runs == [
        *(("", "a"), ("c1", "b"), ("c1", "c"), ("", "d"), ("c6", "e"), ("", "f\\x1b[4"))
    ]


def test_the_end_of_a_long_output(tmp_path: Path) -> None:
    path = tmp_path / "long.out"
    lines = [b"line %06d" % number for number in range(200_000)]
    path.write_bytes(b"\n".join(lines) + b"\n")
    tail = tail_of(str(path), None)
    page = Html(str(tail.lines))
    numbers = [int((known["id"] or "")[1:]) for _, known in page.tags]
    assert numbers == list(range(tail.first, 200_001))
    assert page.words[0] == f"line {tail.first - 1:06d}"
    assert page.words[-1] == "line 199999"
    assert len(tail.lines) <= printed.TAIL_LETTERS
    assert tail.before == 12 * (tail.first - 1)
    assert tail.size == path.stat().st_size


def test_a_line_that_never_ends_and_one_of_colours(tmp_path: Path) -> None:
    path = tmp_path / "wide.out"
    path.write_bytes(b"x" * 1_000_000)
    assert "more letters" in tail_of(str(path), None).lines or tail_of(str(path), None).before
    path.write_bytes(b"\x1b[31mx\x1b[32my" * 3_000)
    tail = tail_of(str(path), None)
    assert "xyxy" in tail.lines
    assert len(tail.lines) <= printed.TAIL_LETTERS


def test_a_secret_over_the_beginning_of_the_piece_is_not_shown(tmp_path: Path) -> None:
    masker = Masker({"TOKEN": "hush-hush-4711-secret"})
    path = tmp_path / "leak.out"
    for shift in range(30):
        rest = b"y" * (printed.TAIL_BYTES - 11 - shift)
        path.write_bytes(b"x" * 100 + b"hush-hush-4711-secret" + rest + b"\nend\n")
        assert "secret" not in tail_of(str(path), masker).lines
    path.write_bytes(b"one\nhush-hush-47")
    assert "hush" not in tail_of(str(path), masker, grows=True).lines


# --- words and bars -------------------------------------------------------------------------------


def test_bars_of_like_neighbours_are_one_step() -> None:
    good, bad = VerdictWord.PASSED, VerdictWord.FAILED
    drawn = bars([RecentEnd(good, 1.0)] * 20 + [RecentEnd(bad, 0.5)] * 10)
    page = Html(str(drawn))
    assert [known["d"] for tag, known in page.tags if tag == "path"] == [
        *("M0,14V3h80V14", "M80,14V0h40V14")
    ]
    assert page.tags[0][1]["aria-label"] == "last 30: 20 passed, 10 failed"
    assert bars([]) == Markup()


@given(st.lists(st.builds(RecentEnd, st.sampled_from(VerdictWord), st.none() | st.floats(0, 1e6)),
                max_size=30))  # fmt: skip
def test_every_end_has_its_bar(ends: list[RecentEnd]) -> None:
    drawn = bars(ends)
    lengths = [int(one) for one in re.findall(r"V(?!14)\d+h(\d+)", str(drawn))]
    assert sum(lengths) == 4 * len(ends)
    paths = {one["class"]: one["d"] or "" for tag, one in Html(str(drawn)).tags if tag == "path"}
    assert set(re.findall(r"V(\d+)h", paths.get("f", ""))) <= {"0", "14"}
    assert all(" " not in drawn for drawn in paths.values())


def test_every_word_has_a_look() -> None:
    looks = {word: look_of(word) for word in VerdictWord}
    assert {looks[word] for word in GOOD} == {"good"}
    assert {looks[word] for word in BAD} == {"bad"}
    assert looks[VerdictWord.TO_VERIFY] == looks[VerdictWord.WAITING] == "wait"


def test_times_say_how_far_away_they_are(runtime: Runtime) -> None:
    look = PageLook(runtime)
    now = look.now
    assert str(look.ago(now - 180_000)) == (
        '<time datetime=2026-11-21T01:57:00Z title="2026-11-21 01:57">3m ago</time>'
    )
    assert look.ago(None) == ""
    assert look.soon(now) == "due"
    assert "in 2h<" in look.soon(now + 7_200_000)
    assert "Sat 2026-11-21 01:57<" in PageLook(runtime, static=True).ago(now - 180_000)


def test_of_a_great_many_cues_those_that_fail_are_found(
    cuectl: Cuectl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing is said of those that were not looked at."""
    cuectl.at("2026-11-21T02:00:00Z")
    for name, program in (("good", "true"), ("bad", "false")):
        cuectl.run("create", "--name", name, "--", program)
    cuectl.run("create", "--name", "next", "--cron", "0 3 * * *", "--", "true")
    cuectl.run("fire", "bad")
    cuectl.run("run-due")
    monkeypatch.setattr(Reader, "is_large", lambda _self, _folder: True)
    look = PageLook(runtime_from(cuectl.environment, str(cuectl.home)))
    table = table_of(look, {})
    assert [row.name for row in table["rows"]] == ["bad", "next"]
    said = Html(render("cues.html", {**look.values("Cues", ""), **table, "acts": False,
                                     "notice": ""})).said  # fmt: skip
    assert "✗ 1 failing" in said
    assert "fine" not in said
    assert "all 2" not in said


# --- templates ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(TEMPLATES.iterdir()), ids=lambda path: path.name)
def test_no_template_steps_around_the_escaping(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"\|\s*safe\b|autoescape|Markup", text)
    # What is not in quotes ends at a blank, whatever is escaped in it.
    assert not re.search(r"\s[\w-]+=\{\{", text)
    assert not re.search(r"\s(on\w+|style)\s*=", text)


def test_templates_are_read_by_the_page_alone() -> None:
    imports = re.compile(r"^\s*(import|from) (jinja2|markupsafe)\b", re.MULTILINE)
    found = (ROOT / "cuectl").rglob("*.py")
    users = {one.parent.name for one in found if imports.search(one.read_text(encoding="utf-8"))}
    assert users == {"page"}


def test_what_is_told_is_escaped_and_what_is_missing_is_an_error() -> None:
    values = {"status": 404, "message": "<b>\u202e\x1b", "up": "", "signed_in": False}
    page = Html(render("told.html", values))
    assert "<b>\\u202e\\x1b" in page.said
    del values["message"]
    with pytest.raises(Exception, match="'message' is undefined"):
        render("told.html", values)
