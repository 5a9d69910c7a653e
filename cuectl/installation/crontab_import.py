"""From the lines of a crontab to cues, and to words about what has no counterpart."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from itertools import chain, count
from pwd import getpwall, getpwuid
from typing import TYPE_CHECKING

from cuectl.cues.create import create_cue
from cuectl.cues.rules.draft import CueDraft, yaml_lines
from cuectl.cues.rules.job_name import name_from_comment
from cuectl.cues.rules.new_cue import name_from_work, new_cue
from cuectl.cues.rules.record import Origin
from cuectl.definitions.in_force import definitions_now
from cuectl.definitions.rules.templates import PLACE
from cuectl.definitions.source_files import home_path
from cuectl.definitions.yaml_nodes import read_yaml
from cuectl.process.machine_zone import machine_zone
from cuectl.store import files
from cuectl.store.home import locate
from cuectl.store.paths import name_key
from cuectl.store.reading import open_reader
from cuectl.values.errors import Conflict, InvalidFile, Refused, UsageError
from cuectl.values.records import dataclass, field
from cuectl.values.times import NO_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cuectl.process.runtime import Runtime

_SETTING = re.compile(r"""\s*(["']?)([A-Za-z_][A-Za-z0-9_]*)\1\s*=\s*(.*?)\s*$""")
# A '-' in front of the minute keeps the cron of SUSE from logging.
_ENTRY = re.compile(r"\s*-?(@\w+|(?:\S+\s+){4}\S+)\s+(\S.*)$")
_DAY = "(?:sun|mon|tue|wed|thu|fri|sat)"
_FIELD = re.compile(rf"[\d*?][\d*/,?LW#-]*|{_DAY}(?:[-,]{_DAY})+", re.IGNORECASE)
_USER_COLUMN = re.compile(r"\s*#.*\buser(?:-?name)?\s+com+and", re.IGNORECASE)
_NOT_MAILED = "nothing is mailed; output is kept, and alerts report failures: cuectl help cue.yaml"
_NOTES = {
    "MAILTO": _NOT_MAILED,
    "MAILFROM": _NOT_MAILED,
    "RANDOM_DELAY": "not carried over; see: cuectl update --jitter",
}
_SHELLS = frozenset({"/bin/sh", "/usr/bin/sh", "sh", ""})
_OF_CRON = ("SHELL", "CRON_TZ", "RANDOM_DELAY", "LOGNAME")
_OWN = re.compile(r"\bcuectl\b.*\brun-due\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class CrontabEntry:
    """A line that becomes a cue."""

    line: int
    draft: CueDraft


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A line, or a part of one, that does not."""

    line: int
    text: str
    why: str


@dataclass(slots=True, kw_only=True)
class Imported:
    """A crontab as cues and the variables that they name; notes say what is different for them."""

    entries: list[CrontabEntry] = field(default_factory=list)
    environments: dict[str, dict[str, str]] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    notes: list[LeftOut] = field(default_factory=list)


class Import:
    """The reading of one crontab, line by line: settings hold for the lines below them.

    With a `user` it is one of the system, whose lines say who runs them. `known` are the sets of
    variables that are defined already, `default` the zone of new cues, which cron does not go by.
    """

    def __init__(
        self,
        *,
        home: str,
        zone: str,
        now: int,
        user: str | None = None,
        known: Mapping[str, dict[str, str]] | None = None,
        default: str | None = None,
    ) -> None:
        self.home = home
        self.zone = zone
        self.now = now
        self.user = user
        self.found = Imported()
        self._known = dict(known or {})
        self._zone = zone if default not in (None, zone) else None
        self._settings: dict[str, str] = {}
        self._names: set[str] = set()

    def read(self, text: str) -> Imported:
        """Return what the lines mean; bytes that are no UTF-8 come as surrogates."""
        comment = ""
        for number, line in enumerate(text.split("\n"), 1):
            stripped = line.strip()
            if stripped and not stripped.startswith("#"):
                self._line(number, stripped, comment)
            comment = stripped if stripped.startswith("#") else ""
        return self.found

    def _line(self, number: int, line: str, comment: str) -> None:
        setting, entry = _SETTING.match(line), _ENTRY.match(line)
        why: str | None = "it is not a crontab line"
        if not line.isprintable() and re.search("[\udc80-\udcff]", line):
            line = line.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            why = "it is not UTF-8"
        elif setting is not None:
            why = None
            self._setting(number, setting[2], setting[3])
        elif entry is not None:
            why = self._entry(number, entry[1], entry[2], comment)
        if why is not None:
            self.found.left_out.append(LeftOut(line=number, text=line, why=why))

    def _setting(self, number: int, name: str, value: str) -> None:
        why = _NOTES.get(name)
        before, hash_sign, _ = value.partition(" #")
        if hash_sign and name in ("SHELL", "CRON_TZ", "HOME"):
            why, value = "cron has no comments here; what follows '#' is dropped", before.rstrip()
        elif hash_sign:
            why = "cron has no comments here; what follows '#' is part of the value"
        self._settings[name] = value = _unquoted(value)
        if why is not None:
            self.found.notes.append(LeftOut(line=number, text=f"{name}={value}", why=why))

    def _entry(self, number: int, when: str, command: str, comment: str) -> str | None:
        if when[0] != "@" and _FIELD.fullmatch(command.split(maxsplit=1)[0]):
            return "it has six fields: there is none for seconds or years"
        user, *rest = command.split(None, 1) if self.user else (None, command)
        if user != self.user:
            return f"it runs as '{user}': import it as that user"
        shell, given = _split_input(rest[0] if rest else "")
        if why := self._obstacle(when, shell, given):
            return why
        draft = self._draft(when, shell, comment)
        try:
            new_cue(draft, cue_id="cue_x", now=self.now, zone=self.zone, origin=Origin())
        except UsageError as error:
            return error.message
        self._names.add(draft.name or "")
        if draft.environment is not None:
            self.found.environments[draft.environment] = self._known[draft.environment]
        self.found.entries.append(CrontabEntry(line=number, draft=draft))
        return None

    def _obstacle(self, when: str, shell: str, given: str | None) -> str | None:
        if when == "@reboot":
            return "@reboot: cuectl does not notice a boot"
        if when == "@every":
            return "'@every' is an interval, no time of cron: cuectl create --every"
        if _OWN.search(shell):
            return "it calls cuectl itself"
        if given is not None:
            return "text after '%' is standard input, which cues do not have"
        texts = " ".join((shell, *self._settings.values()))
        place = re.search(PLACE, texts)
        return f"it holds '{place[0]}', which cuectl would fill in" if place else None

    def _draft(self, when: str, shell: str, comment: str) -> CueDraft:
        name = name_from_comment(comment) or name_from_work(CueDraft(shell=shell))
        name = next(each for each in _numbered(name) if each not in self._names)
        user_shell, zone = self._settings.get("SHELL", ""), self._settings.get("CRON_TZ")
        plain = user_shell in _SHELLS
        return CueDraft(
            name=name,
            cron=when,
            timezone=(machine_zone({"TZ": zone}) or zone) if zone else self._zone,
            shell=shell if plain else None,
            argv=None if plain else (user_shell, "-c", shell),
            cwd=self._settings.get("HOME", self.home),
            environment=self._environment(),
            policy={"timeout_s": NO_LIMIT},
        )

    def _environment(self) -> str | None:
        """Return the name of the variables of a line: the same name for the same ones."""
        found = {name: text for name, text in self._settings.items() if name not in _OF_CRON}
        if not found:
            return None
        # '${NAME}' and '$$' are plain text in a crontab, and mean something in a cue.
        variables = {name: text.replace("$", "$$") for name, text in found.items()}
        names = _numbered("crontab")
        return next(each for each in names if self._known.setdefault(each, variables) == variables)


def _numbered(name: str) -> Iterator[str]:
    return chain((name,), (f"{name}-{number}" for number in count(2)))


def _unquoted(value: str) -> str:
    quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value


def _split_input(command: str) -> tuple[str, str | None]:
    """Return the command, and what stands behind its first plain '%', None without one."""
    parts = re.split(r"(?<!\\)%", command, maxsplit=1)
    plain = [part.replace("\\%", "%") for part in parts]
    return plain[0].rstrip(), plain[1] if len(plain) > 1 else None


def imported(runtime: Runtime, text: str, path: str, *, system: bool) -> Imported:
    """Return what a crontab of this user, or the system, means; nothing is changed.

    Raises UsageError: it names users, and is not read as one that does.
    """
    if not system and (line := _line_with_user(text, path)):
        message = f"line {line} has a column for the user, as crontabs of the system have it"
        hint = f"read it as one: cuectl import-crontab --system {shlex.quote(path)}"
        raise UsageError(message, hint=hint)
    in_force = definitions_now(open_reader(runtime.existing_store), runtime.home)
    known = in_force.definitions.environments.items()
    return Import(
        home=os.path.dirname(locate(None, {"HOME": runtime.environment.get("HOME", "")})),
        zone=runtime.zone,
        now=runtime.now(),
        user=getpwuid(os.geteuid()).pw_name if system else None,
        known={name: each.variables for name, each in known},
        default=in_force.settings.timezone,
    ).read(text)


def _line_with_user(text: str, path: str) -> int | None:
    """Return the first line that shows a column for the user, None in a user's own crontab."""
    lines = list(enumerate(text.split("\n"), 1))
    heads = [number for number, line in lines if _USER_COLUMN.match(line)]
    entries = [(n, _ENTRY.match(line)) for n, line in lines if not line.lstrip().startswith("#")]
    words = {number: entry[2].split() for number, entry in entries if entry}
    real = os.path.realpath(path)
    if real == "/etc/crontab" or os.path.dirname(real) == "/etc/cron.d":
        return min(words, default=None)
    known = {each.pw_name for each in getpwall()}
    users = {number: word[0] for number, word in words.items() if word[0] in known and word[1:]}
    users = {number: name for number, name in users.items() if not shutil.which(name)}
    # A user's job may start with a program such as 'mail', which is the name of a user too.
    if len(users) == len(words) or "root" in users.values():
        heads += users
    return min(heads, default=None)


def make_cues(runtime: Runtime, found: Imported, path: str) -> dict[int, str]:
    """Make the cues; return line to id. A taken name is left out; an error undoes nothing."""
    reader = open_reader(runtime.existing_store)
    new = [each.draft for each in found.entries if not reader.read(name_key(each.draft.name or ""))]
    used = {draft.environment for draft in new}
    _define(runtime, {name: each for name, each in found.environments.items() if name in used})
    made: dict[int, str] = {}
    for entry in found.entries:
        try:
            drafted = create_cue(runtime, entry.draft, Origin(kind="import", path=path or None))
        except Conflict as error:
            shown = entry.draft.shell or shlex.join(entry.draft.argv or ())
            found.left_out.append(LeftOut(line=entry.line, text=shown, why=error.message))
        else:
            made[entry.line] = drafted.cue.id
    return made


def _define(runtime: Runtime, environments: Mapping[str, dict[str, str]]) -> None:
    """Write sets of variables into the user's own `cue.yaml`, all else left as it stands."""
    path = os.path.realpath(home_path(runtime.store.home))
    data = files.read_file(path) or b""
    root, text = read_yaml(data, path), data.decode("utf-8-sig")
    wanted = {key: entry.value.value for key, entry in root.entries.items()}
    before = wanted.get("environments") or {}
    new = {name: each for name, each in environments.items() if name not in before}
    if not new:
        return
    wanted["environments"] = before | new
    key, *lines = yaml_lines({"environments": new}, 0)
    place = re.search(rf"^{key}[ \t]*(?:#.*)?\n", text, re.MULTILINE)
    at = place.end() if place else len(text)
    head = text[:at] if place else f"{text.rstrip()}\n{key}\n".lstrip()
    after = "\n".join((head.rstrip("\n"), *lines, text[at:]))
    try:
        fits = read_yaml(after, path).value == wanted
    except InvalidFile:
        fits = False
    if not fits:
        hint = f"add it yourself, then import again: {' '.join(lines)}"
        raise Refused(f"'{path}' is written so that the variables can't be added to it", hint=hint)
    files.replace_file(path, after.encode(), durable=True)


def command_of(draft: CueDraft) -> list[str]:
    """Return the words of the `create` that makes the same cue."""
    words = ["cuectl", "create", "--name", draft.name or "", "--cron", draft.cron or ""]
    words += ["--timezone", draft.timezone] if draft.timezone else []
    words += ["--cwd", draft.cwd] if draft.cwd else []
    words += ["--environment", draft.environment] if draft.environment else []
    words += ["--timeout", "none"]
    if draft.shell is not None:
        return [*words, "--shell", draft.shell]
    return [*words, "--", *(draft.argv or ())]
