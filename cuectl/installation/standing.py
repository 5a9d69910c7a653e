"""How a cue stands now: its newest run in one word, why, and what it wants of a person."""

from __future__ import annotations

from cuectl.cues.lookup import read_cue_by_name
from cuectl.cues.rules.recent import recent_ends
from cuectl.cues.rules.record import CueStatus
from cuectl.executions.lookup import live_record
from cuectl.executions.rules.verdict import BAD, UNDER_WAY, VerdictWord, verdict_word, why, word_of
from cuectl.installation.open_work import question_of
from cuectl.store import paths
from cuectl.values.errors import StateError
from cuectl.values.records import dataclass, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cuectl.cues.rules.record import Cue, CueState
    from cuectl.store.reading import Reader
    from cuectl.values.records import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a cue stands.

    Attributes:
        word: of its newest run, also of one that has not ended; None before the first.
        at: when that one ended, None while it has not.
        asks: whether it waits for a person's answer or verdict.
        failing_since: when the first of its `failures` in a row was due.
        untimely: `late`, `slow`, while an alert says so.
    """

    word: VerdictWord | None = None
    why: str = ""
    at: int | None = None
    execution_id: str | None = None
    asks: bool = False
    paused: bool = False
    failures: int = 0
    failing_since: int | None = None
    recent: tuple[VerdictWord, ...] = ()
    untimely: tuple[str, ...] = ()

    @property
    def symbol(self) -> str:
        """The sign before the name."""
        return "‖" if self.paused else self.word.symbol if self.word else " "

    @property
    def result(self) -> str:
        """The word for people, with how often it failed in a row, and what came then."""
        return ", ".join(
            filter(None, ("paused" if self.paused else "", *self.course, *self.untimely))
        )

    @property
    def course(self) -> tuple[str, str]:
        """How it failed, else how it ended; and what came after failures, if that is no success."""
        word = self.word
        if word is None or not self.failures:
            return (word.words if word else "", "")
        failed = word if word in BAD else next(filter(BAD.__contains__, self.recent[::-1]), None)
        count = f" \u00d7{self.failures}" if self.failures > 1 else ""
        words = (failed or VerdictWord.FAILED).words + count
        if word is failed:
            return (words, "")
        return (words, f"{'now' if word in UNDER_WAY else 'then'} {word.words}")


def standing_of(reader: Reader, cue: Cue, state: CueState, now: int) -> Standing:
    """Return how a cue stands; only runs that have not ended are read."""
    last = state.last_end or _of_old(state)
    stands = Standing(
        at=last.get("at"),
        paused=state.status is CueStatus.PAUSED,
        failures=state.failures,
        failing_since=state.failing_since,
        recent=tuple(one.word for one in recent_ends(state)),
        untimely=tuple(kind for kind, _ in state.alerts if kind in ("late", "slow")),
    )
    if live := _under_way(reader, [*state.running, *state.queued], now):
        word, asked = word_of(live), question_of(reader, live)
        said = f"asks: {asked[0]}" if asked else why(live)
        recent = (*stands.recent, word)
        stands = replace(stands, word=word, why=said, execution_id=live["id"], recent=recent)
        return replace(stands, asks=asked is not None)
    if state.status is CueStatus.HELD:
        said = f"waits for its parent ({cue.origin.when})"
        return replace(stands, word=VerdictWord.WAITING, why=said)
    if not last:
        return stands
    word, said = VerdictWord(last["verdict"]), last.get("why") or ""
    stands = replace(stands, word=word, why=said, execution_id=last.get("id"))
    return replace(stands, asks=word is VerdictWord.TO_VERIFY)


def _under_way(reader: Reader, ids: Iterable[str], now: int) -> Record | None:
    found = []
    for execution_id in ids:
        places = (paths.open_execution(execution_id), paths.waiting_execution(execution_id))
        record = next(filter(None, map(reader.read, places)), None)
        if record is not None and not record.get("ended_at"):
            found.append(live_record(reader, record, now))
    running = (one for one in found if word_of(one) is VerdictWord.RUNNING)
    return next(running, found[0] if found else None)


def _of_old(state: CueState) -> Record:
    """Return the newest end as the first version noted it."""
    if not state.last_status:
        return {}
    outcome = "verification_failed" if state.failures else "reported_success"
    return {"verdict": verdict_word(state.last_status, outcome), "at": state.last_run}


def failing_among(
    reader: Reader, cue_ids: Iterable[str], now: int
) -> list[tuple[Cue, CueState, Standing]]:
    """Return those of some cues that fail now, by when each started."""
    found = []
    for cue_id in cue_ids:
        try:
            known = read_cue_by_name(reader, cue_id)
        except StateError:
            continue  # What is damaged is reported by itself.
        if known is not None:
            standing = standing_of(reader, *known, now)
            if standing.failures or standing.word in BAD:
                found.append((*known, standing))
    return sorted(found, key=lambda one: one[2].failing_since or one[2].at or now)
