"""Checking the store: the views are what the journal implies, and the journal is whole.

Views that are merely behind are brought up to date first, as any command would do. The
journal is read without the lock; only what then seems to differ is looked at again with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.model.errors import StateError
from cuectl.model.values import dataclass
from cuectl.store import leftovers
from cuectl.store.agenda_check import AgendaCheck
from cuectl.store.findings import ERROR, Finding
from cuectl.store.journal_check import Replay
from cuectl.store.position import read_applied
from cuectl.store.view_check import differences, suspects

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cuectl.store.journal_check import Damage
    from cuectl.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a check found.

    Attributes:
        seq: the number of the last line that was taken in.
        lines: how many lines were read.
        views: how many views the journal implies.
        damaged: whether the journal itself is damaged.
    """

    seq: int = 0
    lines: int = 0
    views: int = 0
    damaged: bool = False
    findings: tuple[Finding, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong; what is left over harms nobody."""
        return not any(finding.level == ERROR for finding in self.findings)


def check(store: Store, progress: Callable[[str, int, int], None] = lambda *_: None) -> Report:
    """Check everything; nothing is changed but what any command would heal.

    Raises:
        LockTimeout: somebody held the lock all the time.
        OSError: something could not be read, so there is no answer.
    """
    problem = _heal(store)
    named = leftovers.Named({identity for identity, _ in leftovers.run_files(store.home)})
    replay = Replay(store.home, named.see, progress)
    if problem is not None:
        replay.run()
        return _damaged(replay, problem)
    replay.run(store.journal.place)
    if replay.damage:
        return _damaged(replay, None)
    return _compared(store, replay, named)


def _heal(store: Store) -> Finding | None:
    """Bring the views up to date; return why that is impossible."""
    try:
        with store.locked():
            store.journal.sync()
            store.flush()
    except StateError as error:
        return Finding(kind="journal", subject="journal", message=error.message)
    return None


def _damaged(replay: Replay, problem: Finding | None) -> Report:
    found = [of_damage(one) for one in replay.damage]
    if problem is not None and not found:
        found.append(problem)
    found.append(
        Finding(
            kind="not_compared",
            subject="journal",
            message="the views were not compared with a damaged journal",
        )
    )
    return _report(replay, found, damaged=True)


def of_damage(damage: Damage) -> Finding:
    """Return a damage of the journal as a finding."""
    subject = f"journal/{damage.file}"
    return Finding(kind="damaged_line", subject=subject, line=damage.line, message=damage.reason)


def _compared(store: Store, replay: Replay, named: leftovers.Named) -> Report:
    doubtful = suspects(store.home, replay.views)
    with store.locked():
        store.journal.sync()
        store.flush()
        named.wanted = None
        replay.run(store.journal.place)
        if replay.damage:
            return _damaged(replay, None)
        found = differences(store.home, replay.views, doubtful)
        found += _behind(store)
        named.see_views(replay.views)
        found += leftovers.leftovers(store.home, replay.views, named)
    found += leftovers.missing_payloads(store.home, replay.views)
    found += AgendaCheck(replay.views).findings()
    found += _checkpoint(store)
    return _report(replay, found)


def _behind(store: Store) -> list[Finding]:
    unwritten = [*store.behind, *(["journal/applied"] if store.unapplied else [])]
    return [
        Finding(kind="behind", subject=path, message="it can't be written")
        for path in sorted(unwritten)
    ]


def _checkpoint(store: Store) -> list[Finding]:
    path = f"{store.home}/journal/checkpoint"
    checkpoint = read_applied(path)
    if checkpoint is None or store.journal.holds(checkpoint.position):
        return []
    words = "the journal lacks the line that it names"
    return [Finding(kind="checkpoint", subject="journal/checkpoint", message=words)]


def _report(replay: Replay, found: Sequence[Finding], *, damaged: bool = False) -> Report:
    return Report(
        seq=replay.place.seq,
        lines=replay.lines,
        views=len(replay.views),
        damaged=damaged,
        findings=tuple(found),
    )
