"""The short way of a pass that has nothing to do but to look at files and tasks.

The full pass before has left in `polls` what it asked and which memory belongs to it, and
`next` says that nothing has happened to the store since. Whatever is not plain and quiet
(news, errors, a file that is not there) is left to a full pass, which looks itself. Little is
imported here, and nothing is written.
"""

from __future__ import annotations

import json
import time

from cuectl.engine.sources import POLLED, Ask, SourceError
from cuectl.store import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Record = dict[str, Any]


_NOTHING: Mapping[str, str] = {}


def find_nothing(home: str) -> bool:
    """Tell whether all sources that each pass looks at are as they were."""
    try:
        polls = json.loads(files.read_file(f"{home}/polls") or b"{}")
        quick = [plan["quick"] for plan in polls.values() if "quick" in plan]
        return all(_is_quiet(home, one) for one in quick)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SourceError):
        return False


def _is_quiet(home: str, quick: Record) -> bool:
    memory = json.loads(files.read_file(f"{home}/memory/{quick['memory']}", 1 << 30) or b"")
    source = POLLED[quick["event"]]
    seen = source.poll(
        Ask(
            trigger={"watch": quick["watch"]},
            root=quick["root"],
            memory=memory,
            now=0,
            machine_ns=time.time_ns(),
            deadline_s=time.monotonic() + source.limit_s,
            environment=_NOTHING,
            home=home,
            accepts=bool,
        )
    )
    return not seen.happenings and seen.memory is None and seen.problem is None and not seen.rests
