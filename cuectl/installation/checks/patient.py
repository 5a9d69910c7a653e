"""What the checks look at, each part read once when it is asked for."""

from __future__ import annotations

import os
from functools import cached_property

from cuectl.cues.lookup import all_cues
from cuectl.definitions.in_force import NOTHING, InForce, definitions_now
from cuectl.installation.open_work import SchedulerHealth, scheduler_health
from cuectl.installation.schedulers import find_installed
from cuectl.installation.schedulers.scheduler import Installed, Site
from cuectl.store import home as home_directory
from cuectl.store.handler_files import read_env_file
from cuectl.store.pass_files import noted_environment
from cuectl.store.reading import ALL_HOURS, Reader, open_reader
from cuectl.values.errors import CuectlError
from cuectl.values.records import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cuectl.cues.rules.record import Cue
    from cuectl.process.runtime import Runtime

_GIVEN_BY_SCHEDULERS = ("HOME", "LOGNAME", "USER", "SHELL")


@dataclass(frozen=True, kw_only=True)
class Patient:
    """One state directory and its surroundings."""

    runtime: Runtime

    @property
    def home(self) -> str:
        """The state directory."""
        return self.runtime.home

    @cached_property
    def is_usable(self) -> bool:
        """Whether there is a state directory that a command would work on."""
        try:
            return home_directory.check(self.home)
        except (CuectlError, OSError):
            return False

    @cached_property
    def reader(self) -> Reader:
        """What the store says; as of an empty one where there is none to be used."""
        store = self.runtime.existing_store if self.is_usable else None
        return open_reader(store, last_hour=ALL_HOURS)

    @cached_property
    def in_force(self) -> InForce:
        """The definitions."""
        return definitions_now(self.reader, self.home) if self.is_usable else NOTHING

    @cached_property
    def cues(self) -> list[Cue]:
        """All cues."""
        return [cue for cue, _ in all_cues(self.reader)]

    @cached_property
    def health(self) -> SchedulerHealth:
        """When passes were seen."""
        never = SchedulerHealth(last_pass_at=None)
        return scheduler_health(self.home) if self.is_usable else never

    @cached_property
    def installed(self) -> list[Installed]:
        """What calls `run-due`, as far as it is known."""
        return find_installed(Site(home=self.home, environment=self.runtime.environment))

    @property
    def pass_path(self) -> str:
        """The PATH that handlers get: the scheduler's, with ours at its end.

        As it is installed; where nothing known is, as its newest pass has noted it.
        """
        one = next(iter(self.installed), None)
        if one is None:
            noted = noted_environment(self.home) if self.is_usable else None
            return (noted or self.runtime.environment).get("PATH", os.defpath)
        own = os.path.dirname(next((word for word in one.words if "cuectl" in word), ""))
        return f"{one.path}{os.pathsep}{own}" if own else one.path

    @cached_property
    def pass_environment(self) -> Mapping[str, str]:
        """The variables that `${NAME}` can mean in a pass: the file `env` and the scheduler's."""
        file, here = read_env_file(self.home), self.runtime.environment
        if not self.installed:
            return {**file, **here}
        given = {name: here[name] for name in _GIVEN_BY_SCHEDULERS if name in here}
        return {**file, **given, "PATH": self.pass_path, "CUECTL_HOME": self.home}
