"""The variables of prompts that do not depend on the event: project, agent, date and time.

All names that the peer of the second page knows are known here, so that its prompts pass the
check; what has no meaning without a desktop app is empty (reference/maestro-cue.md 4).
"""

from __future__ import annotations

from cuectl.model.instants import DAY, MINUTE, civil
from cuectl.model.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Who is given a prompt, where and when.

    Attributes:
        agent: its name; empty for none.
        agent_id: what another system calls it.
        driver: the program behind it.
        directory: where it works, absolute.
        now: the instant at which the prompt is made.
        offset_minutes: of local time from UTC at that instant.
        session: the conversation, where there is one.
    """

    agent: str = ""
    agent_id: str = ""
    driver: str = ""
    directory: str = ""
    now: int
    offset_minutes: int = 0
    session: str = ""


def standard_value(name: str, place: Place) -> str:
    """Return the value of a standard variable.

    Raises:
        KeyError: there is none of that name.
    """
    return STANDARD[name](place)


def _clock(place: Place) -> tuple[int, int, int, int, int, int]:
    local = place.now + place.offset_minutes * MINUTE
    seconds = local % DAY // 1000
    return (*civil(local // DAY), seconds // 3600, seconds // 60 % 60, seconds % 60)


def _date(place: Place) -> str:
    year, month, day, *_ = _clock(place)
    return f"{year:04d}-{month:02d}-{day:02d}"


def _time(place: Place) -> str:
    _, _, _, hour, minute, second = _clock(place)
    return f"{hour:02d}:{minute:02d}:{second:02d}"


def _date_short(place: Place) -> str:
    year, month, day, *_ = _clock(place)
    return f"{month:02d}/{day:02d}/{year % 100:02d}"


def _weekday(place: Place) -> str:
    days = (place.now + place.offset_minutes * MINUTE) // DAY
    return _WEEKDAYS[(days + 3) % 7]


def _directory(place: Place) -> str:
    return place.directory


def _empty(_: Place) -> str:
    return ""


STANDARD: dict[str, Callable[[Place], str]] = {
    "PROJECT_ROOT": _directory,
    "PROJECT_PATH": _directory,
    "PROJECT_NAME": lambda place: place.directory.rstrip("/").rpartition("/")[2],
    "CWD": _directory,
    "AGENT_NAME": lambda place: place.agent,
    "AGENT_ID": lambda place: place.agent_id or place.agent,
    "AGENT_PATH": _directory,
    "TOOL_TYPE": lambda place: place.driver,
    "SESSION_ID": lambda place: place.session,
    "SESSION_NAME": lambda place: place.agent,
    "AGENT_SESSION_ID": lambda place: place.session,
    "DATE": _date,
    "TIME": _time,
    "DATETIME": lambda place: f"{_date(place)} {_time(place)}",
    "TIMESTAMP": lambda place: str(place.now),
    "DATE_SHORT": _date_short,
    "TIME_SHORT": lambda place: _time(place)[:5],
    "YEAR": lambda place: f"{_clock(place)[0]:04d}",
    "MONTH": lambda place: f"{_clock(place)[1]:02d}",
    "DAY": lambda place: f"{_clock(place)[2]:02d}",
    "WEEKDAY": _weekday,
    "IS_GIT_REPO": lambda _: "false",
    **dict.fromkeys(
        (
            *("AGENT_GROUP", "AGENT_HISTORY_PATH", "TAB_NAME", "AUTORUN_FOLDER", "GIT_BRANCH"),
            *("LOOP_NUMBER", "DOCUMENT_NAME", "DOCUMENT_PATH", "AGENT_DEEP_LINK"),
            *("TAB_DEEP_LINK", "GROUP_DEEP_LINK", "CONTEXT_USAGE", "MAESTRO_CLI_PATH"),
            "CONDUCTOR_PROFILE",
        ),
        _empty,
    ),
}
