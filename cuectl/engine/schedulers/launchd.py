"""launchd: an agent of the user, for macOS."""

from __future__ import annotations

import os

from cuectl.engine.schedulers.programs import run_program
from cuectl.engine.schedulers.scheduler import Installed, Run, Site, Step, Write, is_what, own_file
from cuectl.store import files

MARK = b"Written by 'cuectl scheduler install'"
_COMMENT = b"""\
<!-- Written by 'cuectl scheduler install'; what you change in here is lost.
     launchd starts no job that still runs, so a pass goes on in a process of its own
     (detach), and AbandonProcessGroup keeps launchd from killing that one. -->
<plist """


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
        import plistlib

        found = files.read_file(self._file, 1 << 20)
        if found is None or MARK not in found:
            return None
        try:
            job = plistlib.loads(found)
        except (plistlib.InvalidFileException, ValueError):
            job = {}
        faults = []
        if run_program(self._print, self.site.environment).status != 0:
            hint = f"load it: launchctl bootstrap {self._domain} {self._file}"
            faults.append((f"launchd has not loaded '{self.label}'", hint))
        return Installed(
            scheduler=self.name,
            place=self._file,
            words=tuple(job.get("ProgramArguments", ())),
            path=str(job.get("EnvironmentVariables", {}).get("PATH", "/usr/bin:/bin")),
            is_current=is_what(self.agent, found),
            faults=tuple(faults),
        )

    def installation(self) -> list[Step]:
        """Return the writing of the agent, and its loading."""
        before, after = own_file(self._file, MARK), self.agent()
        loaded = run_program(self._print, self.site.environment).status == 0
        if before == after and loaded:
            return []
        steps: list[Step] = [self._unload()] if loaded else []
        if before != after:
            steps.append(Write(place=self._file, before=before, after=after))
        return [*steps, Run(words=("launchctl", "bootstrap", self._domain, self._file))]

    def removal(self) -> list[Step]:
        """Return the unloading of the agent, and its end."""
        before = own_file(self._file, MARK)
        if before is None:
            return []
        return [self._unload(), Write(place=self._file, before=before, after=None)]

    @property
    def _print(self) -> tuple[str, ...]:
        return ("launchctl", "print", f"{self._domain}/{self.label}")

    def _unload(self) -> Run:
        words = ("launchctl", "bootout", f"{self._domain}/{self.label}")
        return Run(words=words, may_fail=True)

    def agent(self) -> bytes:
        """Return the text of the agent."""
        import plistlib

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
