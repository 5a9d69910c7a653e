"""The journal for people: which lines they ask for, what each is about."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from cuectl.store.journal.lines import encode
from cuectl.values.records import Record, dataclass
from cuectl.values.times import from_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.store.history import History, Query

_SILENT = ("journal.closed", "cue.planned", "key.forgotten", "revised.forgotten")
_HIDDEN = ("type", "at", "n", "left", "set", "prev", "sum")
_FOLDERS = {"execution": ("open/", "waiting/"), "cue": ("cues/",), "alert": ("alerts/",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilter:
    """Which lines are asked for; of ids (or their starts) and the name at the time one suffices."""

    cue_ids: tuple[str, ...] = ()
    cue_name: str | None = None
    since: int | None = None
    everything: bool = False

    def queries(self) -> list[Query]:
        """Return what is in every line that is asked for."""
        if not self.cue_ids and self.cue_name is None:
            return [()]
        ids = (encode(one)[:-1].encode("ascii") for one in self.cue_ids)
        name = encode(self.cue_name).encode("ascii")
        named = (b'"cue_name":' + name, b'"name":' + name) if self.cue_name is not None else ()
        return [((*(b'"cue":' + one for one in ids), *named),)]

    def matches(self, line: Record) -> bool:
        """Tell whether a line is asked for."""
        if line["type"] in _SILENT and not self.everything:
            return False
        if self.since is not None and from_text(line["at"]) < self.since:
            return False
        if not self.cue_ids and self.cue_name is None:
            return True
        cue = line.get("cue", "")
        named = self.cue_name is not None and self.cue_name == name_in(line)
        return named or any(cue.startswith(one) for one in self.cue_ids)


def newest_lines(history: History, wanted: LogFilter, count: int | None) -> list[Record]:
    """Return the newest lines that are asked for, in the order in which they were written."""
    lines = history.newest_first(wanted.queries(), wanted.since)
    return list(islice(filter(wanted.matches, lines), count))[::-1]


def ids_named(history: History, name: str) -> tuple[str, ...]:
    """Return the ids of all cues that ever had a name; looks through the whole journal."""
    wanted = LogFilter(cue_name=name, everything=True)
    lines = filter(wanted.matches, history.newest_first(wanted.queries()))
    return tuple(dict.fromkeys(line["cue"] for line in lines if "cue" in line))


def name_in(line: Record) -> str | None:
    """Return the name of the cue that a line is about, as far as the line has it."""
    for body in _bodies(line):
        name = body.get("cue_name") or body.get("name")
        if isinstance(name, str):
            return name
    return None


def record_in(line: Record) -> Record | None:
    """Return the execution, the definition or the alert that a line has as it was then."""
    return next(_bodies(line), None)


def _bodies(line: Record) -> Iterator[Record]:
    """Return the records that a line has, its own first."""
    kind = line["type"].partition(".")[0]
    places = _FOLDERS.get(kind, ())
    views = line.get("set", {}).items()
    changed = [view for path, view in views if path.startswith(places) and path.count(".") == 1]
    detail = line.get("detail") if kind in ("cue", "alert") else None
    return (body for body in (line.get("record"), *changed, detail) if isinstance(body, dict))


def public_line(line: Record) -> Record:
    """Return a line for programs: `type`, `time`, and its members without the views."""
    rest = {name: value for name, value in line.items() if name not in _HIDDEN}
    return {"type": line["type"], "time": line["at"], **rest}
