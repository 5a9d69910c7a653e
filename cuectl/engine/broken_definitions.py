"""Which definition files can't be read as they are now, and what is wrong with them."""

from __future__ import annotations

from cuectl.engine.definitions_in_force import compiled, config_records, definitions
from cuectl.model.errors import InvalidFile, NotFound
from cuectl.store import idle
from cuectl.store.definition_sources import HOME_VIEW, home_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.store.reading import Reader


def broken_definitions(reader: Reader) -> dict[str, str]:
    """Return definition file to what is wrong with it.

    What passes have found, and for the user's own file also what the next pass will find.

    Raises:
        StateError: what was taken over is damaged.
    """
    problems = dict(definitions(reader).problems)
    if not reader.home:
        return problems
    path = home_path(reader.home)
    seen = (reader.read(HOME_VIEW) or {}).get("identity")
    if idle.identity(path) in ("-", seen):
        return problems
    problems.pop(path, None)
    problem = _problem_of(path, reader)
    return problems | ({path: problem} if problem else {})


def _problem_of(path: str, reader: Reader) -> str | None:
    from cuectl.model.definition_files import override
    from cuectl.model.definitions import Definitions
    from cuectl.store.definition_checks import load_definitions
    from cuectl.store.definition_sources import read_source

    others = Definitions()
    for record in config_records(reader):
        if record["kind"] != "home":
            others = override(others, compiled(record))
    try:
        load_definitions(read_source(path).data, path, elsewhere=others)
    except (InvalidFile, NotFound) as error:
        return error.message
    return None
