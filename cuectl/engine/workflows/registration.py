"""`@workflow`: which procedures there are, by name.

A module may be loaded again, also after its lines have moved; two procedures of one name in
two places are refused, naming both.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar, overload

from cuectl.model.errors import UsageError
from cuectl.model.names import check_name
from cuectl.model.values import dataclass
from cuectl.model.workflow_errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from cuectl.model.workflow_signature import Signature

    Procedure = Callable[..., Coroutine[Any, Any, Any]]

F = TypeVar("F", bound="Callable[..., Coroutine[Any, Any, Any]]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """A registered procedure.

    Attributes:
        path: the file that defines it, absolute; `line` in it.
        durable: a pass goes on with a run whose process was lost.
        timeout_s: limit of a run, parked time left out.
    """

    name: str
    function: Procedure
    path: str
    line: int
    qualname: str
    durable: bool = False
    timeout_s: float | None = None

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
        return _signature(self.function)


REGISTERED: dict[str, Workflow] = {}


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
) -> Callable[[F], F]: ...


def workflow(
    target: F | str | None = None,
    /,
    *,
    name: str | None = None,
    durable: bool = False,
    timeout: float | str | None = None,
) -> F | Callable[[F], F]:
    """Register an `async def name(engine, ...)` as a workflow.

    Args:
        target: the function; or another name for it.
        name: another name for it.
        durable: whether a pass goes on with a run whose process was lost.
        timeout: limit of a run, in seconds or as `30m`.

    Raises:
        ConfigError: it can't be a workflow, or the name is taken.
    """

    def register(function: F) -> F:
        given = target if isinstance(target, str) else name
        _register(function, given, durable, _seconds(timeout))
        return function

    return register(target) if callable(target) else register


def _seconds(timeout: float | str | None) -> float | None:
    if isinstance(timeout, str):
        from cuectl.model.durations import parse_duration

        return parse_duration(timeout, bare_unit="s")
    return timeout


def _register(
    function: Callable[..., Any], name: str | None, durable: bool, timeout_s: float | None
) -> None:
    code = getattr(function, "__code__", None)
    if code is None:
        raise ConfigError(f"@workflow is for functions, not for {function!r}")
    found = Workflow(
        name=name or function.__name__,
        function=function,
        path=os.path.realpath(code.co_filename),
        line=code.co_firstlineno,
        qualname=function.__qualname__,
        durable=durable,
        timeout_s=timeout_s,
    )
    _check(found)
    known = REGISTERED.get(found.name)
    if known is not None and not _replaces(found, known):
        raise ConfigError(
            f"workflow '{found.name}' at {found.place} has the name of the one at {known.place}",
            hint="give one of them another name: @workflow('name')",
        )
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
    """Forget what a file has registered, before it is loaded again."""
    real = os.path.realpath(path)
    for name in [name for name, each in REGISTERED.items() if each.path == real]:
        del REGISTERED[name]


def _signature(function: Procedure) -> Signature:
    import inspect
    import typing

    from cuectl.model.workflow_signature import MISSING, Parameter, Signature

    try:
        hints = typing.get_type_hints(function)
    except (NameError, TypeError, AttributeError, SyntaxError):
        # A name that is only there for type checkers: those parameters stay texts.
        hints = {}
    found: list[Parameter] = []
    is_open = False
    for each in list(inspect.signature(function).parameters.values())[1:]:
        if each.kind is inspect.Parameter.VAR_KEYWORD:
            is_open = True
        elif each.kind is not inspect.Parameter.VAR_POSITIONAL:
            default = MISSING if each.default is inspect.Parameter.empty else each.default
            usual = str if default in (MISSING, None) else type(default)
            kind = hints.get(each.name, usual)
            found.append(Parameter(name=each.name, type=kind, default=default))
    return Signature(parameters=tuple(found), open=is_open)
