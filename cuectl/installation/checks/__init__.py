"""All checks of `doctor`, in the order in which they are told; asking them, and repairing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cuectl.installation.checks import executors, home, passes, sinks
from cuectl.installation.checks.home import open_to_others
from cuectl.installation.checks.patient import Patient
from cuectl.installation.status import problem
from cuectl.values.errors import CuectlError, Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cuectl.process.runtime import Runtime

    Check = Callable[[Patient], Iterable[Finding]]

CHECKS: tuple[Check, ...] = (
    *(home.owner_and_modes, home.above, home.layout, home.file_system, home.room),
    *(passes.scheduler, passes.last_pass, passes.clock, passes.zones),
    *(passes.on_the_path, passes.env_file, passes.secret_files, passes.unset_names),
    *(passes.unmasked_secrets, sinks.alert_sinks, executors.executors),
    *(home.as_status_says, home.orphans, home.stuck, home.journal),
)
# Those that can look where there is no state directory to work with.
_ANYWHERE: tuple[Check, ...] = (
    *(home.owner_and_modes, home.above, home.layout),
    *(passes.scheduler, passes.clock, passes.zones, passes.secret_files),
)


def examine(runtime: Runtime) -> list[Finding]:
    """Return what all checks say; one that can't look is a problem itself."""
    patient = Patient(runtime=runtime)
    found: list[Finding] = []
    for check in CHECKS:
        if not patient.is_usable and check not in _ANYWHERE:
            continue
        try:
            found += check(patient)
        except (CuectlError, OSError) as error:
            said = error.message if isinstance(error, CuectlError) else str(error)
            message = f"the check '{check.__name__}' could not look: {said}"
            hint = error.hint if isinstance(error, CuectlError) else None
            found.append(problem("not_checked", message, hint or "see: cuectl fsck"))
    return found


def mend(runtime: Runtime, findings: list[Finding]) -> list[str]:
    """Repair what is safe to repair; return what was done. Raises OSError: it can't be done."""
    codes = {one.code for one in findings}
    return [done for code, fix in _FIXES.items() if code in codes for done in fix(runtime.home)]


def _close_directories(home: str) -> Iterator[str]:
    for path in list(open_to_others(home)):
        os.chmod(path, 0o700)
        yield f"chmod 700 {path}"


def _close_env_file(home: str) -> Iterator[str]:
    path = f"{home}/env"
    found = os.lstat(path)
    # Neither a link nor the file of another user can be made ours by a mode.
    if os.path.isfile(path) and not os.path.islink(path) and found.st_uid == os.geteuid():
        os.chmod(path, 0o600)
        yield f"chmod 600 {path}"


_FIXES: dict[str, Callable[[str], Iterator[str]]] = {
    "home_open": _close_directories,
    "env_open": _close_env_file,
}
