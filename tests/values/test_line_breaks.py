"""Lines that break where the terminal ends."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cuectl.values.line_breaks import display_width, wrapped

TEXTS = st.text("ab /:-é漢", max_size=120)


@given(TEXTS, st.integers(4, 60))
def test_nothing_is_wider_and_nothing_is_lost(text: str, width: int) -> None:
    lines = wrapped(text, width)

    assert all(display_width(line) <= width for line in lines if "://" not in line)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    if display_width(text) <= width:
        assert lines == [text]


def test_a_line_goes_on_below_its_value() -> None:
    assert wrapped("why:    exit 1: error: the token has expired", 24) == [
        "why:    exit 1: error:",
        "        the token has",
        "        expired",
    ]
    assert wrapped("  a hint that is long: crontab -e", 20) == [
        "  a hint that is",
        "    long: crontab -e",
    ]


def test_a_command_stays_whole() -> None:
    command = "cuectl --home '/srv/a b' apply cue.yaml"
    assert wrapped(f"hint: it is not applied: {command}", 20) == [
        "hint: it is not",
        "  applied:",
        f"  {command}",
    ]
    assert wrapped(f"Look:         {command}", 30) == ["Look:", f"  {command}"]
    assert wrapped(f"Look:  {command}", 80) == [f"Look:  {command}"]
    assert wrapped("More: cuectl help; cuectl list; ls", 20) == [
        "More:",
        "  cuectl help;",
        "  cuectl list; ls",
    ]


def test_an_id_stays_whole_and_an_address_too() -> None:
    assert wrapped("execution:      exec_01m8g88yv5yn9rheexaya2wy", 32) == [
        "execution:",
        "  exec_01m8g88yv5yn9rheexaya2wy",
    ]
    address = f"http://127.0.0.1:8000/s/{'x' * 40}"
    assert wrapped(f"open it: {address} now", 30) == ["open it:", f"  {address}", "  now"]


def test_a_path_breaks_where_it_has_to() -> None:
    assert wrapped("output: /home/me/.cue/runs/2026-11-28/a-long-name.out", 30) == [
        "output: /home/me/.cue/runs/202",
        "  6-11-28/a-long-name.out",
    ]
