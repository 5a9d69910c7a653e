"""One look at everything: the figures of `status`, and what is wrong."""

from __future__ import annotations

from cuectl.engine.agenda_view import Agenda, look_at_agenda
from cuectl.engine.alert_list import alerts_in
from cuectl.engine.cue_lookup import cue_ids
from cuectl.engine.open_work import OpenWork, open_work
from cuectl.engine.recent_results import RecentResults, recent_results
from cuectl.engine.scheduler_health import SchedulerHealth, scheduler_health
from cuectl.model.instants import DAY, to_text
from cuectl.model.values import dataclass
from cuectl.store import files
from cuectl.store.reading import open_reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cuectl.engine.runtime import Runtime
    from cuectl.model.alert import Alert
    from cuectl.store.reading import Reader

    Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """The figures.

    Attributes:
        exists: whether there is a state directory.
        alerts: those that nobody has acknowledged, oldest first.
        unfinished: alerts, seen or not, that a sink lacks although it was tried.
        drifted: applied files that are not what they were when they were taken over.
        broken: definition file to what is wrong with it.
        quarantined: names of what was put aside as damaged.
        notes: what the reader of the store has to say.
    """

    home: str
    now: int
    exists: bool
    scheduler: SchedulerHealth
    agenda: Agenda
    work: OpenWork
    recent: RecentResults
    cues: int
    alerts: tuple[Alert, ...]
    unfinished: tuple[Alert, ...]
    drifted: tuple[str, ...]
    broken: dict[str, str]
    quarantined: tuple[str, ...]
    notes: tuple[str, ...]

    def to_record(self) -> Record:
        """Return the figures as JSON."""
        age = self.scheduler.age_ms(self.now)
        return {
            "home": self.home,
            "time": to_text(self.now),
            "last_pass_at": _text(self.scheduler.last_pass_at),
            "last_pass_age_s": None if age is None else age / 1000,
            "passes": self.scheduler.running,
            "cues": self.cues,
            "next_due_at": _text(self.agenda.next_at),
            "next_due": self.agenda.next_name,
            "overdue": self.agenda.overdue,
            "running": [
                {"id": one.id, "cue_name": one.cue_name, "started_at": to_text(one.started_at)}
                for one in self.work.running
            ],
            "claimed": self.work.claimed,
            "queued": self.work.queued,
            "pending": self.work.pending,
            "retrying": self.work.retrying,
            "reporting": self.work.reporting,
            "verification_pending": self.work.unverified,
            "since": to_text(self.recent.since),
            "failed": self.recent.failed,
            "missed": self.recent.missed,
            "open_alerts": len(self.alerts),
            "undelivered_alerts": len(self.unfinished),
            "drifted": list(self.drifted),
            "quarantined": list(self.quarantined),
        }


def _text(at: int | None) -> str | None:
    return None if at is None else to_text(at)


def status_report(runtime: Runtime) -> StatusReport:
    """Return the figures of a state directory, of an empty one where there is none."""
    reader = open_reader(runtime.existing_store)
    now, home = runtime.now(), reader.home
    alerts, unreadable = alerts_in(reader)
    recent = RecentResults(since=now - DAY)
    if home:
        recent = recent_results(reader.history, now - DAY)
    work = open_work(reader, home, now)
    work.unreadable += unreadable
    drifted, broken = _definitions(reader)
    return StatusReport(
        home=runtime.home,
        now=now,
        exists=bool(home),
        scheduler=scheduler_health(home) if home else SchedulerHealth(last_pass_at=None),
        agenda=look_at_agenda(reader, home, now) if home else Agenda(),
        work=work,
        recent=recent,
        cues=len(cue_ids(reader)),
        alerts=tuple(one for one in alerts if one.acknowledged_at is None),
        unfinished=tuple(one for one in alerts if one.undelivered()),
        drifted=drifted,
        broken=broken,
        quarantined=tuple(sorted(files.list_directory(f"{home}/quarantine"))) if home else (),
        notes=tuple(reader.notes + (reader.history.problems if home else [])),
    )


def _definitions(reader: Reader) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return which applied files have drifted, and which definition files are broken."""
    from cuectl.engine.broken_definitions import broken_definitions
    from cuectl.engine.known_definitions import drifted
    from cuectl.model.errors import StateError

    try:
        return tuple(drifted(reader)), broken_definitions(reader)
    except StateError as error:
        return (), {"config": error.message}
