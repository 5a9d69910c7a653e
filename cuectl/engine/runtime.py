"""What a command works with: state directory, clock, environment, randomness.

Everything that is not a value comes in through here, so that rules stay pure and tests
put in what they like.
"""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING

from cuectl.engine.clock import Clock, clock_from, random_bytes
from cuectl.model.values import dataclass
from cuectl.store import home as home_directory
from cuectl.store.store import Limits, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """The surroundings of one process.

    Attributes:
        home: absolute path of the state directory, there or not.
        environment: the variables that this process was started with.
    """

    home: str
    environment: Mapping[str, str]
    clock: Clock
    random: Callable[[int], bytes] = random_bytes

    @cached_property
    def store(self) -> Store:
        """The store, made when it is not there yet: for commands that write."""
        home_directory.make(self.home)
        return self._store

    @cached_property
    def existing_store(self) -> Store | None:
        """The store, None when there is none yet: for commands that only read."""
        return self._store if home_directory.check(self.home) else None

    @cached_property
    def _store(self) -> Store:
        return Store(self.home, limits=_limits(self.environment))

    @cached_property
    def zone(self) -> str:
        """The IANA name of the machine's time zone, `UTC` where it has none."""
        return local_zone(self.environment)

    def now(self) -> int:
        """Return the instant, in milliseconds."""
        return self.clock.now()


def runtime_from(environment: Mapping[str, str], home: str | None = None) -> Runtime:
    """Return the runtime of this process.

    Raises:
        UsageError: CUECTL_NOW is not an instant.
    """
    path = home_directory.locate(home, dict(environment))
    return Runtime(home=path, environment=environment, clock=clock_from(environment))


def local_zone(environment: Mapping[str, str]) -> str:
    """Return the zone that the machine, or the variable TZ, names."""
    name = environment.get("TZ", "").removeprefix(":")
    if not name:
        try:
            name = os.path.realpath("/etc/localtime").partition("zoneinfo/")[2]
        except OSError:
            name = ""
    return name if name and _is_zone(name) else "UTC"


def _is_zone(name: str) -> bool:
    if name == "UTC":
        return True
    import zoneinfo

    try:
        zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return False
    return True


def _limits(environment: Mapping[str, str]) -> Limits:
    """Return the store's sizes; CUECTL_TEST_LIMITS makes them small for tests."""
    text = environment.get("CUECTL_TEST_LIMITS")
    if not text:
        return Limits()
    pairs = dict(part.split("=", 1) for part in text.split(","))
    return Limits(**{name: int(value) for name, value in pairs.items()})
