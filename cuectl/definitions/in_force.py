"""The definitions that count now: `~/.cue/cue.yaml` and all files that were applied.

They come from the compiled JSON under `config/`. YAML is read when a file is taken over, and
here only where the user's own file is newer than the last pass and a command must know it.
"""

from __future__ import annotations

from contextlib import suppress

from cuectl.definitions.rules.definitions import Definitions, Settings
from cuectl.definitions.source_files import HOME, config_records, home_path, own_file_is_new
from cuectl.values.errors import InvalidFile, NotFound, StateError, UsageError
from cuectl.values.records import dataclass, field, fields, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from cuectl.definitions.rules.definitions import AgentDefinition, AlertSink, Handler
    from cuectl.executions.rules.record import Policy
    from cuectl.process.runtime import Runtime
    from cuectl.schedule.calendars import DayRule
    from cuectl.store.reading import Reader, ViewReader
    from cuectl.values.records import Record
    from cuectl.values.safe_text import Masker


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """All definitions together, the user's own file over the applied ones, and first in `paths`.

    Attributes:
        problems: path to what is wrong with a file whose last good definitions count.
        calendars: the days of each, as `definitions/calendars.py` has them.
    """

    definitions: Definitions = field(default_factory=Definitions)
    paths: tuple[str, ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict)
    calendars: Mapping[str, Record] = field(default_factory=dict)

    def day_rule(self, policy: Policy, trigger: Record, zone: Callable[[], str]) -> DayRule | None:
        """Return when a cue may start, None for always; `zone` is for one that names none."""
        maintenance = self.settings.maintenance
        if not (policy.except_ or policy.only or policy.move or maintenance):
            return None
        from cuectl.schedule.calendars import DayRule, parse_item

        own = self.settings.timezone or zone()
        return DayRule(
            zone=trigger.get("timezone") or own,
            skips=tuple(map(parse_item, policy.except_)),
            only=tuple(map(parse_item, policy.only)),
            move=policy.move,
            maintenance=tuple(map(parse_item, maintenance)),
            maintenance_zone=own,
            calendars=self.calendars,
        )

    def handler(self, task: str) -> Handler | None:
        """Return how a task is done, None when that is not known here."""
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
        """Those that can be given a prompt, by name."""
        return self.definitions.agents

    def agent(self, name: str) -> AgentDefinition | None:
        """Return the agent of that name, else of that id; None when there is none."""
        agents = self.definitions.agents
        if name in agents:
            return agents[name]
        return next((each for each in agents.values() if each.id == name), None)

    def agent_of(self, target: Record) -> AgentDefinition | None:
        """Return whom a target names: by the id that it gives, else by its name."""
        known = self.agent(target["agent_id"]) if target.get("agent_id") else None
        return known or self.agent(str(target.get("agent") or ""))

    def name_of(self, agent: str) -> str:
        """Return the name of an agent, whether it is called by that or by its id."""
        known = self.agent(agent)
        return agent if known is None else known.name

    @property
    def alerts(self) -> Mapping[str, AlertSink]:
        """Where alerts go, by name."""
        return self.definitions.alerts


NOTHING = InForce()


def definitions(source: ViewReader) -> InForce:
    """Return the definitions in force: one listing, and JSON only. Raises StateError."""
    return _in_force(config_records(source), None)


def _in_force(
    records: list[Record], own: Definitions | None, days: Mapping[str, Record] | None = None
) -> InForce:
    """Put all together; `own` takes the place of the user's own file as it was compiled."""
    if not records and own is None:
        return NOTHING
    from cuectl.definitions.rules.files import merged

    parts = [compiled(one) for one in records if own is None or one["kind"] != HOME]
    together = merged([*parts, own] if own is not None else parts)
    problems = {one["path"]: one["problem"]["message"] for one in records if "problem" in one}
    paths = tuple(record["path"] for record in reversed(records))
    calendars = {name: one for each in records for name, one in each.get("calendars", {}).items()}
    calendars |= days or {}
    return InForce(definitions=together, paths=paths, problems=problems, calendars=calendars)


def compiled(record: Record) -> Definitions:
    """Return the definitions in a view. Raises StateError: this version does not write such."""
    from cuectl.definitions.rules.files import from_record

    try:
        return from_record(record["definitions"])
    except (KeyError, TypeError, ValueError) as error:
        message = f"the definitions taken over from '{record.get('path')}' are damaged"
        raise StateError(message, hint="apply the file again") from error


def definitions_now(source: ViewReader, home: str) -> InForce:
    """Return the definitions as the next pass will have them; a broken own file changes nothing."""
    records = config_records(source)
    if own_file_is_new(records, home):
        with suppress(InvalidFile, NotFound):
            return _in_force(records, *_own_file(records, home))
    return _in_force(records, None)


def check_calendars(source: ViewReader, home: str, policy: Policy) -> None:
    """Check that the calendars of a cue are defined. Raises UsageError: it would run any day."""
    if not (policy.except_ or policy.only):
        return
    from cuectl.schedule.calendars import calendar_names

    for name in calendar_names((*policy.except_, *policy.only)):
        if name not in definitions_now(source, home).definitions.calendars:
            hint = "define it under 'calendars' in ~/.cue/cue.yaml, or write a date or workdays"
            raise UsageError(f"no calendar '{name}' is defined", hint=hint)


