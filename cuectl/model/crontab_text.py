"""Our region in somebody's crontab, and the lines in it that call `run-due`.

Everything outside of the region stays as it is, byte for byte.
"""

from __future__ import annotations

import re
import shlex

from cuectl.model.errors import Conflict, Refused
from cuectl.model.values import dataclass, field

BEGIN, END = b"# BEGIN CUECTL", b"# END CUECTL"
NOTE = b"# 'cuectl scheduler remove' takes this out; what you change in here is lost."
CRON_PATH = "/usr/bin:/bin"
LONGEST = 990

_SETTING = re.compile(r"""\s*(["']?)([A-Za-z_]\w*)\1\s*=\s*(.*?)\s*$""", re.DOTALL)
_WHEN = re.compile(r"\s*(?:@\w+|(?:\S+\s+){4}\S+)\s+(.*)$", re.DOTALL)
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)$", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassLine:
    """A line that calls `run-due`.

    Attributes:
        words: the program and its arguments.
        variables: what the line, or the crontab above it, sets.
        in_region: whether it is one of ours.
    """

    text: str
    words: tuple[str, ...]
    variables: dict[str, str] = field(default_factory=dict)
    in_region: bool = False


def region(crontab: bytes) -> tuple[int, int] | None:
    """Return where our region begins and ends, the line end included; None without one.

    Raises:
        Conflict: the markers do not belong together.
    """
    begins, ends, at = [], [], 0
    for line in crontab.splitlines(keepends=True):
        if line.strip() == BEGIN:
            begins.append(at)
        at += len(line)
        if line.strip() == END:
            ends.append(at)
    if not begins and not ends:
        return None
    if len(begins) != 1 or len(ends) != 1 or begins[0] >= ends[0]:
        message = f"the lines '{BEGIN.decode()}' and '{END.decode()}' in the crontab do not match"
        raise Conflict(message, hint="mend or remove them with: crontab -e")
    return begins[0], ends[0]


def region_lines(crontab: bytes) -> list[bytes]:
    """Return the lines in our region that are no comments."""
    found = region(crontab)
    if found is None:
        return []
    inside = crontab[slice(*found)].splitlines()[1:-1]
    return [line for line in inside if line.strip() and not line.lstrip().startswith(b"#")]


def with_region(crontab: bytes, lines: list[bytes]) -> bytes:
    """Return the crontab with these lines as our region; without lines there is none."""
    new = b"\n".join([BEGIN, NOTE, *lines, END]) + b"\n" if lines else b""
    found = region(crontab)
    if found is not None:
        return crontab[: found[0]] + new + crontab[found[1] :]
    # A crontab must end with a line end, or its last line is not obeyed.
    between = b"\n" if crontab and not crontab.endswith(b"\n") and new else b""
    return crontab + between + new


def line_of(words: tuple[str, ...], variables: dict[str, str]) -> bytes:
    """Return the line that runs a program each minute with these variables.

    They stand in the line: a setting above it would hold for all lines of the user below.

    Raises:
        Refused: cron can't take it.
    """
    given = [f"{name}={value}" for name, value in variables.items()]
    command = " ".join(shlex.quote(word) for word in ("/usr/bin/env", *given, *words))
    if "\n" in command or "\0" in command:
        raise Refused("a path with a line end can't stand in a crontab")
    # cron takes a plain '%' for the end of the command.
    line = f"* * * * * {command}".replace("%", "\\%").encode("utf-8", "surrogateescape")
    if len(line) > LONGEST:
        hint = "install with a shorter PATH: PATH=/usr/local/bin:/usr/bin:/bin cuectl scheduler ..."
        raise Refused(f"the line for the crontab is longer than {LONGEST} bytes", hint=hint)
    return line


def pass_lines(crontab: bytes) -> list[PassLine]:
    """Return the lines that call `run-due`, ours and those that somebody wrote by hand."""
    try:
        ours = set(region_lines(crontab))
    except Conflict:
        ours = set()
    settings: dict[str, str] = {"PATH": CRON_PATH}
    found = []
    for raw in crontab.splitlines():
        line = raw.decode("utf-8", "surrogateescape")
        if line.lstrip().startswith("#"):
            continue
        setting = _SETTING.match(line)
        if setting:
            settings[setting[2]] = setting[3].strip("\"'")
            continue
        one = _pass_line(line, settings, in_region=raw in ours)
        if one is not None:
            found.append(one)
    return found


def _pass_line(line: str, settings: dict[str, str], *, in_region: bool) -> PassLine | None:
    when = _WHEN.match(line)
    if when is None or "run-due" not in line:
        return None
    try:
        words = shlex.split(when[1].replace("\\%", "%"))
    except ValueError:
        return None
    variables = dict(settings)
    words = words[1:] if words[0].rpartition("/")[2] == "env" else words
    while words and (given := _ASSIGNMENT.match(words[0])):
        variables[given[1]] = given[2]
        words = words[1:]
    if "run-due" not in words[1:]:
        return None
    return PassLine(text=line, words=tuple(words), variables=variables, in_region=in_region)
