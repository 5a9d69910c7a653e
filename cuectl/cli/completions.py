"""What the shell offers for a value. Completion never fails and never writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem

    from cuectl.cli.options import Argument, Option
    from cuectl.store.reading import Reader

Found = Iterable[tuple[str, str]]
Complete = Callable[["click.Context", "click.Parameter", str], list["CompletionItem"]]


def completer(declared: Option | Argument) -> Complete | None:
    """Return click's callback for what an option or argument takes; None for free text."""
    if not declared.choices and not declared.complete:
        return None

    def complete(ctx: Any, parameter: Any, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        if declared.complete in ("file", "directory"):
            kind = "dir" if declared.complete == "directory" else "file"
            return [CompletionItem(incomplete, type=kind)]
        if declared.choices:
            found: Found = ((choice, "") for choice in declared.choices)
        else:
            found = _quietly(KINDS[declared.complete])
        return [CompletionItem(w, help=h) for w, h in found if w.startswith(incomplete)]

    return complete


def _quietly(source: Callable[[], Found]) -> Found:
    from cuectl.model.errors import CuectlError

    try:
        return list(source())
    except (CuectlError, OSError, ValueError, KeyError):
        return []


def _zones() -> Found:
    import zoneinfo

    return ((name, "") for name in sorted(zoneinfo.available_timezones()))


def _topics() -> Found:
    from cuectl.cli.manual.pages import page_names

    return ((name, "") for name in page_names())


def _reader() -> Reader:
    import os

    from cuectl.engine.runtime import runtime_from
    from cuectl.store.reading import open_reader

    return open_reader(runtime_from(os.environ).existing_store, limit_s=0.05)


def _cues() -> Found:
    """Names of cues, with their states."""
    reader = _reader()
    ids = [name[:-5] for name in reader.names("cues") if name.count(".") == 1]
    found = []
    # A list that nobody can read does not have to be complete.
    for cue_id in sorted(ids)[:_MOST]:
        record = reader.read(f"cues/{cue_id}.json") or {}
        state = reader.read(f"cues/{cue_id}.s.json") or {}
        found.append((str(record.get("name", cue_id)), str(state.get("status", ""))))
    return iter(sorted(found))


def _executions() -> Found:
    """Ids of executions that are not settled, with cue and state."""
    reader = _reader()
    for folder in ("open", "waiting"):
        for name in sorted(reader.names(folder), reverse=True)[:_MOST]:
            record = reader.read(f"{folder}/{name}") or {}
            about = f"{record.get('cue_name', '')} {record.get('status', '')}"
            yield name.removesuffix(".json"), about.strip()


def _alerts() -> Found:
    """Ids of alerts, the newest first."""
    reader = _reader()
    for name in sorted(reader.names("alerts"), reverse=True)[:_MOST]:
        record = reader.read(f"alerts/{name}") or {}
        yield name.removesuffix(".json"), str(record.get("message", ""))


def _tasks() -> Found:
    """Names of handlers."""
    from cuectl.engine.definitions_in_force import definitions

    return ((name, "") for name in sorted(definitions(_reader()).definitions.handlers))


def _agents() -> Found:
    """Names of agents, with their drivers."""
    import os

    from cuectl.engine.definitions_in_force import definitions_now
    from cuectl.engine.runtime import runtime_from

    found = definitions_now(_reader(), runtime_from(os.environ).home).agents
    return ((name, found[name].driver) for name in sorted(found))


def _sinks() -> Found:
    """Names of alert sinks."""
    from cuectl.engine.definitions_in_force import definitions

    found = definitions(_reader()).alerts
    return ((name, found[name].kind) for name in sorted(found))


def _workflows() -> Found:
    """Names of workflows, with what they do."""
    import os

    from cuectl.engine.runtime import runtime_from
    from cuectl.engine.workflows.catalogue import catalogue

    found = catalogue(runtime_from(os.environ)).loaded.workflows
    return ((name, each.doc.partition("\n")[0]) for name, each in found.items())


def _runs() -> Found:
    """Ids of runs, the newest first."""
    from cuectl.engine.workflows.runs import read_run, run_ids

    reader = _reader()
    for each in reversed(run_ids(reader)[-_MOST:]):
        run = read_run(reader, each)
        if run is not None:
            yield run.id, f"{run.workflow} {run.status.value}"


def _queues() -> Found:
    """Names of queues and of agents."""
    from cuectl.engine.definitions_in_force import definitions

    found = definitions(_reader())
    queues = [(name, queue.agent) for name, queue in found.definitions.queues.items()]
    return [*queues, *((name, "agent") for name in found.agents)]


def _sessions() -> Found:
    """Handles of open sessions, with their agents."""
    from cuectl.engine.workflows.sessions import list_sessions

    return ((each.handle, each.agent) for each in list_sessions(_reader()) if not each.closed)


_MOST = 1_000

KINDS: dict[str, Callable[[], Found]] = {
    "agent": _agents,
    "alert": _alerts,
    "cue": _cues,
    "execution": _executions,
    "sink": _sinks,
    "task": _tasks,
    "queue": _queues,
    "run": _runs,
    "session": _sessions,
    "topic": _topics,
    "workflow": _workflows,
    "zone": _zones,
}
