"""A home in which something has happened, by handlers that really ran."""

from __future__ import annotations

import json
import shutil
import tempfile
from typing import TYPE_CHECKING, Any

from cuectl.values.times import from_text, to_text

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl

START = "2026-11-21T02:00:00Z"
LATER = "2026-11-22T02:00:10Z"

AUDIT = """\
echo looking
cuectl report --external-id run-7 --result-type audit_run --summary 'Filed 3 issues' \\
    --result-url https://example.org/issues --metadata still_open=2
cuectl chain --name check --in 1d --payload '{"parent_run_id": "run-7", "issues": [11, 12]}' \\
    -- sh "$PWD/check.sh" > /dev/null
cuectl chain --name tidy --when success --in 1h -- true > /dev/null
cuectl chain --name mourn --when failure -- true > /dev/null
"""
CHECK = """\
cuectl report --external-id run-7 --result-type audit_followup --summary '1 of 2 addressed'
"""
FORGETFUL = """\
printf 'one\\ntwo\\033[31m red\\nthree\\n'
exit 3
"""


def fire(cuectl: Cuectl, name: str, *words: str) -> str:
    """Start a cue, let a pass run it, and return the execution's id."""
    execution: dict[str, Any] = json.loads(cuectl.run("--json", "fire", name, *words).stdout)
    # Each call begins at the same instant, and is at its point after some milliseconds more.
    cuectl.at(to_text(from_text(cuectl.environment["CUECTL_NOW"]) + 2000))
    answer = cuectl.run("run-due")
    assert answer.status == 0, answer
    return str(execution["id"])


_kept: dict[str, Any] = {}


def make_past(cuectl: Cuectl) -> dict[str, str]:
    """Put a past into the home; return cue name to execution id.

    An audit with evidence has chained a check, that ran a day later, and two more cues; a
    forgetful handler has failed. It happens once; later calls get a copy.
    """
    if not _kept:
        _kept["ids"] = _happen(cuectl)
        _kept["folder"] = tempfile.TemporaryDirectory()
        shutil.copytree(cuectl.home, f"{_kept['folder'].name}/home")
    else:
        shutil.copytree(f"{_kept['folder'].name}/home", cuectl.home)
    cuectl.at(LATER)
    return dict(_kept["ids"])


def _happen(cuectl: Cuectl) -> dict[str, str]:
    cuectl.files({"audit.sh": AUDIT, "check.sh": CHECK, "forgetful.sh": FORGETFUL})
    cuectl.at(START)
    for name in ("audit", "forgetful"):
        made = cuectl.run("create", "--name", name, "--", "sh", str(cuectl.work / f"{name}.sh"))
        assert made.status == 0, made
    ids = {name: fire(cuectl, name) for name in ("audit", "forgetful")}
    cuectl.at(LATER)
    assert cuectl.run("run-due").status == 0
    return ids
