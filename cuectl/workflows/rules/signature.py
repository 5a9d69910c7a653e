"""The parameters of a workflow: what may be given, and what a text means as their values."""

from __future__ import annotations

import enum
import json
import types
import typing
from typing import TYPE_CHECKING, Any

from cuectl.values.errors import UsageError
from cuectl.values.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.values.records import Record

MISSING: Any = object()
_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")
_SERIES = (list, tuple, set, frozenset)
_NONE = type(None)
_TYPE_NAMES = {
    str: "text", bool: "true or false", int: "whole number", float: "number", _NONE: "none",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowParameter:
    """One parameter; its type is its annotation, else the class of its default, or `str`."""

    name: str
    type: Any = str
    default: Any = MISSING

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return self.default is MISSING

    @property
    def option(self) -> str:
        """How it is written on the command line."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def is_flag(self) -> bool:
        """Whether it may stand without a value."""
        return bool in _alternatives(self.type)

    @property
    def type_name(self) -> str:
        """Its type as a person reads it."""
        return type_name(self.type)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a workflow takes beside its engine; when `open`, any other name too, as text."""

    parameters: tuple[WorkflowParameter, ...] = ()
    open: bool = False

    def named(self, name: str) -> WorkflowParameter | None:
        """Return a parameter by its name, dashes standing for underscores."""
        plain = name.replace("-", "_")
        found = next((each for each in self.parameters if each.name == plain), None)
        return found or (
            WorkflowParameter(name=plain) if self.open and plain.isidentifier() else None
        )


def signature_of(function: Callable[..., Any]) -> Signature:
    """Return what a procedure takes beside its engine, which is its first parameter."""
    import inspect

    try:
        hints = typing.get_type_hints(function)
    except (NameError, TypeError, AttributeError, SyntaxError):
        # A name that is only there for type checkers: those parameters stay texts.
        hints = {}
    found: list[WorkflowParameter] = []
    is_open = False
    for each in list(inspect.signature(function).parameters.values())[1:]:
        if each.kind is inspect.Parameter.VAR_KEYWORD:
            is_open = True
        elif each.kind is not inspect.Parameter.VAR_POSITIONAL:
            default = MISSING if each.default is inspect.Parameter.empty else each.default
            usual = str if default in (MISSING, None) else type(default)
            kind = hints.get(each.name, usual)
            found.append(WorkflowParameter(name=each.name, type=kind, default=default))
    return Signature(parameters=tuple(found), open=is_open)


def values_of_words(signature: Signature, words: tuple[str, ...], workflow: str) -> Record:
    """Return the arguments in `--key=value`, `--key value`, `--flag`, `--no-flag`."""
    texts: dict[str, list[str]] = {}
    known: dict[str, WorkflowParameter] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, text = word.partition("=")
        if not word.startswith("--") or not name[2:]:
            raise UsageError(f"unexpected '{word}'", hint="write arguments as --key=value")
        parameter, text = _parameter(signature, name, text if equals else None, rest, workflow)
        known[parameter.name] = parameter
        texts.setdefault(parameter.name, []).append(text)
    values = {name: _from_texts(known[name], found) for name, found in texts.items()}
    _check_complete(signature, values, workflow)
    return values


def _parameter(
    signature: Signature, name: str, text: str | None, rest: list[str], workflow: str
) -> tuple[WorkflowParameter, str]:
    """Return the parameter of an option and its text, which may be the next word."""
    parameter = signature.named(name[2:])
    if parameter is not None:
        if text is not None:
            return parameter, text
        has_value = bool(rest) and not rest[0].startswith("--")
        if parameter.is_flag and not (has_value and rest[0].lower() in _TRUE + _FALSE):
            return parameter, "true"
        if not has_value:
            raise UsageError(f"option '{name}' needs a value")
        return parameter, rest.pop(0)
    negated = signature.named(name[5:]) if name.startswith("--no-") and text is None else None
    if negated is not None and negated.is_flag and not signature.open:
        return negated, "false"
    raise UsageError(
        f"workflow '{workflow}' has no option '{name}'",
        hint=f"it takes: {' '.join(each.option for each in signature.parameters) or 'nothing'}",
    )


def values_of_record(signature: Signature, given: Record, workflow: str) -> Record:
    """Return arguments that came as JSON, converted by the annotations. Raises UsageError."""
    values: Record = {}
    for name, value in given.items():
        parameter = signature.named(name)
        if parameter is None:
            takes = " ".join(each.name for each in signature.parameters)
            hint = f"it takes: {takes or 'nothing'}"
            raise UsageError(f"workflow '{workflow}' has no argument '{name}'", hint=hint)
        try:
            values[parameter.name] = coerced(value, parameter.type)
        except ValueError as error:
            raise UsageError(f"argument '{name}': {error}") from None
    _check_complete(signature, values, workflow)
    return values


def _check_complete(signature: Signature, values: Record, workflow: str) -> None:
    missing = [p.option for p in signature.parameters if p.required and p.name not in values]
    if missing:
        names = " ".join(f"'{name}'" for name in missing)
        hint = f"see: cuectl workflow run {workflow} --help"
        raise UsageError(f"workflow '{workflow}' needs {names}", hint=hint)


def _from_texts(parameter: WorkflowParameter, texts: list[str]) -> Any:
    try:
        for kind in _alternatives(parameter.type):
            origin = typing.get_origin(kind) or kind
            if origin in _SERIES:
                if len(texts) == 1 and texts[0].lstrip().startswith("["):
                    return converted(texts[0], kind)
                item = (typing.get_args(kind) or (str,))[0]
                return origin([converted(text, item) for text in texts])
        return converted(texts[-1], parameter.type)
    except ValueError as error:
        raise UsageError(f"option '{parameter.option}': {error}") from None


def _alternatives(kind: Any) -> tuple[Any, ...]:
    """Return the types of a union, or the one type."""
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return typing.get_args(kind)
    return (kind,)


def converted(text: str, kind: Any) -> Any:
    """Return what a text means as a value of a type; a str stays as it is. Raises ValueError."""
    alternatives = _alternatives(kind)
    if len(alternatives) > 1:
        if _NONE in alternatives and text.lower() in ("none", "null", ""):
            return "" if not text and str in alternatives else None
        return _first(converted, text, alternatives, kind)
    origin = typing.get_origin(kind) or kind
    if origin in (str, Any) or kind is MISSING:
        return text
    if origin is typing.Literal:
        return _one_of(text, {str(each): each for each in typing.get_args(kind)})
    if origin in (*_SERIES, dict):
        try:
            value = json.loads(text)
        except ValueError:
            raise ValueError(f"'{text}' is not {type_name(kind)} in JSON") from None
        return coerced(value, kind)
    return _scalar(text, kind)


def _first(
    convert: Callable[[Any, Any], Any], value: Any, alternatives: tuple[Any, ...], kind: Any
) -> Any:
    # Text is what anything is, so it comes last.
    for each in sorted(alternatives, key=lambda one: one is str):
        try:
            return convert(value, each)
        except ValueError:
            continue
    shown = f"'{value}'" if isinstance(value, str) else json.dumps(value)
    raise ValueError(f"{shown} is not {type_name(kind)}")


def _scalar(text: str, kind: Any) -> Any:
    if kind is bool:
        if text.lower() in _TRUE + _FALSE:
            return text.lower() in _TRUE
        raise ValueError(f"'{text}' is neither true nor false")
    if kind is _NONE:
        raise ValueError(f"'{text}' is not none")
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _one_of(text, {str(each.value): each for each in kind} | kind.__members__)
    if kind is int or kind is float:
        try:
            return kind(text.strip())
        except ValueError:
            what = "a whole number" if kind is int else "a number"
            raise ValueError(f"'{text}' is not {what}") from None
    if hasattr(kind, "joinpath"):
        return kind(text)
    return kind.fromisoformat(text) if hasattr(kind, "fromisoformat") else text


def _one_of(text: str, choices: dict[str, Any]) -> Any:
    if text in choices:
        return choices[text]
    raise ValueError(f"'{text}' is not one of {' '.join(choices)}")


def coerced(value: Any, kind: Any) -> Any:
    """Return a JSON value as a value of a type; texts are converted. Raises ValueError."""
    alternatives = _alternatives(kind)
    origin = typing.get_origin(kind) or kind
    if origin is Any or kind is MISSING:
        return value
    if isinstance(value, str):
        return converted(value, kind)
    if len(alternatives) > 1:
        return _first(coerced, value, alternatives, kind)
    if origin in _SERIES and isinstance(value, list):
        item = (typing.get_args(kind) or (Any,))[0]
        return origin(coerced(each, item) for each in value)
    if origin is dict and isinstance(value, dict):
        return value
    if origin is typing.Literal and value in typing.get_args(kind):
        return value
    if kind in (str, float) and type(value) in (int, float):
        return kind(value)
    if kind in (bool, int, _NONE) and type(value) is kind:
        return value
    raise ValueError(f"{json.dumps(value)} is not {type_name(kind)}")


def plain(value: Any) -> Any:
    """Return a value as JSON keeps it: what JSON has no form for, as text."""
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(each) for each in value), key=str)
    return str(value)


def result_text(result: object) -> str | None:
    """Return what a workflow has returned as text; None for nothing."""
    if result is None or isinstance(result, str):
        return result
    return json.dumps(result, ensure_ascii=False)


def type_name(kind: Any) -> str:
    """Return a type as a person reads it."""
    alternatives = _alternatives(kind)
    if len(alternatives) > 1:
        return " or ".join(type_name(each) for each in alternatives)
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) is typing.Literal:
        return "|".join(str(each) for each in arguments)
    if kind in _TYPE_NAMES:
        return _TYPE_NAMES[kind]
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return "|".join(str(each.value) for each in kind)
    name = getattr(kind, "__name__", None)
    if arguments:
        return f"{name} of {', '.join(type_name(each) for each in arguments)}"
    return str(name or kind)
