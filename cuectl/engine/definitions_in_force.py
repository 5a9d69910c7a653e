"""The definitions that count now: `~/.cue/cue.yaml` and all files that were applied.

What is read here is the compiled JSON in the views under `config/`; YAML is read when a
file is taken over (`engine/apply.py`), and here only where the user's own file has changed
since the last pass and a command must already know what it says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.engine.known_definitions import config_records, own_file_is_new
from cuectl.model.definition_files import override, with_own_defaults
from cuectl.model.definition_records import from_record
from cuectl.model.definitions import Definitions
from cuectl.model.errors import InvalidFile, NotFound, StateError
from cuectl.model.values import dataclass, field, replace
from cuectl.store import idle
from cuectl.store.definition_views import ABSENT, HOME_VIEW, home_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cuectl.engine.runtime import Runtime
    from cuectl.engine.view_source import ViewSource
    from cuectl.model.definitions import AgentDefinition, AlertSink, Handler, Settings

Record = dict[str, Any]

__all__ = [
    "NOTHING",
    "InForce",
    "compiled",
    "config_records",
    "definitions",
    "definitions_for_pass",
    "definitions_now",
    "load_worker_file",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """All definitions together, the user's own file over the applied ones.

    Attributes:
        paths: the files, the user's own first.
        problems: path to what is wrong with a file whose last good definitions count.
    """

    definitions: Definitions = field(default_factory=Definitions)
    paths: tuple[str, ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict)

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

    def agent(self, name: str) -> AgentDefinition | None:
        """Return the agent of that name, else of that id; None when nobody is called so."""
        agents = self.definitions.agents
        if name in agents:
            return agents[name]
        return next((each for each in agents.values() if each.id == name), None)

    @property
    def alerts(self) -> Mapping[str, AlertSink]:
        """Where alerts go, by name."""
        return self.definitions.alerts


NOTHING = InForce()


def definitions(source: ViewSource) -> InForce:
    """Return the definitions in force: one listing, and JSON only.

    Args:
        source: the store with its lock held, a change, or a reader.

    Raises:
        StateError: a view is damaged.
    """
    return _in_force(config_records(source), None)


def _in_force(records: list[Record], own: Definitions | None) -> InForce:
    """Put all together; `own` takes the place of the user's own file as it was compiled."""
    if not records and own is None:
        return NOTHING
    parts = [compiled(one) for one in records if own is None or one["kind"] != "home"]
    merged = _merged([*parts, own] if own is not None else parts)
    problems = {one["path"]: one["problem"]["message"] for one in records if "problem" in one}
    paths = tuple(record["path"] for record in reversed(records))
    return InForce(definitions=merged, paths=paths, problems=problems)


def _merged(parts: Iterable[Definitions]) -> Definitions:
    merged = Definitions()
    for part in parts:
        merged = override(merged, part)
    return merged


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


def definitions_now(source: ViewSource, home: str) -> InForce:
    """Return the definitions in force as they will be once a pass has seen `cue.yaml`.

    For commands that make cues between a change of the file and the next pass. A broken
    file changes nothing.
    """
    records = config_records(source)
    if not own_file_is_new(records, home):
        return _in_force(records, None)
    from cuectl.store.definition_checks import load_definitions
    from cuectl.store.definition_sources import read_source

    path = home_path(home)
    others = _merged(compiled(one) for one in records if one["kind"] != "home")
    try:
        fresh = load_definitions(read_source(path).data, path, elsewhere=others)
    except (InvalidFile, NotFound):
        return _in_force(records, None)
    return _in_force(records, with_own_defaults(fresh))


def definitions_for_pass(runtime: Runtime) -> tuple[InForce, str | None]:
    """Return the definitions in force, the user's own file taken over where it has changed.

    Returns:
        Also a line for people when the file could not be taken over, at its first sight.

    Raises:
        LockTimeout, StateError: as every change.
    """
    store = runtime.store
    with store.locked():
        own = store.read(HOME_VIEW)
        in_force = definitions(store)
    seen = own["identity"] if own else ABSENT
    if idle.identity(home_path(store.home)) == seen:
        return in_force, None
    from cuectl.engine.home_file import apply_home_file

    problem = apply_home_file(runtime)
    with store.locked():
        return definitions(store), problem


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
