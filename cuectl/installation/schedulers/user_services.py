"""The user's own service manager: a timer of systemd, or an agent of launchd on macOS."""

from __future__ import annotations

import os
import plistlib
import re
import shlex
from importlib import resources

from cuectl.installation.schedulers.scheduler import (
    WATCH,
    WATCH_EVERY,
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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

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
        self.unit, self._watch = f"cuectl{site.suffix}", f"cuectl-watch{site.suffix}"
        config = site.environment.get("XDG_CONFIG_HOME", "")
        if not config.startswith("/"):
            config = f"{site.user_home}/.config"
        self._folder = f"{config}/systemd/user"

    def _files(self, unit: str) -> tuple[str, str]:
        return f"{self._folder}/{unit}.service", f"{self._folder}/{unit}.timer"

    def _found(self, unit: str) -> tuple[bytes | None, bytes | None]:
        service, timer = (files.read_file(path, _LONGEST) for path in self._files(unit))
        return service, timer

    @property
    def _is_watched(self) -> bool:
        service, timer = self._found(self._watch)
        return service is not None and timer is not None and MARK in service

    def _units(self, *, watch: bool) -> list[str]:
        return [self.unit, self._watch] if watch else [self.unit]

    def unavailable(self) -> str | None:
        """Return why the user has no systemd here."""
        done = self._systemctl("show-environment")
        return f"no systemd of this user answers: {done.said}" if done.status else None

    def installed(self) -> Installed | None:
        """Return what our files say, and what systemd makes of them."""
        service, timer = self._found(self.unit)
        if service is None or timer is None or MARK not in service:
            return None
        watched = self._is_watched
        units = self._units(watch=watched)
        values = _values(service.decode("utf-8", "surrogateescape"))
        variables = dict(pair.partition("=")[::2] for pair in values.get("Environment", []))
        return Installed(
            scheduler=self.name,
            place=self._files(self.unit)[1],
            words=tuple(values.get("ExecStart", [])),
            path=variables.get("PATH", "/usr/bin:/bin"),
            is_current=is_what(lambda: [*map(self.texts, units)], [*map(self._found, units)]),
            is_watched=watched,
            faults=tuple(self._faults(units)),
        )

    def installation(self, *, watch: bool = False) -> list[Step]:
        """Return the writing of the units, and the starting of the timers; a watch stays."""
        units = self._units(watch=watch or self._is_watched)
        writes = [step for unit in units for step in self._writes(unit, self.texts(unit))]
        timers = [f"{unit}.timer" for unit in units]
        if not writes and not any(self._systemctl("is-active", one).status for one in timers):
            return []
        return [
            *writes,
            self._run("daemon-reload"),
            *(self._run("enable", "--now", one) for one in timers),
        ]

    def removal(self) -> list[Step]:
        """Return the end of the timers and of the units; drop-ins stay."""
        steps: list[Step] = []
        for unit in self._units(watch=self._is_watched):
            if writes := self._writes(unit, (None, None)):
                stop = self._run("disable", "--now", f"{unit}.timer", may_fail=True)
                steps += [stop, *writes]
        return [*steps, self._run("daemon-reload", may_fail=True)] if steps else []

    def texts(self, unit: str) -> tuple[bytes, bytes]:
        """Return the texts of service and timer; Refused if a path can't stand in them."""
        given = [f"{name}={value}" for name, value in self.site.variables().items()]
        is_watch = unit == self._watch
        words = [*self.site.program(), *(WATCH if is_watch else ("run-due", "--detach"))]
        if any("\n" in word for word in (*given, *words)):
            raise Refused("a path with a line end can't stand in a unit of systemd")
        # With ':' systemd puts in no variables, so that a '$' in a path stays one.
        mark = ":" if any("$" in word for word in words) else ""
        values = {
            "name": unit,
            "minutes": f"*:{WATCH_EVERY // 2:02d}/{WATCH_EVERY}",
            "home": self.site.home.replace("%", "%%"),
            "environment": " ".join(quoted(pair, always=True) for pair in given),
            "command": mark + " ".join(map(quoted, words)),
        }
        kinds = ("watch.service", "watch.timer") if is_watch else ("service", "timer")
        texts = (template(kind).format(**values) for kind in kinds)
        service, timer = (text.encode("utf-8", "surrogateescape") for text in texts)
        return service, timer

    def _writes(self, unit: str, texts: tuple[bytes | None, bytes | None]) -> list[Step]:
        wanted = zip(self._files(unit), texts, strict=True)
        writes = (Write(place=at, before=own_file(at, MARK), after=text) for at, text in wanted)
        return [one for one in writes if one.before != one.after]

    def _run(self, *words: str, may_fail: bool = False) -> Run:
        return Run(words=("systemctl", "--user", *words), may_fail=may_fail)

    def _systemctl(self, *words: str) -> Done:
        return run_program(("systemctl", "--user", *words), self.site.environment)

    def _faults(self, units: list[str]) -> list[tuple[str, str]]:
        for timer in (f"{unit}.timer" for unit in units):
            if self._systemctl("is-active", timer).status != 0:
                message = f"the timer '{timer}' is not active"
                return [(message, f"start it: systemctl --user enable --now {timer}")]
        faults = []
        shown = self._systemctl("show", "-p", "KillMode", "--value", f"{self.unit}.service")
        mode = shown.out.decode("utf-8", "replace").strip()
        if shown.status == 0 and mode not in ("process", "none"):
            message = f"'{self.unit}.service' has KillMode={mode}, which kills running work"
            faults.append((message, f"look at: systemctl --user cat {self.unit}.service"))
        words = ("loginctl", "show-user", str(os.getuid()), "-p", "Linger", "--value")
        if run_program(words, self.site.environment).out.strip() == b"no":
            message = "the timers of this user stop at logout"
            faults.append((message, "keep them running: loginctl enable-linger"))
        return faults


def template(kind: str) -> str:
    """Return the text of a unit with places for what differs; `service`, `timer`, ..."""
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
        self.label, self._watch = (f"cuectl.{one}{site.suffix}" for one in ("run-due", "watch"))
        self._domain = f"gui/{os.getuid()}"

    def _file(self, label: str) -> str:
        return f"{self.site.user_home}/Library/LaunchAgents/{label}.plist"

    def _found(self, label: str) -> bytes | None:
        found = files.read_file(self._file(label), _LONGEST)
        return found if found is not None and MARK in found else None

    def _labels(self, *, watch: bool) -> list[str]:
        watch = watch or self._found(self._watch) is not None
        return [self.label, self._watch] if watch else [self.label]

    def unavailable(self) -> str | None:
        """Return why there is no launchd."""
        done = run_program(("launchctl", "version"), self.site.environment)
        return f"no launchd answers: {done.said}" if done.status else None

    def installed(self) -> Installed | None:
        """Return what our files say."""
        found = self._found(self.label)
        if found is None:
            return None
        try:
            job = plistlib.loads(found)
        except (plistlib.InvalidFileException, ValueError):
            job = {}
        labels = self._labels(watch=False)
        return Installed(
            scheduler=self.name,
            place=self._file(self.label),
            words=tuple(job.get("ProgramArguments", ())),
            path=str(job.get("EnvironmentVariables", {}).get("PATH", "/usr/bin:/bin")),
            is_current=is_what(lambda: [*map(self.agent, labels)], [*map(self._found, labels)]),
            is_watched=len(labels) > 1,
            faults=tuple(self._faults(labels)),
        )

    def _faults(self, labels: list[str]) -> Iterator[tuple[str, str]]:
        for label in labels:
            if not self._is_loaded(label):
                hint = f"load it: launchctl bootstrap {self._domain} {self._file(label)}"
                yield f"launchd has not loaded '{label}'", hint

    def installation(self, *, watch: bool = False) -> list[Step]:
        """Return the writing of the agents, and their loading; a watch that is there stays."""
        steps: list[Step] = []
        for label in self._labels(watch=watch):
            path, after = self._file(label), self.agent(label)
            before, loaded = own_file(path, MARK), self._is_loaded(label)
            if before == after and loaded:
                continue
            write = Write(place=path, before=before, after=after)
            load = Run(words=("launchctl", "bootstrap", self._domain, path))
            unload = [self._unload(label)] if loaded else []
            steps += [*unload, *([write] if before != after else []), load]
        return steps

    def removal(self) -> list[Step]:
        """Return the unloading of the agents, and their end."""
        steps: list[Step] = []
        for label in self._labels(watch=False):
            before = own_file(self._file(label), MARK)
            if before is not None:
                end = Write(place=self._file(label), before=before, after=None)
                steps += [self._unload(label), end]
        return steps

    def _is_loaded(self, label: str) -> bool:
        words = ("launchctl", "print", f"{self._domain}/{label}")
        return run_program(words, self.site.environment).status == 0

    def _unload(self, label: str) -> Run:
        return Run(words=("launchctl", "bootout", f"{self._domain}/{label}"), may_fail=True)

    def agent(self, label: str) -> bytes:
        """Return the text of an agent."""
        is_watch = label == self._watch
        job = {
            "Label": label,
            "ProgramArguments": [
                *self.site.program(),
                *(WATCH if is_watch else ("run-due", "--detach")),
            ],
            "EnvironmentVariables": self.site.variables(),
            "StartInterval": 60 * WATCH_EVERY if is_watch else 60,
            "RunAtLoad": True,
            "ProcessType": "Background",
            "AbandonProcessGroup": True,
        }
        return plistlib.dumps(job, sort_keys=False).replace(b"<plist ", _COMMENT, 1)
