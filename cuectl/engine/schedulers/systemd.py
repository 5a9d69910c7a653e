"""systemd: a timer of the user, and the service that it starts."""

from __future__ import annotations

import os
import re
import shlex

from cuectl.engine.schedulers.programs import run_program
from cuectl.engine.schedulers.scheduler import (
    Installed,
    Run,
    Site,
    Step,
    Write,
    is_what,
    own_file,
)
from cuectl.model.errors import Refused
from cuectl.store import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.engine.schedulers.programs import Done

MARK = b"# Written by 'cuectl scheduler install'"
_PLAIN = re.compile(r"[\w@+=:,./%-]+")

_SERVICE = """\
# Written by 'cuectl scheduler install'; what you change in here is lost.
# Your own settings go into a drop-in, which stays: systemctl --user edit {name}.service

[Unit]
Description=cuectl: run what is due in {home}
Documentation=man:cuectl-run-due(1)

[Service]
Type=oneshot
Environment={environment}
# systemd starts no unit that still runs. A pass that waited for its work would keep all other
# work waiting, so it claims what is due and goes on in a process of its own.
ExecStart={command}
# That process, and the work itself, stay in the control group of this service. With the default
# (control-group) systemd would kill them as soon as the first process has ended.
KillMode=process
"""

_TIMER = """\
# Written by 'cuectl scheduler install'; what you change in here is lost.
# Your own settings go into a drop-in, which stays: systemctl --user edit {name}.timer

[Unit]
Description=cuectl: look each minute what is due in {home}
Documentation=man:cuectl-run-due(1)

[Timer]
OnCalendar=minutely
# Not Persistent: the first pass after a break catches up by itself.
AccuracySec=1s

[Install]
WantedBy=timers.target
"""


class SystemdTimer:
    """A timer in the user's own systemd."""

    name = "systemd-timer"

    def __init__(self, site: Site) -> None:
        self.site = site
        self.unit = f"cuectl{site.suffix}"
        config = site.environment.get("XDG_CONFIG_HOME", "")
        if not config.startswith("/"):
            config = f"{site.user_home}/.config"
        self._folder = f"{config}/systemd/user"

    def unavailable(self) -> str | None:
        """Return why the user has no systemd here."""
        done = self._systemctl("show-environment")
        return f"no systemd of this user answers: {done.said}" if done.status else None

    def installed(self) -> Installed | None:
        """Return what our two files say, and what systemd makes of them."""
        service = files.read_file(self._service, 1 << 20)
        timer = files.read_file(self._timer, 1 << 20)
        if service is None or timer is None or MARK not in service:
            return None
        values = _values(service.decode("utf-8", "surrogateescape"))
        variables = dict(pair.partition("=")[::2] for pair in values.get("Environment", []))
        return Installed(
            scheduler=self.name,
            place=self._timer,
            words=tuple(values.get("ExecStart", [])),
            path=variables.get("PATH", "/usr/bin:/bin"),
            is_current=is_what(self.units, (service, timer)),
            faults=tuple(self._faults()),
        )

    def installation(self) -> list[Step]:
        """Return the writing of the units, and the starting of the timer."""
        service, timer = self.units()
        writes = self._writes(service, timer)
        if not writes and self._systemctl("is-active", f"{self.unit}.timer").status == 0:
            return []
        start = ("systemctl", "--user", "enable", "--now", f"{self.unit}.timer")
        return [*writes, Run(words=("systemctl", "--user", "daemon-reload")), Run(words=start)]

    def removal(self) -> list[Step]:
        """Return the end of the timer and of the units; drop-ins stay."""
        writes = self._writes(None, None)
        if not writes:
            return []
        stop = ("systemctl", "--user", "disable", "--now", f"{self.unit}.timer")
        reload = Run(words=("systemctl", "--user", "daemon-reload"), may_fail=True)
        return [Run(words=stop, may_fail=True), *writes, reload]

    def units(self) -> tuple[bytes, bytes]:
        """Return the texts of the service and of the timer.

        Raises:
            Refused: a path can't stand in them.
        """
        given = [f"{name}={value}" for name, value in self.site.variables().items()]
        words = [*self.site.program(), "run-due", "--detach"]
        if any("\n" in word for word in (*given, *words)):
            raise Refused("a path with a line end can't stand in a unit of systemd")
        values = {
            "name": self.unit,
            "home": self.site.home.replace("%", "%%"),
            "environment": " ".join(quoted(pair, always=True) for pair in given),
            "command": _command(words),
        }
        service, timer = _SERVICE.format(**values), _TIMER.format(**values)
        return (
            service.encode("utf-8", "surrogateescape"),
            timer.encode("utf-8", "surrogateescape"),
        )

    @property
    def _service(self) -> str:
        return f"{self._folder}/{self.unit}.service"

    @property
    def _timer(self) -> str:
        return f"{self._folder}/{self.unit}.timer"

    def _writes(self, service: bytes | None, timer: bytes | None) -> list[Step]:
        wanted = ((self._service, service), (self._timer, timer))
        found = [(path, own_file(path, MARK), text) for path, text in wanted]
        return [
            Write(place=path, before=before, after=after)
            for path, before, after in found
            if before != after
        ]

    def _systemctl(self, *words: str) -> Done:
        return run_program(("systemctl", "--user", *words), self.site.environment)

    def _faults(self) -> list[tuple[str, str]]:
        """Return why the timer does not do its work."""
        if self._systemctl("is-active", f"{self.unit}.timer").status != 0:
            message = f"the timer '{self.unit}.timer' is not active"
            return [(message, f"start it: systemctl --user enable --now {self.unit}.timer")]
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


def _command(words: list[str]) -> str:
    # With ':' systemd puts in no variables, so that a '$' in a path stays one.
    mark = ":" if any("$" in word for word in words) else ""
    return mark + " ".join(quoted(word) for word in words)


def quoted(word: str, *, always: bool = False) -> str:
    """Return a word as a unit file has it: `%` is doubled, blanks stand in quotes."""
    if _PLAIN.fullmatch(word) and word.isascii() and not always:
        return word.replace("%", "%%")
    safe = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{safe}"'


def _values(unit: str) -> dict[str, list[str]]:
    """Return the words of each setting that we have written."""
    found = {}
    for line in unit.splitlines():
        key, equals, value = line.partition("=")
        if equals and key in ("Environment", "ExecStart"):
            words = shlex.split(value.removeprefix(":"))
            found[key] = [word.replace("%%", "%") for word in words]
    return found
