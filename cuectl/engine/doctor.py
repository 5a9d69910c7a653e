"""Asking all checks, and mending what can be mended without a question."""

from __future__ import annotations

import os

from cuectl.engine.checks.home import open_to_others
from cuectl.engine.checks.patient import Patient
from cuectl.engine.checks.registry import CHECKS
from cuectl.model.errors import CuectlError
from cuectl.model.finding import Finding, Level

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cuectl.engine.runtime import Runtime


def examine(runtime: Runtime) -> list[Finding]:
    """Return what all checks say; one that can't look is a problem itself."""
    patient = Patient(runtime=runtime)
    found: list[Finding] = []
    for check in CHECKS:
        try:
            found += check(patient)
        except (CuectlError, OSError) as error:
            said = error.message if isinstance(error, CuectlError) else str(error)
            message = f"the check '{check.__name__}' could not look: {said}"
            hint = (error.hint if isinstance(error, CuectlError) else None) or "see: cuectl fsck"
            one = Finding(level=Level.PROBLEM, code="not_checked", message=message, hint=hint)
            found.append(one)
    return found


def mend(runtime: Runtime, findings: list[Finding]) -> list[str]:
    """Mend what is safe to mend; return what was done.

    Raises:
        OSError: it could not be done.
    """
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
