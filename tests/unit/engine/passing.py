"""A pass in the test process, and what stands around it."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cuectl.engine.cue_drafts import create_cue
from cuectl.engine.cue_lookup import find_cue
from cuectl.engine.fire import fire
from cuectl.engine.pass_options import PassOptions, PassResult
from cuectl.engine.run_due import run_pass
from cuectl.model.cue_draft import CueDraft
from cuectl.store.segments import implied_views, read_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.engine.runtime import Runtime

Record = dict[str, Any]


@contextmanager
def as_before() -> Iterator[None]:
    """Give the process back what a pass changes in it."""
    mask = os.umask(0o022)
    os.umask(mask)
    here = os.getcwd()
    try:
        yield
    finally:
        os.umask(mask)
        os.chdir(here)


def pass_over(runtime: Runtime, **options: Any) -> PassResult:
    """Run a pass to its end."""
    with as_before():
        return run_pass(runtime, PassOptions(**options))


def a_cue(runtime: Runtime, name: str = "job", **fields: Any) -> str:
    """Make a cue that runs `true`, by hand or as `at` and `cron` say; return its id."""
    if not {"shell", "task", "argv"} & fields.keys():
        fields["argv"] = ("true",)
    fields.setdefault("cwd", os.path.dirname(runtime.home))
    return create_cue(runtime, CueDraft(name=name, **fields)).cue.id


def fired(runtime: Runtime, name: str = "job") -> str:
    """Start a cue by hand; return the id of its execution."""
    with runtime.store.transaction(runtime.now()) as tx:
        cue, state = find_cue(tx, name)
        return fire(tx, cue, state, tx.now, runtime.random).id


def executions(runtime: Runtime) -> list[Record]:
    """Return the newest record of each execution, the earliest first."""
    newest: dict[str, Record] = {}
    for line in read_lines(runtime.home):
        for path, value in line.get("set", {}).items():
            if path.startswith(("open/", "waiting/")) and isinstance(value, dict):
                newest[value["id"]] = value
        if record := line.get("record"):
            newest[record["id"]] = record
    return [newest[name] for name in sorted(newest)]


def ends(runtime: Runtime) -> list[str]:
    """Return status and reason of each execution."""
    return [
        f"{one['status']}({one['reason']})" if one.get("reason") else one["status"]
        for one in executions(runtime)
    ]


def types(runtime: Runtime) -> list[str]:
    """Return the types of all lines."""
    return [line["type"] for line in read_lines(runtime.home)]


def views_are_implied(runtime: Runtime) -> bool:
    """Tell whether the views equal what the journal implies."""
    implied = implied_views(runtime.home)
    for path, value in implied.items():
        try:
            with open(f"{runtime.home}/{path}") as file:
                text = file.read()
        except FileNotFoundError:
            return False
        if (json.loads(text) if text else True) != value:
            return False
    return True
