"""From a command line to an exit status; the only place where errors become text.

Under `--json` an error is `{"type": "error", "code", "exit_status", "message", "hint"}`.
"""

from __future__ import annotations

import errno
import os
import sys
from functools import cached_property

from cuectl.cli.frame.parse import NotPlain, parse, settings_of, values_of
from cuectl.values.errors import CuectlError, ExitStatus, InvalidFile
from cuectl.values.records import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cuectl.cli.frame.declare import Command, GlobalSettings
    from cuectl.cli.frame.output import Output
    from cuectl.cli.frame.parse import Raw
    from cuectl.executions.effects import Reactions
    from cuectl.process.runtime import Runtime
    from cuectl.store.reading import Reader
    from cuectl.values.records import Record
    from cuectl.values.safe_text import Masker


def _reactions() -> Reactions:
    from cuectl.passes.reactions import REACTIONS

    return REACTIONS


@dataclass(frozen=True, kw_only=True)
class Call:
    """What `run` of a command gets first: what was typed, and the variables of this process."""

    command: Command
    settings: GlobalSettings
    environment: Mapping[str, str]

    @cached_property
    def runtime(self) -> Runtime:
        """State directory, clock, randomness. Raises UsageError: CUECTL_NOW is not an instant."""
        from cuectl.process.runtime import runtime_from

        return runtime_from(self.environment, self.settings.home, _reactions)

    @cached_property
    def out(self) -> Output:
        """Where the answer goes, in the form that was asked for."""
        import io

        from cuectl.cli.frame.output import Output

        # A name that the terminal's encoding lacks is shown by its number.
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        return Output(self.settings, self.environment, sys.stdout, sys.stderr)

    def shown(self, record: Record) -> Record:
        """Return a record with the declared secrets hidden in what is given to it."""
        return self._masker.without_secrets(record) if self._masker is not None else record

    @cached_property
    def _masker(self) -> Masker | None:
        from cuectl.definitions.in_force import secret_mask

        return secret_mask(self.reader(), self.runtime)

    def reader(self) -> Reader:
        """Open what commands see of the store."""
        from cuectl.store.reading import open_reader
        from cuectl.values.times import HOUR

        this_hour = self.runtime.now() // HOUR
        return open_reader(self.runtime.existing_store, last_hour=this_hour + 1)


def run(arguments: list[str]) -> int:
    """Run what the arguments say and return the exit status. Raises CuectlError: it failed."""
    # Files that their own maker may not read or write serve neither users nor handlers.
    os.umask(os.umask(0o077) & 0o077)
    try:
        if "_CUECTL_COMPLETE" in os.environ:
            raise NotPlain
        found: tuple[Command, Raw] | int = parse(arguments)
    except NotPlain:
        from cuectl.cli.frame.click import parse_by_click

        found = parse_by_click(arguments)
    return found if isinstance(found, int) else perform(*found)


def perform(command: Command, raw: Raw) -> int:
    """Run a command on what was typed for it."""
    call = Call(command=command, settings=settings_of(command, raw), environment=dict(os.environ))
    status = int(command.run(call, **values_of(command, raw)) or 0)
    # A pass would repeat it each minute; it is told where times are given and shown.
    told = "runtime" in call.__dict__ and command.name not in ("run-due", "worker", "doctor")
    if told and (doubt := call.runtime.zone_doubt):
        call.out.warn(doubt, hint=ZONE_HINT)
    return status


ZONE_HINT = "name it: --timezone ZONE, or timezone: ZONE under settings in ~/.cue/cue.yaml"
BROKEN_PIPE = 128 + 13
STANDARD_OUTPUT = "standard output"


def report(error: BaseException, arguments: list[str]) -> int:
    """Print what went wrong on stderr and return the exit status."""
    if isinstance(error, BrokenPipeError):
        return BROKEN_PIPE
    known = _as_cuectl_error(error)
    if known is None:
        status, code = int(ExitStatus.BUG), "bug"
        words = f"unexpected {type(error).__name__}: {error}".partition("\n")[0]
        known = CuectlError(words, hint="a mistake in cuectl; -vv shows where")
        if "-vv" in _wanted(arguments):
            import traceback

            _print("".join(traceback.format_exception(error)).rstrip())
    elif isinstance(error, KeyboardInterrupt):
        status, code = int(ExitStatus.INTERRUPTED), "interrupted"
    else:
        status, code = int(known.exit_status), known.code
    if "--json" in _wanted(arguments):
        import json

        record = {"type": "error", "code": code, "exit_status": status}
        _print(json.dumps(record | {"message": known.message, "hint": known.hint}))
    else:
        _print(_fitted(_text(known)))
    return status


def _as_cuectl_error(error: BaseException) -> CuectlError | None:
    if isinstance(error, CuectlError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return CuectlError("interrupted")
    if isinstance(error, OSError):
        return CuectlError(os_message(error), hint=_os_hint(error))
    if isinstance(error, MemoryError):
        return CuectlError("out of memory")
    if isinstance(error, ImportError):
        hint = "install it again if this stays"
        return CuectlError(f"a part of cuectl can't be loaded: {error}", hint=hint)
    return None


def os_message(error: OSError) -> str:
    """Return the error of the system with its file, as `'path': no space left on device`."""
    words = error.strerror or str(error) or type(error).__name__
    words = words[:1].lower() + words[1:]
    if error.filename is None:
        return words
    return f"'{os.fsdecode(error.filename)}': {words}"


def _os_hint(error: OSError) -> str | None:
    if error.filename == STANDARD_OUTPUT:
        return "the answer is lost, what the command did is not: look before it is run again"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "make room, then run the command again"
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return "raise the limit on open files: ulimit -n"
    return None


def _wanted(arguments: list[str]) -> set[str]:
    ours = arguments[: arguments.index("--")] if "--" in arguments else arguments
    found = {"--json"} if "--json" in ours else set()
    level = sum(ours.count(name) for name in ("-v", "--verbose"))
    if level >= 2 or any(word[:3] == "-vv" for word in ours):
        found.add("-vv")
    return found


def _text(error: CuectlError) -> str:
    # Editors jump to a place that starts the line.
    from cuectl.values.safe_text import visible

    if isinstance(error, InvalidFile) and error.path and error.line:
        place = f"{error.path}:{error.line}:{error.column}: "
        lines = [f"{place}error: {error.message.removeprefix(place)}"]
    else:
        lines = [f"cuectl: error: {error.message}"]
    lines += [f"hint: {error.hint}"] if error.hint else []
    return "\n".join(visible(line, newlines=False, tabs=False) for line in lines)


def _fitted(text: str) -> str:
    from cuectl.cli.frame.terminal import fitted

    return fitted(text, os.environ, sys.stderr) if sys.stderr else text


def _print(text: str) -> None:
    try:
        print(text, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        return  # Where stderr is closed or full, the exit status has to do.
