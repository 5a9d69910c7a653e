"""What all parts of a pass share: definitions, environment, secrets, the way to speak."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from cuectl.engine.alerts import sink_keys
from cuectl.engine.handler_start import Surroundings
from cuectl.engine.settling import Settling
from cuectl.model.masking import Masker
from cuectl.model.values import dataclass, replace
from cuectl.store.env_file import read_env_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.engine.definitions_in_force import InForce
    from cuectl.engine.runtime import Runtime

_LONGEST_LINE = 600


@dataclass(slots=True, kw_only=True)
class Context:
    """The surroundings of one pass.

    Attributes:
        masker: None when no secrets are declared.
        tell: prints a line for people on the standard error.
        clock_offset_ms: how far CUECTL_NOW is from the machine's clock.
    """

    home: str
    pass_id: str | None
    boot: str
    in_force: InForce
    around: Surroundings
    masker: Masker | None
    random: Callable[[int], bytes]
    tell: Callable[[str], None]
    clock_offset_ms: int
    worker: str | None

    def settling(self, now: int) -> Settling:
        """Return what one change needs."""
        return Settling(
            now=now,
            random=self.random,
            pass_id=self.pass_id,
            boot=self.boot,
            masked=self.masker.mask if self.masker else str,
            mask_json=self.masker.mask_json if self.masker else _as_it_is,
            in_force=self.in_force,
            worker=self.worker,
            offset_of=self.around.offset_minutes,
            sinks_of=lambda names: sink_keys(names, self.in_force.alerts),
        )

    def take_definitions(self, in_force: InForce, runtime: Runtime) -> None:
        """Go on with these definitions: a worker that stays sees what others apply."""
        if in_force != self.in_force:
            self.in_force = in_force
            fresh = surroundings(runtime, in_force, self.worker)
            self.around = replace(fresh, interface=self.around.interface)
            self.masker = masker_of(self.around, in_force)


def context_of(
    runtime: Runtime, in_force: InForce, worker: str | None, pass_id: str | None
) -> Context:
    """Return the surroundings of a pass, or of a command that settles something (no pass id)."""
    around = surroundings(runtime, in_force, worker)
    return Context(
        home=runtime.home,
        pass_id=pass_id,
        boot=runtime.store.boot,
        in_force=in_force,
        around=around,
        masker=masker_of(around, in_force),
        random=runtime.random,
        tell=_tell,
        clock_offset_ms=runtime.clock.offset_ms,
        worker=worker,
    )


def masker_of(around: Surroundings, in_force: InForce) -> Masker | None:
    """Return what hides the declared secrets, None when none of them has a value here."""
    secrets = {name: around.lookup(name) for name in in_force.secrets}
    known = {name: value for name, value in secrets.items() if value}
    return Masker(known) if known else None


def surroundings(runtime: Runtime, in_force: InForce, worker: str | None) -> Surroundings:
    """Return what every start has in common."""
    env_file = read_env_file(runtime.home)
    environment = dict(runtime.environment) | runtime.clock.environment()

    def lookup(name: str) -> str | None:
        return environment.get(name, env_file.get(name))

    return Surroundings(
        home=runtime.home,
        environment=environment,
        lookup=lookup,
        worker=worker or os.uname().nodename,
        program_directory=program_directory(runtime.home),
        in_force=in_force,
        zone=in_force.settings.timezone or runtime.zone,
    )


def program_directory(home: str) -> str:
    """Return where handlers find a `cuectl`, '' when it runs as a module."""
    program = os.path.abspath(sys.argv[0])
    if os.path.basename(program) == "cuectl":
        return os.path.dirname(program)
    if not program.endswith(".pyz"):
        return ""
    from cuectl.store.program_file import program_folder

    return program_folder(home, [sys.executable, program])


def _as_it_is(value: object) -> object:
    return value


def _tell(line: str) -> None:
    """Print a line for people; what stands in it came from outside and is shown, not sent."""
    from cuectl.model.terminal_text import one_line

    sys.stderr.write(f"cuectl: {one_line(line, _LONGEST_LINE)}\n")
