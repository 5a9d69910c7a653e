"""Changing a cue's definition and its status at once: one commit, as over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.engine.cue_changes import stage_pause, stage_resume, stage_update
from cuectl.engine.cue_lookup import find_cue
from cuectl.engine.cues import check_name_is_free
from cuectl.engine.known_definitions import known_definitions
from cuectl.engine.payloads import keeper, with_placed_prompt
from cuectl.model.cue_draft import changed_cue
from cuectl.model.errors import Conflict
from cuectl.model.values import replace

if TYPE_CHECKING:
    from cuectl.engine.runtime import Runtime
    from cuectl.model.cue import Cue, CueState
    from cuectl.model.cue_draft import CueDraft


class NameTaken(Conflict):
    """Another cue has the name."""


def patch_cue(
    runtime: Runtime, cue_id: str, draft: CueDraft, *, status: str | None
) -> tuple[Cue, CueState]:
    """Change what `draft` says, then pause or resume; return the cue as it is then.

    Args:
        runtime: of this process.
        cue_id: which cue.
        draft: the change.
        status: `paused`, `active`, or None to leave it.

    Raises:
        NameTaken, Conflict, UsageError, NotFound: nothing was changed.
    """
    now = runtime.now()
    with runtime.store.transaction(now) as tx:
        old, state = find_cue(tx, cue_id)
        zone = known_definitions(tx, runtime.home).timezone or runtime.zone
        new = changed_cue(old, draft, now=now, zone=zone)
        if draft.name is not None:
            try:
                check_name_is_free(tx, draft.name, own_id=old.id)
            except Conflict as error:
                raise NameTaken(error.message) from error
        if draft.payload:
            payload, ref = keeper(runtime.home)(new.payload)
            new = replace(new, payload=payload, payload_ref=ref)
        new = replace(new, target=with_placed_prompt(new.target, runtime.home))
        stage_update(tx, old, state, new)
        new, state = find_cue(tx, cue_id)
        if status == "paused":
            stage_pause(tx, new, state)
        elif status == "active":
            stage_resume(tx, new, state)
        return find_cue(tx, cue_id)
