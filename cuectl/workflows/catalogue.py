"""The known workflows: those that modules register with `@workflow`, by name.

A broken module hides no other. A module may be loaded again, even after its lines have moved. Two
procedures with one name in two places are refused, naming both.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar, overload

from cuectl.values.errors import CuectlError, ExitStatus, InvalidFile, NotFound, UsageError
from cuectl.values.ids import check_name, nearest, not_found
from cuectl.values.records import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence

    from cuectl.definitions.in_force import InForce
    from cuectl.process.runtime import Runtime
    from cuectl.workflows.rules.signature import Signature

    Procedure = Callable[..., Coroutine[Any, Any, Any]]

F = TypeVar("F", bound="Callable[..., Coroutine[Any, Any, Any]]")


class ConfigError(CuectlError):
    """A workflow can't be registered; the message names the places."""

    code = "invalid"
    exit_status = ExitStatus.INVALID


class NameClash(ConfigError):
    """Two procedures have one name; the message names both places."""

    def __init__(self, message: str, *, hint: str, name: str) -> None:
        super().__init__(message, hint=hint)
        self.name = name


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """A registered procedure; a pass continues a `durable` run whose process was lost.

    Attributes:
        timeout_s: limit of a run, parked time left out.
        budget_usd, max_turns: what the turns of a run may cost, and how many there may be.
        strict: whether `drain` raises for a turn that has failed, too.
        chosen: whether its module was named for this call, so that its name is decided.
    """

    name: str
    function: Procedure
    path: str
    line: int
    qualname: str
    durable: bool = False
    timeout_s: float | None = None
    budget_usd: float | None = None
    max_turns: int | None = None
    strict: bool = False
    chosen: bool = False

    @property
    def place(self) -> str:
        """Where it is defined: `file:line`."""
        return f"{self.path}:{self.line}"

    @property
    def doc(self) -> str:
        """Its docstring, without the indentation."""
        from inspect import cleandoc

        return cleandoc(self.function.__doc__ or "")

    @property
    def signature(self) -> Signature:
        """What it takes beside the engine."""
        from cuectl.workflows.rules.signature import signature_of

        return signature_of(self.function)


REGISTERED: dict[str, Workflow] = {}
# Whether the modules that are being loaded were named for this call.
_CHOOSES = [False]


@overload
def workflow(target: F, /) -> F: ...


@overload
def workflow(
    target: str | None = None,
    /,
    *,
    name: str | None = None,
    durable: bool = False,
    timeout: float | str | None = None,
    budget_usd: float | None = None,
    max_turns: int | None = None,
    strict: bool = False,
) -> Callable[[F], F]: ...


def workflow(
    target: F | str | None = None, /, *, name: str | None = None, **facts: Any
) -> F | Callable[[F], F]:
    """Register an `async def name(engine, ...)` as a workflow.

    Args:
        target: the function; or another name for it.
        name: another name for it.
        durable: whether a pass continues a run whose process was lost.
        timeout: limit of a run, in seconds or as `30m`.
        budget_usd: no turn starts any more when the turns of a run have cost this.
        max_turns: how many turns a run may have.
        strict: `drain` raises TurnFailed for a turn that has failed, instead of returning it.

    Raises ConfigError: it can't be a workflow, or the name is taken.
    """

    def register(function: F) -> F:
        _register(function, target if isinstance(target, str) else name, **facts)
        return function

    return register(target) if callable(target) else register


def _register(
    function: Callable[..., Any],
    name: str | None,
    *,
    timeout: float | str | None = None,
    **facts: Any,
) -> None:
    if isinstance(timeout, str):
        from cuectl.values.times import parse_duration

        timeout = parse_duration(timeout, bare_unit="s")
    code = getattr(function, "__code__", None)
    if code is None:
        raise ConfigError(f"@workflow is for functions, not for {function!r}")
    found = Workflow(
        name=name or function.__name__,
        function=function,
        path=os.path.realpath(code.co_filename),
        line=code.co_firstlineno,
        qualname=function.__qualname__,
        timeout_s=timeout,
        chosen=_CHOOSES[0],
        **facts,
    )
    _check(found)
    known = REGISTERED.get(found.name)
    if known is not None and not _replaces(found, known):
        if known.chosen is found.chosen:
            message = f"workflow '{found.name}' at {found.place} has the name of the one at"
            hint = "give one of them another name: @workflow('name')"
            raise NameClash(f"{message} {known.place}", hint=hint, name=found.name)
        if known.chosen:
            return
    REGISTERED[found.name] = found


def _check(found: Workflow) -> None:
    from inspect import Parameter, iscoroutinefunction, signature

    who = f"workflow '{found.name}' at {found.place}"
    try:
        check_name(found.name, "workflow")
    except UsageError as error:
        raise ConfigError(f"{who}: {error.message}", hint=error.hint) from None
    if not iscoroutinefunction(found.function):
        raise ConfigError(f"{who} must be 'async def'", hint="and return, not yield")
    first = next(iter(signature(found.function).parameters.values()), None)
    takes = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    if first is None or first.name != "engine" or first.kind not in takes:
        was = f", not '{first.name}'" if first is not None and first.name != "engine" else ""
        raise ConfigError(f"the first parameter of {who} must be 'engine'{was}")
    if first.default is not Parameter.empty:
        raise ConfigError(f"the parameter 'engine' of {who} must have no default")


