"""Put values into a shell command so that the shell sees each as one word, and never as code.

A value is not pasted into the command. It is assigned to a variable in front of it, in single
quotes, and where the template stood the command reads that variable, quoted for its place:

    grep {{ payload.word }} "{{ payload.file }}"
    _cue_1='it'"'"'s'; _cue_2='a b'; grep "${_cue_1}" "${_cue_2}"

So a place that is read wrongly can cost a word its quotes, but cannot run anything. Places
whose reading differs between shells, or where even a variable is read as an expression, are
refused. What a command does with its own words (`eval`, `sh -c`, `ssh`) is the command's.
Source: reference/cueapi.md 5.4 B6, reference/reliability.md S07.
"""

from __future__ import annotations

import re

from cuectl.model.errors import CuectlError, ExitStatus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

PLACE = r"\{\{[ \t]*([\w-]+(?:\.[\w-]+)*)[ \t]*\}\}"

_BARE, _DOUBLE, _COMMAND, _GROUP = "bare", "double", "command", "group"
_ANYWHERE = (
    rf"(?P<glued>[\\$]{PLACE})|(?P<place>{PLACE})|(?P<escape>(?s:\\.?))|(?P<sub>\$\((?!\())"
    r"|(?P<parameter>\$\{)|(?P<double>\")|(?P<tick>`)"
)
_IN_DOUBLE = rf"{_ANYWHERE}|(?P<sum>\$\(\()"
_UNQUOTED = (
    rf"{_ANYWHERE}|(?P<sum>\$?\(\()|(?P<ansi>\$')|(?P<single>')|(?P<open>\()|(?P<close>\))"
    r"|(?P<here><<)|(?P<line>\n)|(?P<hash>\#)|(?P<case>\bcase\b)"
)
_TICKED = r"(?s:`(?:[^`\\]|\\.)*`)"
_PLAIN_PARAMETER = r"\$\{[^{}'\"`\\$]*\}"
_PLAIN_ANSI = r"\$'[^'\\]*'"
_UNCLEAR_IN_SUM = r"['\"`\\#]"
_HINT = "give it to the command in a variable: env: {VALUE: '{{ payload.value }}'}, and use $VALUE"


class BadTemplate(CuectlError):
    """A template stands where its value cannot be put, or the value cannot be put anywhere."""

    code = "template"
    exit_status = ExitStatus.INVALID


def render_shell(command: str, value_of: Callable[[str], str]) -> str:
    """Return the shell command with a value for each `{{ path }}` in it.

    Args:
        command: for `sh -c`; one without templates comes back as it is.
        value_of: the value of a path, asked once for each place.

    Raises:
        BadTemplate: a template stands where no value can be put safely.
    """
    if "{{" not in command:
        return command
    return _ShellReader(command, value_of).rendered()


def single_quoted(value: str) -> str:
    """Return the value as one word of a shell command."""
    return "'" + value.replace("'", "'\"'\"'") + "'"


