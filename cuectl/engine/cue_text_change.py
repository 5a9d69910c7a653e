"""Changing a cue by the text of its definition, as an editor left it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cuectl.engine.cue_changes import stage_update
from cuectl.engine.cue_drafts import Drafted
from cuectl.engine.cue_lookup import read_cue
from cuectl.engine.definitions_in_force import definitions_now
from cuectl.engine.file_cues import Making, cue_from_definition
from cuectl.engine.payloads import keeper
from cuectl.model.cue import state_from_record
from cuectl.model.errors import Conflict, InvalidFile, UsageError
from cuectl.model.values import replace
from cuectl.store import paths
from cuectl.store.definition_checks import load_definitions

if TYPE_CHECKING:
    from cuectl.engine.runtime import Runtime
    from cuectl.model.cue import Cue
    from cuectl.model.definitions import CueDefinition


def change_by_text(runtime: Runtime, cue: Cue, before: str, after: str, path: str) -> Drafted:
    """Change a cue as its edited text says.

    Args:
        runtime: of the command.
        cue: as it was when it was opened.
        before: its text then.
        after: the text as it was saved.
        path: where that lies, for messages.

    Raises:
        InvalidFile, UsageError: the text is not valid, or is not one cue.
        Conflict: the cue was changed or deleted meanwhile, or its new name is taken.
    """
    old = _only_cue(before, path)
    new = _only_cue(after, path)
    now = runtime.now()
    with runtime.store.transaction(now) as tx:
        known = read_cue(tx, cue.id)
        if known is None or known[0] != cue:
            what = "deleted" if known is None else "changed"
            raise Conflict(f"cue '{cue.name}' was {what} by somebody else meanwhile")
        in_force = definitions_now(tx, runtime.home)
        making = Making(
            path=path,
            shown=path,
            zone=in_force.settings.timezone or runtime.zone,
            random=runtime.random,
            keep=keeper(runtime.home),
            before={new.name: old},
            ids={},
        )
        try:
            changed = cue_from_definition(new, making, cue, now)
        except UsageError as error:
            raise InvalidFile(error.message, path=path, hint=error.hint) from error
        changed = _in_its_place(changed, cue, path)
        done = stage_update(tx, *known, changed)
        state = state_from_record(tx.read(paths.state(cue.id)) or {"status": "active"})
    return Drafted(changed, state, in_force, changed=done)


def _only_cue(text: str, path: str) -> CueDefinition:
    definitions = load_definitions(text, path)
    if len(definitions.cues) != 1:
        count = len(definitions.cues) or "no"
        raise InvalidFile(f"there must be one cue, and there are {count}", path=path)
    return next(iter(definitions.cues.values()))


def _in_its_place(changed: Cue, cue: Cue, path: str) -> Cue:
    """Give the cue its own origin, and its directory where the text names none."""
    target = changed.target
    if target.get("cwd") == os.path.dirname(path):
        target = {key: value for key, value in target.items() if key != "cwd"}
        if "cwd" in cue.target:
            target["cwd"] = cue.target["cwd"]
    same = replace(changed, origin=cue.origin, target=target, updated_at=cue.updated_at)
    return cue if same == cue else replace(same, updated_at=changed.updated_at)
