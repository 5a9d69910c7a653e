from __future__ import annotations

import shlex

from hypothesis import given
from hypothesis import strategies as st

from cuectl.installation.crontab_import import Import
from cuectl.installation.schedulers.crontab import (
    BEGIN,
    END,
    LONGEST,
    line_of,
    pass_lines,
    region_lines,
    with_region,
)
from cuectl.values.errors import CuectlError, Refused

LINES = st.binary(max_size=40).map(lambda raw: raw.replace(b"\n", b"").replace(b"\r", b""))
CRONTABS = st.lists(LINES.filter(lambda line: line.strip() not in (BEGIN, END)), max_size=8).map(
    lambda lines: b"".join(line + b"\n" for line in lines)
)
OURS = st.lists(st.just(b"* * * * * /bin/x run-due"), min_size=1, max_size=3)
PATHS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\n\0\r"), min_size=1, max_size=40
).map(lambda text: f"/{text}")


@given(before=CRONTABS, after=CRONTABS, lines=OURS)
def test_what_is_around_our_region_stays_byte_for_byte(
    before: bytes, after: bytes, lines: list[bytes]
) -> None:
    first = with_region(before, lines) + after
    assert region_lines(first) == lines
    changed = with_region(first, [*lines, b"1 * * * * /bin/y run-due"])
    assert changed.startswith(before)
    assert changed.endswith(after)
    assert with_region(changed, lines) == first
    assert with_region(changed, []) == before + after


@given(text=st.binary(max_size=200))
def test_any_bytes_are_a_crontab_or_an_error_in_words(text: bytes) -> None:
    pass_lines(text)
    try:
        found = with_region(text, [b"* * * * * x"])
    except CuectlError:
        return
    assert region_lines(found) == [b"* * * * * x"]


@given(program=PATHS, path=PATHS, home=PATHS)
def test_a_line_says_to_cron_and_to_us_what_was_meant(program: str, path: str, home: str) -> None:
    try:
        line = line_of((program, "run-due"), {"PATH": path, "CUECTL_HOME": home})
    except Refused:
        assert len(program + path + home) > LONGEST // 8
        return
    text = line.decode()
    # cron ends the command at a plain '%'.
    assert "%" not in text.replace("\\%", "")
    words = shlex.split(text.split(" ", 5)[5].replace("\\%", "%"))
    assert words == ["/usr/bin/env", f"PATH={path}", f"CUECTL_HOME={home}", program, "run-due"]
    (found,) = pass_lines(with_region(b"", [line]))
    assert found.words == (program, "run-due")
    assert (found.variables["PATH"], found.variables["CUECTL_HOME"]) == (path, home)
    assert found.in_region


@given(text=st.text(max_size=200))
def test_any_text_is_imported_or_named(text: str) -> None:
    found = Import(home="/home/ana", zone="UTC", now=1_795_000_000_000).read(text)
    lines = text.split("\n")
    for one in found.left_out:
        assert one.text == lines[one.line - 1].strip()
        assert one.why
