"""The agenda's invariant: what is not at rest has a marker or is in `open/` (hole A26).

Pure over the views that the journal implies, so what is found here is a mistake in what was
recorded, and nothing that a rebuild could mend.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.model.execution_status import FINAL
from cuectl.model.instants import from_text
from cuectl.store.findings import NOTE, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.store.lines import Record, Views


class AgendaCheck:
    """Looks at all records of one set of views."""

    def __init__(self, views: Views) -> None:
        self.views = views
        self._markers: dict[tuple[str, str], list[int]] = {}
        for path in views:
            if path.startswith("due/"):
                at, kind, identity = path.rsplit("/", 1)[1].split(".", 2)
                self._markers.setdefault((kind, identity), []).append(int(at))

    def findings(self) -> list[Finding]:
        """Return everything that nobody will look at when its time comes."""
        found: list[Finding] = []
        for path, value in self.views.items():
            if isinstance(value, dict):
                found += self._about(path, value)
        found += self._idle_markers()
        return sorted(found, key=lambda one: one.subject)

    def _about(self, path: str, record: Record) -> Iterator[Finding]:
        folder, _, name = path.partition("/")
        identity = name.removesuffix(".json")
        if folder == "cues" and identity.endswith(".s"):
            yield from self._about_cue(path, identity.removesuffix(".s"), record)
        elif folder == "cues" and "." not in identity:
            yield from self._about_definition(path, identity)
        elif folder == "waiting" and record.get("status") not in FINAL:
            yield from self._about_waiting(path, identity, record)
        elif folder == "alerts":
            yield from self._about_alert(path, identity, record)
        elif folder == "pings" and not self._times("p", identity):
            yield _error("no_marker", path, "a ping has no place in the agenda")

    def _about_definition(self, path: str, cue_id: str) -> Iterator[Finding]:
        if f"cues/{cue_id}.s.json" not in self.views:
            yield _error("no_state", path, "the cue has no state, so it never fires")

    def _about_cue(self, path: str, cue_id: str, state: Record) -> Iterator[Finding]:
        definition = self.views.get(f"cues/{cue_id}.json")
        if not isinstance(definition, dict):
            yield _error("no_definition", path, "the state of a cue that is not there")
            return
        next_at = state.get("next_at")
        if state.get("status") == "active" and next_at is not None:
            jitter_s = definition.get("policy", {}).get("jitter_s", 0)
            latest = next_at + round(jitter_s * 1000)
            if not any(next_at <= at <= latest for at in self._times("c", cue_id)):
                yield _error("no_marker", path, "its next occurrence has no place in the agenda")
        if state.get("status") == "held" and not self._is_undecided(definition):
            yield _error("no_parent", path, "it waits for a parent that is decided or gone")
        yield from self._about_members(path, state)

    def _about_members(self, path: str, state: Record) -> Iterator[Finding]:
        for member in (*state.get("running", ()), *state.get("queued", ())):
            if not self._is_unsettled(member):
                yield _error("not_open", path, f"it counts '{member}', which is not open")

    def _about_waiting(self, path: str, identity: str, record: Record) -> Iterator[Finding]:
        if not any(self._times(kind, identity) for kind in "erw"):
            words = f"an execution that is {record.get('status')} has no place in the agenda"
            yield _error("no_marker", path, words)

    def _about_alert(self, path: str, identity: str, record: Record) -> Iterator[Finding]:
        pending = [
            one["next_at"]
            for one in record.get("delivered", {}).values()
            if one.get("status") == "pending" and one.get("next_at")
        ]
        if pending and min(map(from_text, pending)) not in self._times("a", identity):
            yield _error("no_marker", path, "its delivery has no place in the agenda")

    def _idle_markers(self) -> Iterator[Finding]:
        """Find markers with nothing behind them: a pass drops them when it gets there."""
        for (kind, identity), times in self._markers.items():
            if kind == "c":
                known = f"cues/{identity}.s.json" in self.views
            elif kind in ("a", "p"):
                folder = "alerts" if kind == "a" else "pings"
                known = f"{folder}/{identity}.json" in self.views
            else:
                known = self._is_unsettled(identity)
            if not known and kind in "aceprw":
                words = f"nothing stands behind {len(times)} marker(s) '{kind}'"
                yield Finding(level=NOTE, kind="idle_marker", subject=identity, message=words)

    def _times(self, kind: str, identity: str) -> list[int]:
        return self._markers.get((kind, identity), [])

    def _is_unsettled(self, execution_id: str) -> bool:
        return any(f"{folder}/{execution_id}.json" in self.views for folder in ("open", "waiting"))

    def _is_undecided(self, definition: Record) -> bool:
        parent = definition.get("origin", {}).get("parent")
        return parent is not None and self._is_unsettled(parent)


def _error(kind: str, subject: str, message: str) -> Finding:
    return Finding(kind=kind, subject=subject, message=message)
