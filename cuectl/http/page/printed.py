"""What a run has printed, for a page: masked, controls shown, eight colours, lines with numbers."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from cuectl.store import output
from cuectl.values.records import dataclass
from cuectl.values.safe_text import visible

if TYPE_CHECKING:
    from cuectl.values.safe_text import Masker

Run = tuple[str, str]
"""The class of a colour, '' for none, and text."""

TAIL_BYTES = 32_768
# Escaped and with its numbers a tail may be many times as long; the page has a budget.
TAIL_LETTERS = 40_000
LONGEST_LINE = 4_000
_SGR = re.compile(r"\x1b\[([0-9;]*)m")
_CUT = re.compile(r"(\r|\x1b(\[[0-9;]{0,20})?)\Z")


class Colours:
    """Makes text of bytes that come in pieces; letters and escapes may be cut between two."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._kept = ""
        self._class = ""

    def feed(self, data: bytes, *, final: bool = False) -> list[Run]:
        """Return the runs of text in one more piece."""
        text = self._kept + self._decode(data, final)
        cut = None if final else _CUT.search(text)
        self._kept = text[cut.start() :] if cut else ""
        text = text[: cut.start()] if cut else text
        parts = _SGR.split(text.replace("\r\n", "\n"))
        runs = [(self._class, visible(parts[0]))]
        for codes, said in zip(parts[1::2], parts[2::2], strict=True):
            self._class = _class_of(codes, self._class)
            runs.append((self._class, visible(said)))
        return [one for one in runs if one[1]]


def _class_of(codes: str, before: str) -> str:
    found = before
    for code in codes.split(";"):
        number = int(code) if code and len(code) < 4 else 0
        if number in (0, 39):
            found = ""
        elif number % 10 < 8 and number // 10 in (3, 9):
            found = f"c{number % 10}"
    return found


def plain(text: str) -> str:
    """Return a text without its colours."""
    return _SGR.sub("", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputEnd:
    """The end of an output file: from line `first` on, up to byte `size`; `before` are left out."""

    lines: Markup
    first: int
    size: int
    before: int


def tail_of(path: str, masker: Masker | None, *, grows: bool = False) -> OutputEnd:
    """Return the end of an output, as much as a page has room for; of one that grows whole lines.

    So a secret that is written at this moment is masked when the stream comes to it.
    """
    size = output.size(path)
    ahead = masker.longest if masker else 0
    start = max(0, size - TAIL_BYTES)
    begin = max(0, start - ahead)
    data = b"".join(output.pieces(path, begin)) if size else b""
    if grows and (cut := data.rfind(b"\n") + 1):
        size, data = begin + cut, data[:cut]
    shown = masker.mask_bytes(data) if masker else data
    if start:
        # A secret that begins before the piece is in these bytes; the first line is not whole.
        shown = shown[ahead:]
        shown = shown[shown.find(b"\n") + 1 :]
    lines = _lines(Colours().feed(shown, final=True))
    kept, letters = len(lines), 0
    while kept and (letters := letters + len(lines[kept - 1]) + 20) < TAIL_LETTERS:
        kept -= 1
    first = kept + 1 + (_newlines(path) - shown.count(b"\n") if start else 0)
    made = Markup('<b id="L{}">{}</b>')
    drawn = (made.format(first + place, line) for place, line in enumerate(lines[kept:]))
    gone = sum(len(one) + 1 for one in shown.split(b"\n")[:kept]) if kept else 0
    before = size - len(shown) + gone if start or kept else 0
    return OutputEnd(lines=Markup().join(drawn), first=first, size=size, before=before)


def _lines(runs: list[Run]) -> list[Markup]:
    """Return finished lines; a colour goes on over the end of one."""
    lines: list[list[Markup]] = [[]]
    for kind, text in runs:
        first, *others = text.split("\n")
        lines[-1].append(_piece(kind, first))
        lines += [[_piece(kind, one)] for one in others]
    made = [_bounded(Markup().join(one)) for one in lines]
    return made if made[-1] else made[:-1]


def _bounded(line: Markup) -> Markup:
    """Return a line as it is, or its start without colours where it has thousands of them."""
    if len(line) <= TAIL_LETTERS // 2:
        return line
    return escape(f"{line.striptags()[:LONGEST_LINE]}…")


def _piece(kind: str, text: str) -> Markup:
    if len(text) > LONGEST_LINE:
        text = f"{text[:LONGEST_LINE]}… ({len(text) - LONGEST_LINE} more letters)"
    said = escape(text)
    return Markup('<i class="{}">{}</i>').format(kind, said) if kind and text else said


def _newlines(path: str) -> int:
    return sum(piece.count(b"\n") for piece in output.pieces(path))
