"""One look at everything, which all pages are made from, and what stands above each of them."""

from __future__ import annotations

import socket
from functools import cached_property
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from cuectl.alerts.alerts import alerts_in
from cuectl.definitions.in_force import secret_mask
from cuectl.executions.lookup import Live, public
from cuectl.executions.rules.verdict import word_of
from cuectl.http.page.render import iso
from cuectl.installation.open_work import install_command, recent_results, scheduler_health
from cuectl.process.runtime import monotonic_s
from cuectl.schedule.zones import local_text, zone_abbreviation
from cuectl.store.reading import Reader, open_reader
from cuectl.values.times import DAY, HOUR, MINUTE, distance_in_words, from_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cuectl.alerts.rules.alert import Alert
    from cuectl.process.runtime import Runtime
    from cuectl.store.journal.lines import Position
    from cuectl.values.records import Record
    from cuectl.values.safe_text import Masker

# How long one request looks through the journal, so that it keeps no other waiting.
PATIENCE_S = 0.2


class Lately:
    """Which cues had a run that ended in the last day; each look reads what is new in the journal.

    One that has ended before is kept for up to an hour more: who asks looks at how it stands now.
    """

    def __init__(self) -> None:
        self._from = self._to = 0
        self._found: set[str] = set()
        self._place: Position | None = None

    def ended(self, runtime: Runtime, now: int) -> list[str]:
        """Return their ids, sorted."""
        since = now - DAY
        if self._from <= self._to <= now < self._from + HOUR:
            # Times in the journal may lie somewhat before the moment at which it was written.
            since = self._to - MINUTE
        else:
            self._from, self._found, self._place = now, set(), None
        # A history of its own: how far this one goes back is no matter of the page.
        history = open_reader(runtime.existing_store).history
        if history.place != self._place:
            self._found |= recent_results(history, since).cue_ids
        self._to, self._place = now, history.place
        return sorted(self._found)


class PageLook:
    """What one request sees; `static` makes a file of it, without forms and without news."""

    def __init__(
        self, runtime: Runtime, *, static: bool = False, lately: Lately | None = None
    ) -> None:
        self.lately = lately or Lately()
        self.runtime = runtime
        self.reader: Reader = open_reader(runtime.existing_store)
        self.now = runtime.now()
        self.static = static
        ends_s = monotonic_s() + PATIENCE_S
        if not static:
            self.reader.history.may_go_on = lambda: monotonic_s() < ends_s

    @cached_property
    def mask(self) -> Masker | None:
        """What hides the declared secrets."""
        return secret_mask(self.reader, self.runtime)

    @cached_property
    def live(self) -> Live:
        """What passes are at work on."""
        return Live(self.reader.home, self.now)

    def shown(self, record: Record) -> Record:
        """Return a record with the declared secrets hidden."""
        return record if self.mask is None else self.mask.without_secrets(record)

    def masked(self, text: str) -> str:
        """Return a text with the declared secrets hidden."""
        return self.mask.mask(text) if self.mask else text

    def execution(self, record: Record) -> Record:
        """Return an execution as pages show it."""
        view = self.shown(public(self.reader, self.live.of(record)))
        view["at"] = from_text(view["started_at"] or view["scheduled_for"])
        view["word"] = word_of(view)
        return view

    @cached_property
    def alerts(self) -> tuple[Alert, ...]:
        """All alerts, the newest first."""
        return tuple(reversed(alerts_in(self.reader)[0]))

    def clock(self, ms: int) -> str:
        """Return an instant: `Sat 2026-11-21 02:00:07`."""
        return local_text(ms, self.runtime.zone, seconds=True).rpartition(" ")[0]

    def ago(self, ms: int | None, *, titled: bool = True) -> Markup:
        """Return an instant as an element; a file that is read later has the clock time."""
        if ms is None:
            return Markup()
        clock = self.clock(ms)
        said = clock[:-3] if self.static else distance_in_words(ms - self.now)
        title = Markup(' title="{}"').format(clock[4:-3]) if titled else ""
        return Markup("<time datetime={}{}>{}</time>").format(iso(ms), title, said)

    def soon(self, ms: int | None, *, titled: bool = False) -> Markup:
        """Return an instant that is to come; one that has passed is due."""
        is_due = ms is not None and ms <= self.now
        return Markup("due") if is_due else self.ago(ms, titled=titled)

    @property
    def searched_to(self) -> str:
        """How far back the journal was looked through, '' when that was all of it."""
        at = self.reader.history.stopped_at
        return self.clock(from_text(at)) if at else ""

    def values(self, title: str, up: str, next_at: int | None = None) -> dict[str, Any]:
        """Return what every page needs; `up` leads from it to the first one."""
        health = scheduler_health(self.reader.home) if self.reader.home else None
        age = health.age_ms(self.now) if health else None
        zone = self.runtime.zone
        letters = zone_abbreviation(zone, self.now)
        return {
            **{name: getattr(self, name) for name in ("ago", "soon", "clock", "now", "static")},
            "iso": iso,
            "zone": zone if letters == zone else f"{zone} ({letters})",
            "title": title,
            "up": up,
            "host": socket.gethostname(),
            "home": self.runtime.home,
            "pass_age": None if age is None else distance_in_words(-age),
            "is_late": health is None or health.is_late(self.now),
            "install": install_command(self.runtime.home, self.runtime.environment),
            "next_in": next_at and distance_in_words(max(0, next_at - self.now)),
            "open_alerts": sum(one.is_open for one in self.alerts),
            "place": self.reader.place.seq,
            "notes": tuple(dict.fromkeys(self.reader.notes)),
        }


def number_in(query: Mapping[str, str], name: str, usual: int) -> int:
    """Return a number of a query, the usual one where it has none."""
    text = query.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else usual