def _replaces(found: Workflow, known: Workflow) -> bool:
    """Tell whether a procedure is a known one that was loaded again."""
    if found.path != known.path:
        return False
    if found.qualname == known.qualname and found.line == known.line:
        return True
    defined = _defined_in(found.path)
    if found.qualname == known.qualname:
        return defined.count(found.function.__name__) < 2
    return known.function.__name__ not in defined


def _defined_in(path: str) -> list[str]:
    """Return the names of all functions in a file as it is now."""
    import ast

    try:
        with open(path, "rb") as file:
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError):
        return []
    return [node.name for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef)]


def forget_file(path: str) -> None:
    """Forget what a file has registered."""
    real = os.path.realpath(path)
    for name in [name for name, each in REGISTERED.items() if each.path == real]:
        del REGISTERED[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A file that could not be loaded: one line that says why, and the traceback."""

    path: str
    message: str
    detail: str = ""
    clash: str | None = None  # the name that another place has, too


@dataclass(slots=True, kw_only=True)
class Catalogue:
    """The workflows of all files, with the definitions that they run in."""

    in_force: InForce
    workflows: dict[str, Workflow] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)

    def workflow(self, name: str) -> Workflow:
        """Return the workflow of a name, dashes as underscores. Raises NotFound, InvalidFile."""
        known = self.workflows
        for each in (name, name.replace("-", "_")):
            clash = next((one for one in self.broken if one.clash == each), None)
            if clash is not None:
                raise InvalidFile(clash.message, hint="say which one you mean: --module FILE")
            if each in known:
                return known[each]
        if self.broken:
            first = self.broken[0]
            message = f"no workflow '{name}', and a module is broken: {first.message}"
            raise InvalidFile(message, hint="see: cuectl workflow check")
        hint = f"there are: {', '.join(known) or 'none'}"
        if not self.files:
            hint = "name modules under 'workflows' in ~/.cue/cue.yaml, or by --module"
        raise not_found("workflow", name, nearest(name, known), hint)


def definitions_for(runtime: Runtime, config: str | None) -> InForce:
    """Return the definitions in force, with those of a file over them."""
    from cuectl.definitions.in_force import definitions_now, load_worker_file
    from cuectl.store.reading import open_reader

    reader = open_reader(runtime.existing_store)
    in_force = definitions_now(reader, runtime.home)
    return in_force if config is None else load_worker_file(config, in_force)


def catalogue(
    runtime: Runtime, modules: Sequence[str] = (), config: str | None = None
) -> Catalogue:
    """Load the workflows of the definitions in force, `config` over them, and of `modules`.

    Where two have one name, that of `modules` counts.
    """
    in_force = definitions_for(runtime, config)
    for module in modules:
        if not os.path.exists(module):
            raise NotFound(f"no file '{module}'")
    found = Catalogue(in_force=in_force)
    _CHOOSES[0] = True
    try:
        _load_all(modules, found)
    finally:
        _CHOOSES[0] = False
    _load_all(in_force.definitions.workflows, found)
    found.workflows = dict(sorted(REGISTERED.items()))
    return found


def _load_all(given: Sequence[str], found: Catalogue) -> None:
    for path in (os.path.abspath(os.path.expanduser(each)) for each in given):
        files = list(_files_at(path))
        if not files:
            why = "holds no Python files" if os.path.isdir(path) else "is not there"
            found.broken.append(Broken(path=path, message=f"'{path}' {why}"))
        for file in files:
            if all(os.path.realpath(file) != os.path.realpath(one) for one in found.files):
                _load(file, found)


def _files_at(path: str) -> Iterator[str]:
    if not os.path.isdir(path):
        if os.path.isfile(path):
            yield path
        return
    for directory, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if name[0] not in "_.")
        for name in sorted(names):
            if name.endswith(".py") and name[0] not in "_.":
                yield os.path.join(directory, name)


def _load(path: str, found: Catalogue) -> None:
    from cuectl.definitions.source_files import check_trusted
    from cuectl.workflows.printed import kept_output

    found.files.append(path)
    before = dict(REGISTERED)
    forget_file(path)
    try:
        check_trusted(path, os.stat(path))
        from cuectl.workflows.modules import execute

        with kept_output():
            execute(path)
    # Nothing that a module does on import may affect the others.
    except (Exception, SystemExit) as error:  # noqa: BLE001
        REGISTERED.clear()
        REGISTERED.update(before)
        forget_file(path)
        found.broken.append(_broken(path, error))


def _broken(path: str, error: BaseException) -> Broken:
    import traceback

    if isinstance(error, CuectlError):
        clash = error.name if isinstance(error, NameClash) else None
        return Broken(path=path, message=error.message, clash=clash)
    detail = "".join(traceback.format_exception(error))
    text = str(error).partition("\n")[0]
    line = next(
        (f.lineno for f in reversed(traceback.extract_tb(error.__traceback__))
         if os.path.realpath(f.filename) == os.path.realpath(path)), None
    )  # fmt: skip
    if isinstance(error, SyntaxError) and error.filename == path:
        line, text = error.lineno, error.msg
    place = f"{path}:{line}" if line else path
    return Broken(path=path, message=f"{place}: {type(error).__name__}: {text}", detail=detail)
