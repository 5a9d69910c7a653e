"""One call of a command: what was typed, the surroundings, and where the answer goes."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from cuectl.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cuectl.cli.options import Command, Settings
    from cuectl.cli.output import Output
    from cuectl.engine.runtime import Runtime


@dataclass(frozen=True, kw_only=True)
class Call:
    """What `run` of a command gets first.

    Attributes:
        settings: the global options.
        environment: the variables of this process.
    """

    command: Command
    settings: Settings
    environment: Mapping[str, str]

    @cached_property
    def runtime(self) -> Runtime:
        """State directory, clock, randomness.

        Raises:
            UsageError: CUECTL_NOW is not an instant.
        """
        from cuectl.engine.runtime import runtime_from

        return runtime_from(self.environment, self.settings.home)

    @cached_property
    def out(self) -> Output:
        """Where the answer goes, in the form that was asked for."""
        import io
        import sys

        from cuectl.cli.output import Output

        # A name that the terminal's encoding lacks is shown by its number.
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        return Output(self.settings, self.environment, sys.stdout, sys.stderr)
