"""Making cues of the lines of a crontab."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from cuectl.engine.cue_drafts import create_cue
from cuectl.model.crontab_import import Import, Imported, LeftOut
from cuectl.model.cue import Origin
from cuectl.model.errors import Conflict
from cuectl.store.home import locate

if TYPE_CHECKING:
    from cuectl.engine.runtime import Runtime
    from cuectl.model.cue_draft import CueDraft


def imported(runtime: Runtime, text: str) -> Imported:
    """Return what a crontab of this user means; nothing is changed."""
    home = os.path.dirname(locate(None, {"HOME": runtime.environment.get("HOME", "")}))
    return Import(home=home, zone=runtime.zone, now=runtime.now()).read(text)


def make_cues(runtime: Runtime, found: Imported, path: str) -> dict[int, str]:
    """Make the cues; return line to id. A name that is taken is left out, not taken over.

    Raises:
        CuectlError: the store can't be changed; what was made before stays.
    """
    made: dict[int, str] = {}
    for entry in found.entries:
        try:
            drafted = create_cue(runtime, entry.draft, Origin(kind="import", path=path or None))
        except Conflict as error:
            shown = entry.draft.shell or shlex.join(entry.draft.argv or ())
            found.left_out.append(LeftOut(line=entry.line, text=shown, why=error.message))
        else:
            made[entry.line] = drafted.cue.id
    return made


def command_of(draft: CueDraft) -> list[str]:
    """Return the words of the `create` that makes the same cue."""
    words = ["cuectl", "create", "--name", draft.name or "", "--cron", draft.cron or ""]
    if draft.timezone:
        words += ["--timezone", draft.timezone]
    if draft.cwd:
        words += ["--cwd", draft.cwd]
    for name, value in (draft.env or {}).items():
        words += ["--env", f"{name}={value}"]
    if draft.shell is not None:
        return [*words, "--shell", draft.shell]
    return [*words, "--", *(draft.argv or ())]
