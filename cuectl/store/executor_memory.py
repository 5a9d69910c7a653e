"""What passes remember of executors between them; losing it makes them publish and look again.

`executors.json`: when each key was sent, and since when its worker has been silent. A key in it may
still have cells somewhere. `executors.look`: what a pass that has nothing else to do expects to
find (`quiet_look.py`). `fsck` knows neither; a look that found nothing writes no journal.
"""

from __future__ import annotations

import json

from cuectl.store import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.values.records import Record

MEMORY, LOOK = "executors.json", "executors.look"


def read(home: str) -> Record:
    """Return what is remembered, by the name of the executor; empty where it is not known."""
    try:
        data = files.read_file(f"{home}/{MEMORY}", 1 << 26)
        memory = json.loads(data) if data else {}
    except (OSError, ValueError):
        return {}
    return memory if isinstance(memory, dict) else {}


def write(home: str, memory: Record) -> None:
    """Remember this."""
    if memory:
        files.replace_file(f"{home}/{MEMORY}", json.dumps(memory).encode("ascii"))
    else:
        files.remove_file(f"{home}/{MEMORY}")


def write_look(home: str, lines: list[str]) -> None:
    """Leave what a quiet look expects, the store lock held; nothing for none."""
    if lines:
        files.replace_file(f"{home}/{LOOK}", "".join(f"{one}\n" for one in lines).encode())
    else:
        files.remove_file(f"{home}/{LOOK}")
