"""The user's own service manager: a timer of systemd, or an agent of launchd on macOS."""

from __future__ import annotations

import os
import plistlib
import re
import shlex
from importlib import resources

from cuectl.installation.schedulers.scheduler import (
    Done,
    Installed,
    Run,
    Site,
    Step,
    Write,
    is_what,
    own_file,
    run_program,
)
from cuectl.store import files
from cuectl.values.errors import Refused

MARK = b"Written by 'cuectl scheduler install'"
_LONGEST = 1 << 20
_PLAIN = re.compile(r"[\w@+=:,./%-]+")
_COMMENT = b"""\
<!-- Written by 'cuectl scheduler install'; what you change in here is lost.
     launchd starts no job that still runs, so a pass goes on in a process of its own
     (detach), and AbandonProcessGroup keeps launchd from killing that one. -->
<plist """


class SystemdTimer:
    """A timer in the user's own systemd."""

    name = "systemd-timer"

    def __init__(self, site: Site) -> None:
        self.site = site
        self.unit = f"cuectl{site.suffix}"
        config = site.environment.get("XDG_CONFIG_HOME", "")
        if not config.startswith("/"):
            config = f"{site.user_home}/.config"
        self._timer = f"{self.unit}.timer"
        folder = f"{config}/systemd/user"
        self._files = (f"{folder}/{self.unit}.service", f"{folder}/{self._timer}")

    def unavailable(self) -> str | None:
        """Return why the user has no systemd here."""
        done = self._systemctl("show-environment")
        return f"no systemd of this user answers: {done.said}" if done.status else None

    def installed(self) -> Installed | None:
        """Return what our two files say, and what systemd makes of them."""
        service, timer = (files.read_file(path, _LONGEST) for path in self._files)
        if service is None or timer is None or MARK not in service:
            return None
        values = _values(service.decode("utf-8", "surrogateescape"))
        variables = dict(pair.partition("=")[::2] for pair in values.get("Environment", []))
        return Installed(
            scheduler=self.name,
            place=self._files[1],
            words=tuple(values.get("ExecStart", [])),
            path=variables.get("PATH", "/usr/bin:/bin"),
            is_current=is_what(self.units, (service, timer)),
            faults=tuple(self._faults()),
        )

    def installation(self) -> list[Step]:
        """Return the writing of the units, and the starting of the timer."""
        writes = self._writes(self.units())
        if not writes and self._systemctl("is-active", self._timer).status == 0:
            return []
        return [*writes, self._run("daemon-reload"), self._run("enable", "--now", self._timer)]

    def removal(self) -> list[Step]:
        """Return the end of the timer and of the units; drop-ins stay."""
        writes = self._writes((None, None))
        if not writes:
            return []
        stop = self._run("disable", "--now", self._timer, may_fail=True)
        return [stop, *writes, self._run("daemon-reload", may_fail=True)]

    def units(self) -> tuple[bytes, bytes]:
        """Return the texts of service and timer; Refused if a path can't stand in them."""
        given = [f"{name}={value}" for name, value in self.site.variables().items()]
        words = [*self.site.program(), "run-due", "--detach"]
        if any("\n" in word for word in (*given, *words)):
            raise Refused("a path with a line end can't stand in a unit of systemd")
        # With ':' systemd puts in no variables, so that a '$' in a path stays one.
        mark = ":" if any("$" in word for word in words) else ""
        values = {
            "name": self.unit,
            "home": self.site.home.replace("%", "%%"),
            "environment": " ".join(quoted(pair, always=True) for pair in given),
            "command": mark + " ".join(map(quoted, words)),
        }
        texts = (_template(kind).format(**values) for kind in ("service", "timer"))
        service, timer = (text.encode("utf-8", "surrogateescape") for text in texts)
        return service, timer

    def _writes(self, texts: tuple[bytes | None, bytes | None]) -> list[Step]:
        wanted = zip(self._files, texts, strict=True)
        writes = (Write(place=at, before=own_file(at, MARK), after=text) for at, text in wanted)
        return [one for one in writes if one.before != one.after]

    def _run(self, *words: str, may_fail: bool = False) -> Run:
        return Run(words=("systemctl", "--user", *words), may_fail=may_fail)

    def _systemctl(self, *words: str) -> Done:
        return run_program(("systemctl", "--user", *words), self.site.environment)

    def _faults(self) -> list[tuple[str, str]]:
        if self._systemctl("is-active", self._timer).status != 0:
            message = f"the timer '{self._timer}' is not active"
            return [(message, f"start it: systemctl --user enable --now {self._timer}")]
        faults = []
        shown = self._systemctl("show", "-p", "KillMode", "--value", f"{self.unit}.service")
        mode = shown.out.decode("utf-8", "replace").strip()
        if shown.status == 0 and mode not in ("process", "none"):
            message = f"'{self.unit}.service' has KillMode={mode}, which ends work that still runs"
            faults.append((message, f"look at: systemctl --user cat {self.unit}.service"))
        words = ("loginctl", "show-user", str(os.getuid()), "-p", "Linger", "--value")
        if run_program(words, self.site.environment).out.strip() == b"no":
            message = "the timers of this user stop when he logs out"
            faults.append((message, "let them go on: loginctl enable-linger"))
        return faults


