"""What goes on, as server-sent events: rows of cues that change, and output as it is printed.

Nothing is queued for a client: the journal and the output files are the queue, and more of them is
read once it has taken what it was sent. So a slow one costs no memory and holds up nobody.
"""

from __future__ import annotations

import json
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any

from cuectl.cues.lookup import read_cue_by_name
from cuectl.executions.lookup import record_of
from cuectl.executions.rules.record import FINAL
from cuectl.http.messages import Response
from cuectl.http.page.cues import row_of, table_of
from cuectl.http.page.look import Lately, PageLook, number_in
from cuectl.http.page.printed import Colours
from cuectl.http.page.render import render
from cuectl.process.runtime import monotonic_s
from cuectl.store import output, paths
from cuectl.store.reading import Follower, open_reader
from cuectl.store.views import BadView
from cuectl.values.errors import CuectlError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from cuectl.process.runtime import Runtime
    from cuectl.values.records import Record

    Values = Callable[[], dict[str, Any]]

MOST_STREAMS = 10
LOOK_EVERY_S = 1.0
QUIET_S = 15.0
_MOST_ROWS = 25
_MOST_MISSED = 500
PIECE_BYTES = 65_536
# Who prints faster than anyone reads is shown the end.
_FAR_BEHIND = 4 * PIECE_BYTES


