"""All checks, in the order in which they are told."""

from __future__ import annotations

from cuectl.engine.checks import calling, home, programs, records, secrets, time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cuectl.engine.checks.patient import Patient
    from cuectl.model.finding import Finding

    Check = Callable[[Patient], Iterable[Finding]]

CHECKS: tuple[Check, ...] = (
    home.owner_and_modes,
    home.layout,
    home.file_system,
    home.room,
    calling.scheduler,
    calling.last_pass,
    time.clock,
    time.zones,
    programs.on_the_path,
    secrets.env_file,
    secrets.secret_files,
    secrets.unset_names,
    records.as_status_says,
    records.orphans,
    records.stuck,
    records.journal,
)