def _template(kind: str) -> str:
    place = resources.files("cuectl.installation.schedulers") / f"cuectl.{kind}"
    return place.read_text(encoding="utf-8")


def quoted(word: str, *, always: bool = False) -> str:
    """Return a word as a unit file has it: `%` is doubled, blanks stand in quotes."""
    if _PLAIN.fullmatch(word) and word.isascii() and not always:
        return word.replace("%", "%%")
    safe = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{safe}"'


def _values(unit: str) -> dict[str, list[str]]:
    found = {}
    for line in unit.splitlines():
        key, equals, value = line.partition("=")
        if equals and key in ("Environment", "ExecStart"):
            words = shlex.split(value.removeprefix(":"))
            found[key] = [word.replace("%%", "%") for word in words]
    return found


class Launchd:
    """An agent in the user's own launchd."""

    name = "launchd"

    def __init__(self, site: Site) -> None:
        self.site = site
        self.label = f"cuectl.run-due{site.suffix}"
        self._file = f"{site.user_home}/Library/LaunchAgents/{self.label}.plist"
        self._domain = f"gui/{os.getuid()}"

    def unavailable(self) -> str | None:
        """Return why there is no launchd."""
        done = run_program(("launchctl", "version"), self.site.environment)
        return f"no launchd answers: {done.said}" if done.status else None

    def installed(self) -> Installed | None:
        """Return what our file says."""
        found = files.read_file(self._file, _LONGEST)
        if found is None or MARK not in found:
            return None
        try:
            job = plistlib.loads(found)
        except (plistlib.InvalidFileException, ValueError):
            job = {}
        hint = f"load it: launchctl bootstrap {self._domain} {self._file}"
        fault = (f"launchd has not loaded '{self.label}'", hint)
        return Installed(
            scheduler=self.name,
            place=self._file,
            words=tuple(job.get("ProgramArguments", ())),
            path=str(job.get("EnvironmentVariables", {}).get("PATH", "/usr/bin:/bin")),
            is_current=is_what(self.agent, found),
            faults=() if self._is_loaded() else (fault,),
        )

    def installation(self) -> list[Step]:
        """Return the writing of the agent, and its loading."""
        before, after = own_file(self._file, MARK), self.agent()
        loaded = self._is_loaded()
        if before == after and loaded:
            return []
        write = Write(place=self._file, before=before, after=after)
        load = Run(words=("launchctl", "bootstrap", self._domain, self._file))
        unload = [self._unload()] if loaded else []
        return [*unload, *([write] if before != after else []), load]

    def removal(self) -> list[Step]:
        """Return the unloading of the agent, and its end."""
        before = own_file(self._file, MARK)
        if before is None:
            return []
        return [self._unload(), Write(place=self._file, before=before, after=None)]

    def _is_loaded(self) -> bool:
        words = ("launchctl", "print", f"{self._domain}/{self.label}")
        return run_program(words, self.site.environment).status == 0

    def _unload(self) -> Run:
        return Run(words=("launchctl", "bootout", f"{self._domain}/{self.label}"), may_fail=True)

    def agent(self) -> bytes:
        """Return the text of the agent."""
        job = {
            "Label": self.label,
            "ProgramArguments": [*self.site.program(), "run-due", "--detach"],
            "EnvironmentVariables": self.site.variables(),
            "StartInterval": 60,
            "RunAtLoad": True,
            "ProcessType": "Background",
            "AbandonProcessGroup": True,
        }
        return plistlib.dumps(job, sort_keys=False).replace(b"<plist ", _COMMENT, 1)
