"""From the lines of a crontab to drafts of cues, and to words about what has no counterpart."""

from __future__ import annotations

import re

from cuectl.model.cue import Origin
from cuectl.model.cue_draft import CueDraft, name_from_work, new_cue
from cuectl.model.errors import UsageError
from cuectl.model.values import dataclass, field

_SETTING = re.compile(r"""\s*(["']?)([A-Za-z_]\w*)\1\s*=\s*(.*?)\s*$""")
_ENTRY = re.compile(r"\s*(@\w+|(?:\S+\s+){4}\S+)\s+(\S.*)$")
_SHELLS = frozenset({"/bin/sh", "/usr/bin/sh", "sh"})
_OWN = re.compile(r"\bcuectl\b.*\brun-due\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
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
    """A crontab as cues.

    Attributes:
        notes: what is different for the cues that were made.
    """

    entries: list[Entry] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    notes: list[LeftOut] = field(default_factory=list)


class Import:
    """The reading of one crontab, line by line: settings hold for the lines below them."""

    def __init__(self, *, home: str, zone: str, now: int) -> None:
        self.home = home
        self.zone = zone
        self.now = now
        self.found = Imported()
        self._settings: dict[str, str] = {}
        self._names: dict[str, int] = {}

    def read(self, text: str) -> Imported:
        """Return what the lines of a user's crontab mean."""
        for number, line in enumerate(text.split("\n"), 1):
            stripped = line.strip()
            if stripped and not stripped.startswith("#"):
                self._line(number, line)
        return self.found

    def _line(self, number: int, line: str) -> None:
        setting = _SETTING.match(line)
        if setting is not None:
            self._setting(number, setting[2], _unquoted(setting[3]))
            return
        entry = _ENTRY.match(line)
        if entry is None:
            self._leave_out(number, line, "it is no line of a crontab")
        elif entry[1] == "@reboot":
            self._leave_out(number, line, "@reboot: cuectl is not told of a boot")
        elif _OWN.search(entry[2]):
            self._leave_out(number, line, "it calls cuectl itself")
        else:
            self._entry(number, line, entry[1], entry[2])

    def _setting(self, number: int, name: str, value: str) -> None:
        self._settings[name] = value
        if name in ("MAILTO", "MAILFROM"):
            why = "nothing is mailed; output is kept, and alerts tell of failures"
            self._note(number, f"{name}={value}", f"{why}: cuectl help cue.yaml")
        elif name == "RANDOM_DELAY":
            self._note(number, f"{name}={value}", "not carried over; see: cuectl update --jitter")

    def _entry(self, number: int, line: str, when: str, command: str) -> None:
        shell, given = _split_input(command)
        if given is not None:
            why = "what follows '%' is given to the command, and cues have no standard input"
            self._leave_out(number, line, why)
            return
        if "{{" in shell or any("{{" in text for text in self._settings.values()):
            self._leave_out(number, line, "it holds '{{', which cuectl would fill in")
            return
        user_shell = self._settings.get("SHELL", "/bin/sh")
        plain = user_shell in _SHELLS
        draft = CueDraft(
            name=self._name(shell),
            cron=when,
            timezone=self._settings.get("CRON_TZ"),
            shell=shell if plain else None,
            argv=None if plain else (user_shell, "-c", shell),
            cwd=self._settings.get("HOME", self.home),
            env=self._environment(),
        )
        try:
            new_cue(draft, cue_id="cue_x", now=self.now, zone=self.zone, origin=Origin())
        except UsageError as error:
            self._leave_out(number, line, error.message)
            return
        self.found.entries.append(Entry(line=number, draft=draft))

    def _name(self, shell: str) -> str:
        base = name_from_work(CueDraft(shell=shell))
        self._names[base] = count = self._names.get(base, 0) + 1
        return base if count == 1 else f"{base}-{count}"

    def _environment(self) -> dict[str, str] | None:
        own = ("MAILTO", "MAILFROM", "SHELL", "CRON_TZ", "RANDOM_DELAY", "LOGNAME")
        found = {name: text for name, text in self._settings.items() if name not in own}
        # '${NAME}' and '$$' are plain text in a crontab, and mean something in a cue.
        return {name: text.replace("$", "$$") for name, text in found.items()} or None

    def _leave_out(self, number: int, line: str, why: str) -> None:
        self.found.left_out.append(LeftOut(line=number, text=line.strip(), why=why))

    def _note(self, number: int, text: str, why: str) -> None:
        self.found.notes.append(LeftOut(line=number, text=text, why=why))


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value


def _split_input(command: str) -> tuple[str, str | None]:
    """Return the command, and what stands behind its first plain '%', None without one."""
    parts = re.split(r"(?<!\\)%", command, maxsplit=1)
    plain = [part.replace("\\%", "%") for part in parts]
    return plain[0].rstrip(), plain[1] if len(plain) > 1 else None
