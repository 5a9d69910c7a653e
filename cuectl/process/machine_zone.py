"""The time zone of this machine, found as `date` finds it, under a name of the tz database."""

from __future__ import annotations

import os
import re
import zoneinfo
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING

from cuectl.schedule.zones import find_zone, is_plain_name

if TYPE_CHECKING:
    from collections.abc import Mapping

_DATABASE = re.compile(r".*?/zoneinfo[^/]*/(.*)")
# The same zones, without and with leap seconds.
_ALTERED = re.compile("^(?:posix|right)/")
# In a rule `CET-1CEST,M3.5.0,M10.5.0/3`: what the times are called, and what need not be written.
_CALLED = re.compile(r"<[^>]*>|[A-Za-z]{3,}")
_USUAL = re.compile(r"\+|:00|/0?2(?=,|$)|(?<!\d)0(?=\d)")


def machine_zone(environment: Mapping[str, str], etc: str = "/etc") -> str | None:
    """Return the name that TZ or else `/etc/localtime` stands for; None: it can't be found.

    Both may name a zone of the database, also by the path of its file. A file that is a copy,
    and a rule in TZ, become the zone that has the same rule; `/etc/timezone` is asked first.
    """
    said = environment.get("TZ")
    if said is None:
        return _of_file(f"{etc}/localtime", etc)
    name = _ALTERED.sub("", said.removeprefix(":")) or "UTC"
    if name.startswith("/") or name == "localtime":
        return _of_file(os.path.join(etc, name), etc)
    return name if _is_zone(name) else _like(name.encode(errors="surrogateescape"), etc)


def _of_file(path: str, etc: str) -> str | None:
    named = _DATABASE.fullmatch(os.path.realpath(path))
    name = _ALTERED.sub("", named[1]) if named else ""
    if _is_zone(name):
        return name
    content = _content(path)
    if not content and path == f"{etc}/localtime":
        # Where nothing at all is set, as in small containers, every clock shows UTC.
        return _said_in(etc) or (None if os.path.lexists(path) else "UTC")
    return _like(content, etc) if content else None


def _like(wanted: bytes, etc: str) -> str | None:
    """Return the zone with this file, else with the rule that ends it, whatever it is called."""
    rule, said = _rule(wanted), _said_in(etc)
    if not rule or (said and _rule(_zone_file(said)) == rule):
        return said
    names = [name for name in sorted(zoneinfo.available_timezones()) if is_plain_name(name)]
    # A name without a region, such as CET, claims the least about where this machine is.
    names.sort(key=lambda name: "/" in name.removeprefix("Etc/"))
    files = {name: _zone_file(name) for name in ("UTC", *names)}
    same_file = (name for name, file in files.items() if file == wanted)
    same_rule = (name for name, file in files.items() if _rule(file) == rule)
    same_times = (name for name, file in files.items() if _times(_rule(file)) == _times(rule))
    return next(chain(same_file, same_rule, same_times), None)


def _said_in(etc: str) -> str | None:
    words = _content(f"{etc}/timezone").decode("ascii", "replace").split()
    return words[0] if words and _is_zone(words[0]) else None


def _rule(content: bytes) -> str:
    return content.rstrip(b"\n").rpartition(b"\n")[2].decode("ascii", "replace")


def _times(rule: str) -> str:
    return _USUAL.sub("", _CALLED.sub("*", rule))


def _is_zone(name: str) -> bool:
    return name == "UTC" or find_zone(name) is not None


def _zone_file(name: str) -> bytes:
    return next(filter(None, (_content(f"{place}/{name}") for place in zoneinfo.TZPATH)), b"")


def _content(path: str) -> bytes:
    with suppress(OSError), open(path, "rb") as opened:
        return opened.read(1 << 20)
    return b""