class _ShellReader:
    """Reads a command from left to right, knowing which quotes it is in.

    There is a method for each token that can change that; it returns up to where the text is
    to be copied.
    """

    def __init__(self, command: str, value_of: Callable[[str], str]) -> None:
        self.text = command
        self.value_of = value_of
        self.at = 0
        self.stack = [_BARE]
        self.out: list[str] = []
        self.values: list[str] = []
        self.escape_end = -1
        self.here_document = False
        # After some constructs shells disagree about where they are; empty while they agree.
        self.unclear_after = ""
        self.prefix = "_cue_"
        while self.prefix in command:
            self.prefix = f"_{self.prefix}"

    def rendered(self) -> str:
        patterns = {_DOUBLE: re.compile(_IN_DOUBLE)}
        unquoted = re.compile(_UNQUOTED)
        while match := patterns.get(self.stack[-1], unquoted).search(self.text, self.at):
            self.copy_to(match.start())
            self.copy_to(_TOKENS[match.lastgroup or ""](self, match))
        self.copy_to(len(self.text))
        assignments = (
            f"{self.prefix}{number}={single_quoted(value)}; "
            for number, value in enumerate(self.values, 1)
        )
        return "".join((*assignments, *self.out))

    def copy_to(self, end: int) -> None:
        self.out.append(self.text[self.at : end])
        self.at = end

    def put(self, match: re.Match[str], quotes: str) -> None:
        """Put the variable that holds the value where the template stands."""
        if self.unclear_after:
            self.refuse(match[0], f"stands behind {self.unclear_after}")
        self.values.append(self.value_of(match[0][2:-2].strip()))
        self.out.append(quotes.format(f"${{{self.prefix}{len(self.values)}}}"))
        self.at = match.end()

    def refuse(self, template: str, why: str) -> NoReturn:
        shown = template[template.index("{") :]
        raise BadTemplate(f"template '{shown}' {why}", hint=_HINT)

    def place(self, match: re.Match[str]) -> int:
        self.put(match, "{}" if self.stack[-1] == _DOUBLE else '"{}"')
        return self.at

    def glued(self, match: re.Match[str]) -> int:
        self.refuse(match[0], "stands directly behind a '$' or a backslash")

    def escape(self, match: re.Match[str]) -> int:
        self.escape_end = match.end()
        before = self.text[max(0, match.start() - 1) : match.start()]
        if match[0] == "\\\n" and before.strip():
            # The shell joins the lines before it looks for tokens such as `$(`.
            self.unclear_after = "a line that is continued within a word"
        return match.end()

    def double(self, match: re.Match[str]) -> int:
        if self.stack[-1] == _DOUBLE:
            self.stack.pop()
        else:
            self.stack.append(_DOUBLE)
        return match.end()

    def single(self, match: re.Match[str]) -> int:
        """Read on to the closing quote; a value leaves the quotes and comes back."""
        close = self.text.find("'", match.end())
        close = len(self.text) if close < 0 else close
        while found := re.compile(PLACE).search(self.text, self.at, close):
            self.copy_to(found.start())
            self.put(found, "'\"{}\"'")
        return min(close + 1, len(self.text))

    def ansi(self, match: re.Match[str]) -> int:
        """Leave `$'...'` to be read as plain quotes, which it is without a backslash."""
        if re.compile(_PLAIN_ANSI).match(self.text, self.at):
            return match.end() - 1
        self.unclear_after = "$'...' with a backslash"
        return match.end()

    def sub(self, match: re.Match[str]) -> int:
        self.stack.append(_COMMAND)
        return match.end()

    def open(self, match: re.Match[str]) -> int:
        if self.stack[-1] != _BARE:
            self.stack.append(_GROUP)
        return match.end()

    def close(self, match: re.Match[str]) -> int:
        if self.stack[-1] != _BARE:
            self.stack.pop()
        return match.end()

    def case(self, match: re.Match[str]) -> int:
        if self.stack[-1] != _BARE:
            self.unclear_after = "a 'case' within $( )"
        return match.end()

    def sum(self, match: re.Match[str]) -> int:
        """Skip an arithmetic expression, which a shell would evaluate again in a value."""
        depth = end = 0
        for found in re.compile(r"[()]").finditer(self.text, self.at):
            depth += 1 if found[0] == "(" else -1
            if depth == 0:
                end = found.end()
                break
        after = self.skipped(match, end, "an arithmetic expression")
        if re.compile(_UNCLEAR_IN_SUM).search(self.text, self.at, after):
            self.unclear_after = "an arithmetic expression"
        return after

    def tick(self, match: re.Match[str]) -> int:
        found = re.compile(_TICKED).match(self.text, self.at)
        return self.skipped(match, found.end() if found else 0, "backquotes")

    def parameter(self, match: re.Match[str]) -> int:
        found = re.compile(_PLAIN_PARAMETER).match(self.text, self.at)
        end = found.end() if found else 0
        return self.skipped(match, end, "a ${ } with more than plain text in it")

    def skipped(self, match: re.Match[str], end: int, what: str) -> int:
        """Return the end of a construct without templates; 0 for an `end` that is not sure."""
        if not end:
            self.unclear_after = what
            return match.end()
        if found := re.compile(PLACE).search(self.text, self.at, end):
            self.refuse(found[0], f"stands inside {what}")
        return end

    def here(self, match: re.Match[str]) -> int:
        self.here_document = True
        return match.end()

    def line(self, match: re.Match[str]) -> int:
        if self.here_document:
            self.unclear_after = "a here-document"
        return match.end()

    def hash(self, match: re.Match[str]) -> int:
        """Copy a comment without the values in it, which nobody would see."""
        start = match.start()
        before = self.text[start - 1 : start]
        if start == self.escape_end or before == ")":
            # `a\ #b` and `$(a)#b` are words, `(a)#b` has a comment.
            self.unclear_after = "a '#' behind a ')' or an escaped character"
        elif before and before not in " \t\n;&|(<>":
            return match.end()
        if len(self.stack) > 1:
            self.unclear_after = self.unclear_after or "a comment within $( )"
        if self.unclear_after:
            # It may be no comment at all, so nothing of it is dropped.
            return match.end()
        stop = self.text.find("\n", start)
        stop = len(self.text) if stop < 0 else stop
        self.out.append(re.sub(PLACE, "", self.text[start:stop]))
        self.at = stop
        return stop


_TOKENS = {
    "glued": _ShellReader.glued,
    "place": _ShellReader.place,
    "escape": _ShellReader.escape,
    "double": _ShellReader.double,
    "single": _ShellReader.single,
    "ansi": _ShellReader.ansi,
    "sub": _ShellReader.sub,
    "open": _ShellReader.open,
    "close": _ShellReader.close,
    "case": _ShellReader.case,
    "sum": _ShellReader.sum,
    "tick": _ShellReader.tick,
    "parameter": _ShellReader.parameter,
    "here": _ShellReader.here,
    "line": _ShellReader.line,
    "hash": _ShellReader.hash,
}
