"""The check of `doctor` that asks the executors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.installation.executors import chosen, labels_in_use, ping, problems
from cuectl.installation.status import problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.installation.checks.patient import Patient
    from cuectl.values.errors import Finding


def executors(patient: Patient) -> Iterator[Finding]:
    """Check that each answers, keeps its memory, and has workers for the work given to it."""
    in_force = patient.in_force
    for one in chosen(in_force, ()):
        row = ping(patient.runtime, in_force, one)
        labels = labels_in_use(in_force, patient.cues, one.name)
        for code, message, hint in problems(row, labels):
            yield problem(code, message, hint)