def check_executor(source: ViewReader, home: str, target: Record) -> None:
    """Check that the executor of a cue is defined. Raises UsageError: it would never start."""
    from cuectl.executions.rules.placement import LOCAL, executor_name

    name = executor_name(target.get("executor") or LOCAL)
    known = definitions_now(source, home).definitions.executors if name != LOCAL else {LOCAL: None}
    if name not in known:
        hint = "define it under 'executors' in ~/.cue/cue.yaml"
        raise UsageError(f"no executor '{name}' is defined", hint=hint)


def day_rule_now(
    source: ViewReader, home: str, policy: Policy, trigger: Record, zone: Callable[[], str]
) -> DayRule | None:
    """Return when a cue may start, as the next pass has it; a reader is asked once."""
    from cuectl.store.reading import Reader

    known: dict[str, InForce] = source.known if isinstance(source, Reader) else {}
    if "in_force" not in known:
        known["in_force"] = definitions_now(source, home)
    return known["in_force"].day_rule(policy, trigger, zone)


def _own_file(records: list[Record], home: str) -> tuple[Definitions, Mapping[str, Record]]:
    """Return what the user's own file says now, with the days of its calendars.

    Raises NotFound, InvalidFile: nothing.
    """
    from cuectl.definitions.calendars import days_of_file
    from cuectl.definitions.checks import load_definitions
    from cuectl.definitions.rules.files import merged
    from cuectl.definitions.source_files import read_source

    path = home_path(home)
    others = merged(compiled(one) for one in records if one["kind"] != HOME)
    source = read_source(path)
    own = load_definitions(source.data, path, elsewhere=others)
    days = days_of_file(own, source, source.mtime_ms, own.settings.timezone or "UTC")
    return own, days.get("calendars", {})


def load_worker_file(path: str, base: InForce) -> InForce:
    """Return the definitions of a worker: those of its file over all others."""
    from cuectl.definitions.checks import load_definitions
    from cuectl.definitions.rules.files import override
    from cuectl.definitions.source_files import read_source

    source = read_source(path)
    own = load_definitions(source.data, path, elsewhere=base.definitions)
    together = override(base.definitions, own)
    return replace(base, definitions=together, paths=(source.path, *base.paths))


def masker_for(names: Iterable[str], lookup: Callable[[str], str | None]) -> Masker | None:
    """Return what hides the values of these variables, None when there are none."""
    names = tuple(names)
    if not names:
        return None
    from cuectl.values.safe_text import Masker

    return Masker({name: value for name in names if (value := lookup(name))}, names)


def secret_mask(source: ViewReader, runtime: Runtime) -> Masker | None:
    """Return what hides the declared secrets, for commands that need no other definition."""
    records = config_records(source)
    if own_file_is_new(records, runtime.home):
        names = set(definitions_now(source, runtime.home).secrets)
    else:
        names = {name for one in records for name in one["definitions"].get("secrets", ())}
    if not names:
        return None
    from cuectl.store.handler_files import read_env_file

    variables = {**read_env_file(runtime.home), **runtime.environment}
    return masker_for(names, variables.get)


SHORT_HINT = "values of less than 4 characters would hide half of every text; take a longer one"


def short_secrets(
    definitions: Definitions, masker: Masker | None, *more: object
) -> tuple[str, ...]:
    """Return the declared secrets that are too short to be masked in texts."""
    if masker is None:
        return ()
    env = [one.env for one in definitions.handlers.values()]
    env += [one.env for one in definitions.agents.values()]
    cues = [(one.target, one.payload) for one in definitions.cues.values()]
    return masker.with_values_in(env, cues, *more).too_short


BUILT_IN = "built-in"


def settings_with_origin(source: ViewReader, home: str) -> list[dict[str, Any]]:
    """Return each setting with its value and the file that says so, or `built-in`."""
    in_force = definitions_now(source, home).settings
    said: dict[str, str] = {}
    for record in config_records(source):
        path: str = record["path"]
        said |= dict.fromkeys(compiled(record).settings.given, path)
    rows = []
    for name in (each.name for each in fields(Settings) if each.name != "given"):
        # What no record knows is in the user's own file, which no pass has seen yet.
        origin = said.get(name, home_path(home)) if name in in_force.given else BUILT_IN
        rows.append({"name": name, "value": getattr(in_force, name), "origin": origin})
    return rows


def broken_definitions(reader: Reader, home: str | None) -> dict[str, str]:
    """Return file to what passes found wrong with it, or the next will in the user's own."""
    records = config_records(reader)
    problems = dict(_in_force(records, None).problems)
    if home and own_file_is_new(records, home):
        path = home_path(home)
        problems.pop(path, None)
        try:
            _own_file(records, home)
        except (InvalidFile, NotFound) as error:
            problems[path] = error.message
    return problems
