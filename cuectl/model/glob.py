"""Globs over the text of an event's value: `*.ts`, `**/src/**`, `{a,b}`, `!(x)`.

The dialect is that of the second page's peer (reference/maestro-cue.md 3): `*` stays inside
a segment, `**` as a whole segment crosses them, hidden names are met only by a pattern that
names the dot.
"""

from __future__ import annotations

import re
from functools import lru_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_SEGMENT = r"[^/]*?"
_FIRST = r"(?!\.)(?=.)"
_ACROSS = r"(?:(?!(?:/|^)\.).)*?"
_ANYTHING = r"[\s\S]*?"
_NO_DOT = r"(?!\.)"
_END = r"/?\Z"
_MOST_IN_RANGE = 1_000
_EXTENDED = "!@+?*"


def glob_test(pattern: str, *, hidden: bool = False) -> Callable[[str], bool]:
    """Return what tells whether a text is matched; empty text is matched by nothing.

    Args:
        pattern: the glob.
        hidden: names that begin with a dot are like any others.
    """
    wanted = pattern.removeprefix("./")
    matches = _compiled(wanted, hidden).match
    return lambda text: text == pattern or (text != "" and matches(text) is not None)


@lru_cache(maxsize=1024)
def _compiled(pattern: str, hidden: bool = False) -> re.Pattern[str]:
    try:
        return re.compile(_Reader(pattern, hidden=hidden).read() + _END)
    except (re.error, RecursionError):
        # What is no glob after all stands for itself.
        return re.compile(re.escape(pattern) + r"\Z")


class _Reader:
    """Translates one pattern, from left to right."""

    def __init__(self, pattern: str, *, at_start: bool = True, hidden: bool = False) -> None:
        self.text = pattern
        self.at = 0
        self.out: list[str] = []
        self.at_start = at_start
        self.hidden = hidden
        self._across = _ANYTHING if hidden else _ACROSS

    def read(self) -> str:
        while self.at < len(self.text):
            self._one()
        return "".join(self.out)

    def _one(self) -> None:
        letter = self.text[self.at]
        starts = self.at_start
        self.at_start = False
        if letter in _EXTENDED and self.text[self.at + 1 : self.at + 2] == "(" and self._group():
            return
        match letter:
            case "*":
                self._star(starts)
            case "?":
                self._put("[^./]" if starts and not self.hidden else "[^/]", 1)
            case "[":
                self._class()
            case "{":
                self._braces()
            case "\\" if self.at + 1 < len(self.text):
                self._put(re.escape(self.text[self.at + 1]), 2)
            case "/":
                self._slash()
            case _:
                self._put(re.escape(letter), 1)

    def _put(self, regex: str, length: int) -> None:
        self.out.append(regex)
        self.at += length

    def _slash(self) -> None:
        self.at_start = True
        if self.text[self.at :] == "/**":
            # `src/**` is `src` itself, and everything under it.
            self._put(rf"(?:/{'' if self.hidden else _NO_DOT}(?:{self._across})|\Z)", 3)
        else:
            self._put("/", 1)

    def _star(self, starts: bool) -> None:
        end = self.at
        while end < len(self.text) and self.text[end] == "*":
            end += 1
        rest = self.text[end:]
        if starts and end - self.at == 2 and rest[:1] in ("", "/"):
            across = self._across if self.hidden else _NO_DOT + self._across
            if rest[:1] == "/":
                self.at_start = True
                self._put(rf"(?:|{across}/)", 3)
            else:
                self._put(across, 2)
            return
        guard = "" if not starts else "(?=.)" if self.hidden else _FIRST
        self._put(guard + _SEGMENT, end - self.at)

    def _class(self) -> None:
        end = self.text.find("]", self.at + 2)
        inner = self.text[self.at + 1 : end] if end > 0 else ""
        if not inner or "/" in inner:
            self._put(re.escape("["), 1)
            return
        negated = inner[0] == "^"
        body = (inner[1:] if negated else inner).replace("\\", "\\\\").replace("[", "\\[")
        self._put(f"[{'^' if negated else ''}{body}]", end + 1 - self.at)

    def _braces(self) -> None:
        end = _closing(self.text, self.at, "{", "}")
        if end < 0:
            self._put(re.escape("{"), 1)
            return
        inner = self.text[self.at + 1 : end]
        parts = _split(inner, ",")
        if len(parts) < 2:
            parts = _range(inner)
        if not parts:
            self._put(re.escape(self.text[self.at : end + 1]), end + 1 - self.at)
            return
        regex = "|".join(_Reader(part, at_start=False, hidden=self.hidden).read() for part in parts)
        self._put(f"(?:{regex})", end + 1 - self.at)

    def _group(self) -> bool:
        """Translate an extended group such as `!(a|b)`; tell whether there is one."""
        kind, start = self.text[self.at], self.at + 1
        end = _closing(self.text, start, "(", ")")
        if end < 0:
            return False
        parts = _split(self.text[start + 1 : end], "|")
        regex = "|".join(_Reader(part, at_start=False, hidden=self.hidden).read() for part in parts)
        if kind == "!":
            rest = _Reader(self.text[end + 1 :], at_start=False, hidden=self.hidden).read()
            self._put(rf"(?:(?!(?:{regex}){rest}\Z){_SEGMENT})", end + 1 - self.at)
        else:
            self._put(f"(?:{regex}){'' if kind == '@' else kind}", end + 1 - self.at)
        return True


def _closing(text: str, start: int, opening: str, closing: str) -> int:
    depth = 0
    for at in range(start, len(text)):
        if text[at] == opening:
            depth += 1
        elif text[at] == closing:
            depth -= 1
            if depth == 0:
                return at
    return -1


def _split(text: str, mark: str) -> list[str]:
    """Split at the marks that stand in no inner braces or groups."""
    parts, depth, start = [], 0, 0
    for at, letter in enumerate(text):
        if letter in "{(":
            depth += 1
        elif letter in "})":
            depth -= 1
        elif letter == mark and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    return [*parts, text[start:]]


def _range(inner: str) -> list[str]:
    low, dots, high = inner.partition("..")
    if not dots:
        return []
    if low.lstrip("-").isdecimal() and high.lstrip("-").isdecimal():
        first, last = sorted((int(low), int(high)))
        return [str(n) for n in range(first, last + 1)] if last - first < _MOST_IN_RANGE else []
    if len(low) == len(high) == 1:
        first, last = sorted((ord(low), ord(high)))
        return [chr(n) for n in range(first, last + 1)]
    return []
