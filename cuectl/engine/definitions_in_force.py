"""The definitions that count now: `~/.cue/cue.yaml` and all files that were applied.

What is read here is the compiled JSON in the views under `config/`; YAML is read when a
file is taken over (`engine/apply.py`), and here only where the user's own file has changed
since the last pass and a command must already know what it says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from cuectl.model.definition_files import override, with_own_defaults
from cuectl.model.definition_records import from_record
from cuectl.model.definitions import Definitions
from cuectl.model.errors import InvalidFile, NotFound, StateError
from cuectl.store import idle
from cuectl.store.definition_sources import FOLDER, HOME_VIEW, home_path
from cuectl.store.views import BadView

if TYPE_CHECKING:
    from cuectl.model.definitions import AgentDefinition, AlertSink, Handler, Settings

Record = dict[str, Any]


class Source(Protocol):
    """What views can be read from: the store, or a change of it."""

    def read(self, path: str) -> Record | None:
        """Return the object of a view."""

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder of views."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """All definitions together, the user's own file over the applied ones.

    Attributes:
        paths: the files, the user's own first.
        problems: path to what is wrong with a file whose last good definitions count.
    """

    definitions: Definitions = Definitions()
    paths: tuple[str, ...] = ()
    problems: Mapping[str, str]

    def handler(self, task: str) -> Handler | None:
        """Return how a task is done, None when nobody here knows."""
        return self.definitions.handlers.get(task)

    @property
    def settings(self) -> Settings:
        """The settings of all files; of one that several give, the user's own file decides."""
        return self.definitions.settings

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of the variables whose values are masked."""
        return self.definitions.secrets

    @property
    def agents(self) -> Mapping[str, AgentDefinition]:
        """Whoever can be given a prompt, by name."""
        return self.definitions.agents

    @property
    def alerts(self) -> Mapping[str, AlertSink]:
        """Where alerts go, by name."""
        return self.definitions.alerts


NOTHING = InForce(problems={})


def config_records(source: Source) -> list[Record]:
    """Return what was taken over of each file, applied ones by path, the user's own last.

    Raises:
        StateError: a view is damaged.
    """
    records: list[Record] = []
    for name in source.names(FOLDER):
        try:
            record = source.read(f"{FOLDER}/{name}")
        except BadView as error:
            message = f"the definitions in '{FOLDER}/{name}' are damaged"
            raise StateError(message, hint="mend them: cuectl fsck --rebuild") from error
        if record is not None:
            records.append(record)
    return sorted(records, key=lambda record: (record["kind"] == "home", record["path"]))


def definitions(source: Source) -> InForce:
    """Return the definitions in force: one listing, and JSON only.

    Args:
        source: the store with its lock held, a change, or a reader.

    Raises:
        StateError: a view is damaged.
    """
    records = config_records(source)
    if not records:
        return NOTHING
    merged = Definitions()
    for record in records:
        merged = override(merged, compiled(record))
    paths = tuple(record["path"] for record in reversed(records))
    problems = {
        record["path"]: record["problem"]["message"] for record in records if "problem" in record
    }
    return InForce(definitions=merged, paths=paths, problems=problems)


def compiled(record: Record) -> Definitions:
    """Return the definitions in a view.

    Raises:
        StateError: they are not what this version writes.
    """
    try:
        return from_record(record["definitions"])
    except (KeyError, TypeError, ValueError) as error:
        message = f"the definitions taken over from '{record.get('path')}' are damaged"
        raise StateError(message, hint="apply the file again") from error


def definitions_now(source: Source, home: str) -> InForce:
    """Return the definitions in force as they will be once a pass has seen `cue.yaml`.

    For commands that make cues between a change of the file and the next pass. A broken
    file changes nothing.
    """
    in_force = definitions(source)
    own = source.read(HOME_VIEW)
    found = idle.identity(home_path(home))
    if found in ("-", own["identity"] if own else "-"):
        return in_force
    from cuectl.store.definition_checks import load_definitions
    from cuectl.store.definition_sources import read_source

    try:
        fresh = load_definitions(read_source(home_path(home)).data, home_path(home))
    except (InvalidFile, NotFound):
        return in_force
    merged = override(in_force.definitions, with_own_defaults(fresh))
    return replace(in_force, definitions=merged)


def load_worker_file(path: str, base: InForce) -> InForce:
    """Return the definitions of a worker: those of its file over all others.

    Raises:
        NotFound, InvalidFile: the file is missing or not valid.
    """
    from cuectl.store.definition_checks import load_definitions
    from cuectl.store.definition_sources import read_source

    source = read_source(path)
    own = load_definitions(source.data, path, elsewhere=base.definitions)
    merged = override(base.definitions, with_own_defaults(own))
    return replace(base, definitions=merged, paths=(source.path, *base.paths))
