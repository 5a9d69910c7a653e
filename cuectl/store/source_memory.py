"""What event sources remember: one file each, synced before the commit that names it.

The record of a source (`sources/<cue id>.json`, a view) names its file by number and sum, so the
memory moves on in the same commit as the events (contracts.md, identity 5). When polls are due
again is in `polls`, which nothing depends on.
"""

from __future__ import annotations

import hashlib
import json
import os

from cuectl.store import files
from cuectl.store.workflow_files import try_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.store.journal.lines import Views
    from cuectl.values.records import Record

FOLDER = "memory"
_LOCK = ".lock"
_LARGEST = 1 << 30
_ENCODE = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


def write(home: str, cue_id: str, generation: int, memory: Record) -> Record:
    """Make a memory durable beside the one in use; return what the record names it by."""
    data = _ENCODE.encode(memory).encode("ascii")
    digest = hashlib.sha256(data).hexdigest()[:32]
    named = {"generation": generation, "bytes": len(data), "sha256": digest}
    files.replace_file(_path(home, cue_id, named), data, durable=True)
    return named


def read(home: str, cue_id: str, named: Record) -> Record:
    """Return the memory that a record names. Raises OSError, ValueError, KeyError: damage."""
    path = _path(home, cue_id, named)
    data = files.read_file(path, _LARGEST)
    if data is None:
        raise FileNotFoundError(2, "no such file", path)
    if hashlib.sha256(data).hexdigest()[:32] != named["sha256"]:
        raise ValueError(f"'{path}' is not what was written")
    memory = json.loads(data)
    if not isinstance(memory, dict):
        raise TypeError(f"'{path}' holds no object")
    return memory


def keep_only(home: str, cue_id: str, named: Record | None) -> None:
    """Remove the memories of a source but the one that is named; None is for one that is gone."""
    kept = () if named is None else (file_name(cue_id, named), f"{cue_id}{_LOCK}")
    for name in files.list_directory(f"{home}/{FOLDER}"):
        if name.startswith(f"{cue_id}.") and name not in kept:
            files.remove_file(f"{home}/{FOLDER}/{name}")


def unnamed(home: str, views: Views) -> list[str]:
    """Return the paths, below the home, of memories that no record names: of dead passes."""
    named = {name for name, _ in _named_in(views)}
    names = sorted(files.list_directory(f"{home}/{FOLDER}"))
    return [f"{FOLDER}/{one}" for one in names if one not in named and one.endswith(".json")]


def damaged(home: str, views: Views) -> list[tuple[str, str]]:
    """Return the memories that records name and that are gone or damaged, and why."""
    found = []
    for name, (cue_id, named) in _named_in(views):
        try:
            read(home, cue_id, named)
        except (OSError, ValueError, TypeError, KeyError) as error:
            found.append((f"{FOLDER}/{name}", str(error)))
    return found


def _named_in(views: Views) -> list[tuple[str, tuple[str, Record]]]:
    found = []
    for path, value in views.items():
        if path.startswith("sources/") and isinstance(value, dict) and "memory" in value:
            cue_id, named = path[8:].removesuffix(".json"), value["memory"]
            found.append((file_name(cue_id, named), (cue_id, named)))
    return found


def file_name(cue_id: str, named: Record) -> str:
    """Return the name of a memory; its content is part of it, so no two share a file."""
    return f"{cue_id}.{int(named['generation'])}.{named['sha256']}.json"


def _path(home: str, cue_id: str, named: Record) -> str:
    return f"{home}/{FOLDER}/{file_name(cue_id, named)}"


def hold(home: str, cue_id: str) -> int | None:
    """Take the lock of a source for a poll; None while another pass polls it (hole A10)."""
    return try_lock(f"{home}/{FOLDER}/{cue_id}{_LOCK}")


def release(fd: int) -> None:
    """Give the lock of a source back."""
    os.close(fd)


def read_polls(home: str) -> Record:
    """Return when each source is to be polled again; empty where it is not known."""
    try:
        data = files.read_file(f"{home}/polls")
        polls = json.loads(data) if data else {}
    except (OSError, ValueError):
        return {}
    return polls if isinstance(polls, dict) else {}


def write_polls(home: str, polls: Record) -> None:
    """Note when each source is to be polled again; the store lock is held."""
    path = f"{home}/polls"
    if polls:
        files.replace_file(path, _ENCODE.encode(polls).encode("ascii"))
    else:
        files.remove_file(path)