class Streams:
    """The streams of one server, and the one look at the journal that serves them all."""

    def __init__(self, runtime: Runtime, lately: Lately) -> None:
        self._runtime = runtime
        self.lately = lately
        self._open: list[PageStream] = []
        self._follower: Follower | None = None
        self._looked_s = 0.0
        self._counted: tuple[int, dict[str, Any]] = (-1, {})

    def open(self, query: Mapping[str, str], last_id: str, values: Values) -> Response:
        """Return a stream; 204 where there are too many, which keeps a browser from retrying."""
        made: PageStream | None = None
        self.look()
        if len(self._open) < MOST_STREAMS and self._runtime.existing_store is not None:
            number = number_in({"from": last_id} if last_id else query, "from", 0)
            if query.get("view") == "cues":
                made = CueNews(self, self._runtime, values, number)
            elif query.get("view") == "run":
                look = PageLook(self._runtime)
                record = record_of(look.reader, query.get("id", ""))
                made = RunNews(self, look, record, number) if record else None
        if made is None:
            return Response(status=204)
        self._open.append(made)
        headers = {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        return Response(status=200, headers=headers, stream=made)

    def counted(self, look: PageLook) -> dict[str, Any]:
        """Return what stands above the table, made once for all streams."""
        if self._counted[0] != look.reader.place.seq:
            self._counted = look.reader.place.seq, table_of(look, {})
        return self._counted[1]

    def forget(self, one: PageStream) -> None:
        """Leave a stream whose client is gone."""
        if one in self._open:
            self._open.remove(one)

    def look(self) -> None:
        """Tell all streams what has happened, at most once a second."""
        now_s, store = monotonic_s(), self._runtime.existing_store
        if store is None or (self._follower and now_s - self._looked_s < LOOK_EVERY_S):
            return
        self._looked_s = now_s
        if self._follower is None or not self._open:
            self._follower = Follower(store, open_reader(store).place)
            return
        lines = self._follower.new_lines()
        for one in self._open if lines else ():
            one.hear(lines)


class PageStream:
    """One stream: hears the lines of the journal, and makes events when its client takes some."""

    def __init__(self, streams: Streams) -> None:
        self.is_over = False
        self._streams = streams
        self._said_s = monotonic_s()

    def take(self) -> bytes:
        """Return the events that have come up."""
        try:
            self._streams.look()
            made = b"".join(self.events()) if not self.is_over else b""
        except (CuectlError, OSError, BadView, ValueError):
            # One that goes wrong must not end the others.
            self.is_over, made = True, b""
        now_s = monotonic_s()
        if made:
            self._said_s = now_s
        elif now_s - self._said_s >= QUIET_S:
            # Without a word for long, something between here and there would end it.
            self._said_s, made = now_s, b":\n\n"
        return made

    def close(self) -> None:
        """Forget the client."""
        self._streams.forget(self)

    def hear(self, lines: list[Record]) -> None:
        """Take in new lines of the journal."""

    def events(self) -> Iterable[bytes]:
        """Return the events of now."""
        return ()


class CueNews(PageStream):
    """The rows of the cues that something has happened to since a line of the journal."""

    def __init__(self, streams: Streams, runtime: Runtime, values: Values, begin: int) -> None:
        super().__init__(streams)
        self._runtime = runtime
        self._values = values
        self._changed: dict[str, None] = {}
        lines = open_reader(runtime.existing_store).history.newest_first([()])
        missed = takewhile(lambda line: line["seq"] > begin, lines)
        self.hear(found := list(islice(missed, _MOST_MISSED + 1)))
        self._is_behind = len(found) > _MOST_MISSED

    def hear(self, lines: list[Record]) -> None:
        """Note the cues that lines are about."""
        self._changed |= {line["cue"]: None for line in lines if "cue" in line}

    def events(self) -> Iterable[bytes]:
        """Yield the rows that changed, as the table has them, and the line above it."""
        if self._is_behind:
            self.is_over = True
            yield event("behind", {})
            return
        some = list(self._changed)[:_MOST_ROWS]
        if not some:
            return
        look = PageLook(self._runtime, lately=self._streams.lately)
        values = {**look.values("", ""), **self._values()}
        for one in some:
            del self._changed[one]
        for cue_id in some:
            known = read_cue_by_name(look.reader, cue_id)
            row = row_of(look, *known) if known else None
            html = "" if row is None else render("parts.html", values, "cue_row", row)
            yield event("put", {"id": cue_id, "html": html})
        values |= self._streams.counted(look)
        values["next_in"] = look.values("", "", values["next_at"])["next_in"]
        html = render("parts.html", values, "summary", values["counts"])
        yield event("put", {"id": "summary", "html": html}, look.reader.place.seq)


class RunNews(PageStream):
    """What an execution prints from a place on, until there is something else to be shown."""

    def __init__(self, streams: Streams, look: PageLook, record: Record, begin: int) -> None:
        super().__init__(streams)
        self._id = str(record["id"])
        attempt = record.get("attempt", 1)
        path = paths.run_file(look.reader.home, self._id, attempt, "out")
        self._file = output.GrowingFile(path, begin)
        self._colours = Colours()
        self._mask = look.mask.stream() if look.mask else None
        self._has_changed = record["status"] in FINAL

    def close(self) -> None:
        """Forget the client, and let go of the file."""
        super().close()
        self._file.close()

    def hear(self, lines: list[Record]) -> None:
        """Note that the execution stands otherwise now."""
        self._has_changed = self._has_changed or any(
            line.get("execution") == self._id for line in lines
        )

    def events(self) -> Iterable[bytes]:
        """Yield what was printed since, and in the end that the page is old."""
        data, at, skipped = self._file.next_piece(PIECE_BYTES, _FAR_BEHIND)
        if skipped:
            yield event("skip", {"bytes": skipped})
        end = self._has_changed and len(data) < PIECE_BYTES
        if self._mask:
            data = self._mask.feed(data, live=True) + (self._mask.finish() if end else b"")
        if runs := self._colours.feed(data, final=end):
            yield event("out", runs, at)
        if end:
            self.is_over = True
            yield event("end", {})


def event(kind: str, data: object, place: int | None = None) -> bytes:
    """Return an event as it is sent; `place` is where a client that comes again goes on."""
    number = "" if place is None else f"id: {place}\n"
    return f"event: {kind}\n{number}data: {json.dumps(data)}\n\n".encode()
