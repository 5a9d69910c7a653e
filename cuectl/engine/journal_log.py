"""The journal for people: which lines they ask for, what each is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.model.instants import from_text
from cuectl.model.values import dataclass
from cuectl.store.lines import encode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.store.history import History
    from cuectl.store.history_scan import Query

Record = dict[str, Any]

# Bookkeeping that tells a person nothing.
_SILENT = ("journal.closed", "cue.planned", "key.forgotten", "revised.forgotten")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilter:
    """Which lines are asked for.

    Attributes:
        cue_ids: ids of cues or starts of ids; with `cue_name`, either is enough.
        cue_name: a name that the cue had at the time.
        since: lines from this instant on.
        everything: bookkeeping too.
    """

    cue_ids: tuple[str, ...] = ()
    cue_name: str | None = None
    since: int | None = None
    everything: bool = False

    def queries(self) -> list[Query]:
        """Return what stands in every line that is asked for."""
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
        return any(cue.startswith(one) for one in self.cue_ids) or self._is_named(line)

    def _is_named(self, line: Record) -> bool:
        return self.cue_name is not None and self.cue_name == name_in(line)


def newest_lines(history: History, wanted: LogFilter, count: int | None) -> list[Record]:
    """Return the newest lines that are asked for, in the order in which they were written."""
    found: list[Record] = []
    if count == 0:
        return found
    for line in history.newest_first(wanted.queries(), wanted.since):
        if wanted.matches(line):
            found.append(line)
            if count is not None and len(found) >= count:
                break
    return found[::-1]


def ids_named(history: History, name: str) -> tuple[str, ...]:
    """Return the ids of all cues that ever had a name; looks through the whole journal."""
    wanted = LogFilter(cue_name=name, everything=True)
    lines = history.newest_first(wanted.queries())
    return tuple(
        dict.fromkeys(line["cue"] for line in lines if "cue" in line and wanted.matches(line))
    )


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
    record = line.get("record")
    if isinstance(record, dict):
        yield record
    kind = line["type"].partition(".")[0]
    folders = {"execution": ("open/", "waiting/"), "cue": ("cues/",), "alert": ("alerts/",)}
    for path, value in line.get("set", {}).items():
        wanted = path.startswith(folders.get(kind, ()))
        if wanted and isinstance(value, dict) and path.count(".") == 1:
            yield value
    detail = line.get("detail")
    if isinstance(detail, dict) and kind in ("cue", "alert"):
        yield detail


def public_line(line: Record) -> Record:
    """Return a line for programs: `type`, `time`, and its members without the views."""
    hidden = ("type", "at", "n", "left", "set", "prev", "sum")
    rest = {name: value for name, value in line.items() if name not in hidden}
    return {"type": line["type"], "time": line["at"], **rest}
