"""Fill in the text of a handler: `{{ payload.path }}` in commands, `${NAME}` in variables.

Every value is put in once, in one reading from left to right, and is never looked at again.
A value in a shell command is one word to the shell, and never code: it is assigned to a variable
in front of the command, and the template becomes that variable, quoted for its place:

    grep {{ payload.word }} "{{ payload.file }}"
    _cue_1='it'"'"'s'; _cue_2='a b'; grep "${_cue_1}" "${_cue_2}"

So a place that is read wrongly can cost a word its quotes, but cannot run anything. Places
whose reading differs between shells, or where even a variable is read as an expression, are
refused. What a command does with its own words (`eval`, `sh -c`, `ssh`) is the command's.
Source: design.md section 6, reference/cueapi.md 5.1, 5.4 and M5, reference/reliability.md S07.
"""

from __future__ import annotations

import re

from cuectl.values.errors import CuectlError, ExitStatus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

    Lookup = Callable[[str], str | None]

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


_VARIABLE = (
    r"(?P<dollar>\$\$)|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^{}]*))?\}"
    r"|(?P<bad>\$\{)"
)
_WITH_ARGUMENT = ("--rcfile", "--init-file")
_SHELLS = frozenset({"sh", "ash", "bash", "dash", "ksh", "mksh", "zsh"})


class BadTemplate(CuectlError):
    """A template stands where its value cannot be put, or the value cannot be put anywhere."""

    code = "template"
    exit_status = ExitStatus.INVALID


class UnsetName(CuectlError):
    """A handler's variable refers to `${NAME}`, which is not set."""

    code = "unset_name"

    def __init__(self, name: str) -> None:
        hint = f"set it in ~/.cue/env, or give a default: ${{{name}:-value}}"
        super().__init__(f"environment variable '{name}' is not set", hint=hint)
        self.name = name


def render_shell(command: str, value_of: Callable[[str], str]) -> str:
    """Return the command for `sh -c` with a value for each `{{ path }}`. Raises BadTemplate."""
    return _ShellReader(command, value_of).rendered() if "{{" in command else command


def single_quoted(value: str) -> str:
    """Return the value as one word of a shell command."""
    return "'" + value.replace("'", "'\"'\"'") + "'"


def shell_command(command: str, payload: dict[str, object]) -> str:
    """Return the command for `sh -c`, every value one word of the shell. Raises BadTemplate."""
    return render_shell(command, lambda path: payload_text(payload, path))


def argument_list(command: Sequence[str], payload: dict[str, object]) -> list[str]:
    """Return the arguments, every value inside its element; the script of `sh -c` is code."""
    script = _script_index(command)
    return [
        shell_command(element, payload) if index == script else plain_text(element, payload)
        for index, element in enumerate(command)
    ]


def plain_text(template: str, payload: dict[str, object]) -> str:
    """Return the text with the value of each `{{ path }}` in its place, unquoted."""
    if "{{" not in template:
        return template
    return re.sub(PLACE, lambda place: payload_text(payload, place[1]), template)


def environment_value(template: str, payload: dict[str, object], lookup: Lookup) -> str:
    """Return a handler's variable with payload and environment filled in.

    Raises UnsetName, BadTemplate: as `expand_environment` and `payload_text`.
    """
    if "{{" not in template:
        return expand_environment(template, lookup)

    def fill(found: re.Match[str]) -> str:
        if found.lastgroup == "place":
            return payload_text(payload, found[0][2:-2].strip())
        return _variable(found, lookup)

    return re.sub(rf"{_VARIABLE}|(?P<place>{PLACE})", fill, template)


def expand_environment(value: str, lookup: Lookup) -> str:
    """Return the value with `${NAME}`, `${NAME:-default}` and `$$` replaced, once.

    As in a shell, the default also stands in for an empty value. `$NAME` stays as it is.
    UnsetName: no value and no default. BadTemplate: `${` starts no name, or braces in a default.
    """
    if "$" not in value:
        return value
    return re.sub(_VARIABLE, lambda found: _variable(found, lookup), value)


def payload_text(payload: dict[str, object], path: str) -> str:
    """Return the text at a path of names with dots, through objects only; empty for none or null.

    Raises BadTemplate: the text has a NUL, or half of a surrogate pair.
    """
    value: object = payload
    for name in path.removeprefix("payload.").split("."):
        value = value.get(name) if isinstance(value, dict) else None
    text = "" if value is None else str(value)
    if "\0" in text:
        raise BadTemplate(f"value of '{path}' contains a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadTemplate(f"value of '{path}' is not UTF-8") from None
    return text


def _variable(found: re.Match[str], lookup: Lookup) -> str:
    if found["dollar"]:
        return "$"
    if found["bad"]:
        rest = found.string[found.start() : found.start() + 20]
        hint = "write ${NAME} or ${NAME:-default}; a literal '${' is '$${'"
        raise BadTemplate(f"'{rest}' does not name a variable", hint=hint)
    value, default = lookup(found["name"]), found["default"]
    if not value and default is not None:
        return default
    if value is None:
        raise UnsetName(found["name"])
    return value


def _script_index(command: Sequence[str]) -> int:
    """Return which word is the script, as in `timeout 60 bash -euo pipefail -c SCRIPT`; else -1."""
    for index, element in enumerate(command):
        if element.rpartition("/")[2] in _SHELLS:
            script = _script_after_options(command, index + 1)
            if script > 0:
                return script
    return -1


def _script_after_options(command: Sequence[str], index: int) -> int:
    told = False
    while index < len(command) and command[index][:1] in ("-", "+"):
        option = command[index]
        index += 1
        if option.startswith("--"):
            index += option in _WITH_ARGUMENT
            continue
        told = told or (option[0] == "-" and "c" in option)
        index += "o" in option or "O" in option
    return index if told and index < len(command) else -1


class _ShellReader:
    """Reads a command from left to right, knowing which quotes it is in.

    A method per token of `_UNQUOTED`, named as it, returns up to where the text is to be copied.
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
        in_double, unquoted = re.compile(_IN_DOUBLE), re.compile(_UNQUOTED)
        while match := (in_double if self.is_double else unquoted).search(self.text, self.at):
            self.copy_to(match.start())
            read: Callable[[re.Match[str]], int] = getattr(self, match.lastgroup or "")
            self.copy_to(read(match))
        self.copy_to(len(self.text))
        assignments = (
            f"{self.prefix}{number}={single_quoted(value)}; "
            for number, value in enumerate(self.values, 1)
        )
        return "".join((*assignments, *self.out))

    @property
    def is_double(self) -> bool:
        return self.stack[-1] == _DOUBLE

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
        self.put(match, "{}" if self.is_double else '"{}"')
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
        if self.is_double:
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
        """Copy a comment without the values in it, which have no effect there."""
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
