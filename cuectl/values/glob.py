"""Globs over the text of an event's value: `*.ts`, `**/src/**`, `{a,b}`, `!(x)`.

The dialect is that of the second page's peer (reference/maestro-cue.md 3): `*` stays inside a
segment, `**` as a whole segment crosses them, only a pattern with the dot meets hidden names. In a
text that is no path, `/` and `.` are letters like any others, and so are `[` and `(` unless what
follows can mean nothing but a class or a choice: `[WIP]*` and `*(docs)*` say what they look like.
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
_CLASS_IN_TEXT = re.compile(r"\^.+|(?:\w-\w)+")


def glob_test(pattern: str, *, hidden: bool = False, is_path: bool = True) -> Callable[[str], bool]:
    """Return what tells whether a text is matched; `hidden`: a dot in front is like any letter."""
    wanted = pattern.removeprefix("./") if is_path else pattern
    matches = _compiled(wanted, hidden or not is_path, is_path).match
    return lambda text: text == pattern or (text != "" and matches(text) is not None)


@lru_cache(maxsize=1024)
def _compiled(pattern: str, hidden: bool = False, is_path: bool = True) -> re.Pattern[str]:
    try:
        return re.compile(_Reader(pattern, hidden=hidden, is_path=is_path).read() + _END)
    except (re.error, RecursionError):
        # What is no glob after all stands for itself.
        return re.compile(re.escape(pattern) + r"\Z")


class _Reader:
    """Translates one pattern, from left to right."""

    def __init__(
        self, pattern: str, *, at_start: bool = True, hidden: bool = False, is_path: bool = True
    ) -> None:
        self.text, self.at = pattern, 0
        self.out: list[str] = []
        self.at_start, self.hidden, self.is_path = at_start, hidden, is_path
        self._across = _ANYTHING if hidden else _ACROSS
        self._segment, self._one_letter = (_SEGMENT, "[^/]") if is_path else (_ANYTHING, r"[\s\S]")

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
                self._put("[^./]" if starts and not self.hidden else self._one_letter, 1)
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
        guard = "" if not (starts and self.is_path) else "(?=.)" if self.hidden else _FIRST
        self._put(guard + self._segment, end - self.at)

    def _class(self) -> None:
        end = self.text.find("]", self.at + 2)
        inner = self.text[self.at + 1 : end] if end > 0 else ""
        if not inner or "/" in inner or not (self.is_path or _CLASS_IN_TEXT.fullmatch(inner)):
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
        self._put(f"(?:{self._any_of(parts)})", end + 1 - self.at)

    def _group(self) -> bool:
        """Translate an extended group such as `!(a|b)`; tell whether there is one."""
        kind, start = self.text[self.at], self.at + 1
        end = _closing(self.text, start, "(", ")")
        choices = _split(self.text[start + 1 : end], "|")
        if end < 0 or (len(choices) < 2 and not self.is_path):
            return False
        regex = self._any_of(choices)
        if kind == "!":
            rest = self._any_of([self.text[end + 1 :]])
            self._put(rf"(?:(?!(?:{regex}){rest}\Z){self._segment})", end + 1 - self.at)
        else:
            self._put(f"(?:{regex}){'' if kind == '@' else kind}", end + 1 - self.at)
        return True

    def _any_of(self, parts: list[str]) -> str:
        more = {"at_start": False, "hidden": self.hidden, "is_path": self.is_path}
        return "|".join(_Reader(one, **more).read() for one in parts)


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
    if dots and low.lstrip("-").isdecimal() and high.lstrip("-").isdecimal():
        first, last = sorted((int(low), int(high)))
        return [str(n) for n in range(first, last + 1)] if last - first < _MOST_IN_RANGE else []
    if dots and len(low) == len(high) == 1:
        first, last = sorted((ord(low), ord(high)))
        return [chr(n) for n in range(first, last + 1)]
    return []
