"""`cuectl config list`: the settings in force and where each comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.options import Command, Option
from cuectl.cli.tables import Column

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cuectl.cli.call import Call


def run(call: Call, *, origin: bool) -> int | None:
    """Print the state directory, the zone, and every setting."""
    del origin  # It is printed in any case; whoever asks for it gets it.
    from cuectl.engine.settings_origin import settings_with_origin
    from cuectl.store.reading import open_reader

    reader = open_reader(call.runtime.existing_store)
    rows = settings_with_origin(reader, call.runtime.home)
    for row in rows:
        if row["name"] == "timezone" and row["value"] is None:
            zoned = bool(call.environment.get("TZ"))
            row |= {"value": call.runtime.zone, "origin": "TZ" if zoned else "system"}
    columns = (
        Column(key="name", title="SETTING"),
        Column(key="value", show=_shown),
        Column(key="origin"),
    )
    call.out.records([_home(call), *rows], columns)
    for note in reader.notes:
        call.out.warn(note)
    return None


def _home(call: Call) -> dict[str, Any]:
    origin = "built-in"
    if call.environment.get("CUECTL_HOME"):
        origin = "CUECTL_HOME"
    if call.settings.home:
        origin = "--home"
    return {"name": "home", "value": call.runtime.home, "origin": origin}


def _shown(row: Mapping[str, Any]) -> str:
    value = row["value"]
    if value is not None and row["name"].endswith("_s"):
        from cuectl.model.durations import duration_text

        return duration_text(value)
    return "" if value is None else str(value)


command = Command(
    name="config list",
    summary="List the settings in force and where each comes from",
    description="""
        Prints the state directory, the time zone and every setting with its value and its
        origin: an option, a variable, the file that says so, or built-in. Names that end in _s
        are in seconds under --json and --plain.
    """,
    options=(Option(name="--origin", help="Print where each comes from; this is so anyway"),),
    see_also=("cue.yaml(5)", "cuectl-environment(7)"),
    run=run,
)
