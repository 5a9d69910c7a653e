"""cron: a line for each state directory in a marked region; the rest stays, byte for byte."""

from __future__ import annotations

import re
import shlex
import shutil

from cuectl.installation.schedulers.scheduler import (
    NOT_THERE,
    WATCH,
    WATCH_EVERY,
    Installed,
    Site,
    Step,
    Write,
    is_what,
    run_program,
)
from cuectl.values.errors import Conflict, CuectlError, Refused
from cuectl.values.records import dataclass, field

BEGIN, END = b"# BEGIN CUECTL", b"# END CUECTL"
NOTE = b"# 'cuectl scheduler remove' takes this out; what you change in here is lost."
CRON_PATH = "/usr/bin:/bin"
LONGEST = 990

_SETTING = re.compile(r"""\s*(["']?)([A-Za-z_]\w*)\1\s*=\s*(.*?)\s*$""", re.DOTALL)
_WHEN = re.compile(r"\s*(?:@\w+|(?:\S+\s+){4}\S+)\s+(.*)$", re.DOTALL)
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)$", re.DOTALL)
_NOTHING_YET = "no crontab for"


@dataclass(frozen=True, slots=True, kw_only=True)
class PassLine:
    """A line that calls `run-due`, or watches that; `in_region` if it is ours.

    `variables` are those in force there.
    """

    text: str
    words: tuple[str, ...]
    variables: dict[str, str] = field(default_factory=dict)
    in_region: bool = False

    @property
    def is_watch(self) -> bool:
        """Whether it only watches."""
        return "run-due" not in self.words


def region(crontab: bytes) -> tuple[int, int] | None:
    """Return where our region starts and ends, line end included; Conflict for stray markers."""
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
        raise Conflict(message, hint="fix or remove them with: crontab -e")
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


def line_of(words: tuple[str, ...], variables: dict[str, str], when: str = "*") -> bytes:
    """Return the line for some minutes; variables above it would hold for all lines below."""
    given = [f"{name}={value}" for name, value in variables.items()]
    command = " ".join(shlex.quote(word) for word in ("/usr/bin/env", *given, *words))
    if "\n" in command or "\0" in command:
        raise Refused("a path with a line end can't stand in a crontab")
    # cron takes a plain '%' for the end of the command.
    line = f"{when} * * * * {command}".replace("%", "\\%").encode("utf-8", "surrogateescape")
    if len(line) > LONGEST:
        hint = "install with a shorter PATH: PATH=/usr/local/bin:/usr/bin:/bin cuectl scheduler ..."
        raise Refused(f"the line for the crontab is longer than {LONGEST} bytes", hint=hint)
    return line


def pass_lines(crontab: bytes) -> list[PassLine]:
    """Return the lines that call `run-due` or watch it, ours and those written by hand."""
    try:
        ours = set(region_lines(crontab))
    except Conflict:
        ours = set()
    settings = {"PATH": CRON_PATH}
    found = []
    for raw in crontab.splitlines():
        line = raw.decode("utf-8", "surrogateescape")
        if line.lstrip().startswith("#"):
            continue
        if setting := _SETTING.match(line):
            settings[setting[2]] = setting[3].strip("\"'")
        elif one := _pass_line(line, settings, in_region=raw in ours):
            found.append(one)
    return found


def _pass_line(line: str, settings: dict[str, str], *, in_region: bool) -> PassLine | None:
    when = _WHEN.match(line)
    try:
        words = shlex.split(when[1].replace("\\%", "%")) if when else []
    except ValueError:
        return None
    variables = dict(settings)
    words = words[1:] if words and words[0].rpartition("/")[2] == "env" else words
    while words and (given := _ASSIGNMENT.match(words[0])):
        variables[given[1]] = given[2]
        words = words[1:]
    if "run-due" not in words[1:] and tuple(words[-len(WATCH) :]) != WATCH:
        return None
    return PassLine(text=line, words=tuple(words), variables=variables, in_region=in_region)


class Crontab:
    """The crontab of the user."""

    name = "crontab"

    def __init__(self, site: Site) -> None:
        self.site = site

    def unavailable(self) -> str | None:
        """Return why there is no cron for us."""
        if shutil.which("crontab", path=self.site.environment.get("PATH", "")) is None:
            return "there is no 'crontab' on the PATH"
        try:
            self.read()
        except CuectlError as error:
            return error.message
        return None

    def read(self) -> bytes | None:
        """Return the crontab, None when the user has none. Raises CuectlError: it can't be read."""
        done = run_program(("crontab", "-l"), self.site.environment)
        if done.status == 0:
            return done.out
        if done.status != NOT_THERE and _NOTHING_YET in done.said:
            return None
        raise CuectlError(f"the crontab can't be read: {done.said or done.status}")

    def installed(self) -> Installed | None:
        """Return the line for this state directory: ours, else one written by hand."""
        mine = self._mine(self.read() or b"")
        passes = [one for one in mine if not one.is_watch]
        if not passes:
            return None
        line = max(passes, key=lambda one: one.in_region)
        watches = [raw_line(one) for one in mine if one.is_watch and one.in_region]
        ours = [raw_line(line), *watches] if line.in_region else []
        return Installed(
            scheduler=self.name,
            place="crontab",
            words=line.words,
            path=line.variables["PATH"],
            by_hand=not line.in_region,
            is_current=not ours or is_what(lambda: self._lines(watch=bool(watches)), ours),
            is_watched=bool(watches),
        )

    def _mine(self, crontab: bytes) -> list[PassLine]:
        usual = f"{self.site.user_home}/.cue"
        lines = pass_lines(crontab)
        return [one for one in lines if one.variables.get("CUECTL_HOME", usual) == self.site.home]

    def _lines(self, *, watch: bool) -> list[bytes]:
        program, variables = self.site.program(), self.site.variables()
        lines = [line_of((*program, "run-due"), variables)]
        if watch:
            # Not at the minutes at which other things are called.
            when = f"{WATCH_EVERY // 2}-59/{WATCH_EVERY}"
            lines.append(line_of((*program, *WATCH), variables, when))
        return lines

    def installation(self, *, watch: bool = False) -> list[Step]:
        """Return the writing of the crontab with our lines in it; a watch that is there stays."""
        before = self.read()
        watch = watch or any(one.is_watch and one.in_region for one in self._mine(before or b""))
        return self._change(before, [*self._others(before or b""), *self._lines(watch=watch)])

    def removal(self) -> list[Step]:
        """Return the writing of the crontab without our lines."""
        before = self.read()
        return self._change(before, self._others(before or b""))

    def _others(self, crontab: bytes) -> list[bytes]:
        mine = {raw_line(one) for one in self._mine(crontab) if one.in_region}
        return [line for line in region_lines(crontab) if line not in mine]

    def _change(self, before: bytes | None, lines: list[bytes]) -> list[Step]:
        after = with_region(before or b"", lines)
        if after == (before or b""):
            return []
        through = ("crontab", "-" if after else "-r")
        return [Write(place="crontab", before=before, after=after or None, through=through)]


def raw_line(line: PassLine) -> bytes:
    """Return a line as it is in the crontab."""
    return line.text.encode("utf-8", "surrogateescape")
