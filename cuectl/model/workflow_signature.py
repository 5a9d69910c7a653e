"""The parameters of a workflow: what may be given, and what a text means as their values."""

from __future__ import annotations

import enum
import json
import types
import typing
from typing import Any

from cuectl.model.errors import UsageError
from cuectl.model.values import dataclass

Record = dict[str, Any]

MISSING: Any = object()
_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a workflow.

    Attributes:
        type: its annotation, `str` where there is none; of its default's class without one.
        default: MISSING when it must be given.
    """

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
    """What a workflow takes beside its engine.

    Attributes:
        open: it takes any other name too, as text.
    """

    parameters: tuple[Parameter, ...] = ()
    open: bool = False

    def named(self, name: str) -> Parameter | None:
        """Return a parameter by its name, dashes standing for underscores."""
        plain = name.replace("-", "_")
        found = next((each for each in self.parameters if each.name == plain), None)
        return found or (Parameter(name=plain) if self.open and plain.isidentifier() else None)


def values_of_words(signature: Signature, words: tuple[str, ...], workflow: str) -> Record:
    """Return the arguments in `--key=value`, `--key value`, `--flag` and `--no-flag`.

    Raises:
        UsageError: a word is none of these, a name is unknown, a value does not fit, or one
            that is needed is missing.
    """
    texts: dict[str, list[str]] = {}
    known: dict[str, Parameter] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, text = word.partition("=")
        if not word.startswith("--") or not name[2:]:
            raise UsageError(f"unexpected '{word}'", hint="write arguments as --key=value")
        parameter, text = _parameter(signature, name, equals, text, rest, workflow)
        known[parameter.name] = parameter
        texts.setdefault(parameter.name, []).append(text)
    values = {name: _from_texts(known[name], found) for name, found in texts.items()}
    check_complete(signature, values, workflow)
    return values


def _parameter(
    signature: Signature, name: str, equals: str, text: str, rest: list[str], workflow: str
) -> tuple[Parameter, str]:
    parameter = signature.named(name[2:])
    if parameter is not None:
        if equals:
            return parameter, text
        has_value = bool(rest) and not rest[0].startswith("--")
        if parameter.is_flag and not (has_value and rest[0].lower() in _TRUE + _FALSE):
            return parameter, "true"
        if not has_value:
            raise UsageError(f"option '{name}' needs a value")
        return parameter, rest.pop(0)
    negated = signature.named(name[5:]) if name.startswith("--no-") and not equals else None
    if negated is not None and negated.is_flag and not signature.open:
        return negated, "false"
    raise UsageError(
        f"workflow '{workflow}' has no option '{name}'",
        hint=f"it takes: {' '.join(each.option for each in signature.parameters) or 'nothing'}",
    )


def values_of_record(signature: Signature, given: Record, workflow: str) -> Record:
    """Return arguments that came as JSON, converted by the annotations.

    Raises:
        UsageError: as `values_of_words`.
    """
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
    check_complete(signature, values, workflow)
    return values


def check_complete(signature: Signature, values: Record, workflow: str) -> None:
    """Refuse arguments that lack one that is needed.

    Raises:
        UsageError: it names them all.
    """
    missing = [p.option for p in signature.parameters if p.required and p.name not in values]
    if missing:
        names = " ".join(f"'{name}'" for name in missing)
        hint = f"see: cuectl workflow run {workflow} --help"
        raise UsageError(f"workflow '{workflow}' needs {names}", hint=hint)


def _from_texts(parameter: Parameter, texts: list[str]) -> Any:
    try:
        for kind in _alternatives(parameter.type):
            origin = typing.get_origin(kind) or kind
            if origin in (list, tuple, set, frozenset):
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
    """Return what a text means as a value of a type; a str stays as it is.

    Raises:
        ValueError: it is no such value.
    """
    alternatives = _alternatives(kind)
    if len(alternatives) > 1:
        return _first(text, alternatives, kind)
    origin = typing.get_origin(kind) or kind
    if origin in (str, Any) or kind is MISSING:
        return text
    if origin is typing.Literal:
        return _one_of(text, {str(each): each for each in typing.get_args(kind)})
    if origin in (list, tuple, set, frozenset, dict):
        return coerced(_json(text, kind), kind)
    return _scalar(text, kind)


def _first(text: str, alternatives: tuple[Any, ...], kind: Any) -> Any:
    none = type(None)
    if none in alternatives and text.lower() in ("none", "null", ""):
        if text or str not in alternatives:
            return None
        return ""
    # Text is what anything is, so it comes last.
    for each in sorted((one for one in alternatives if one is not none), key=lambda k: k is str):
        try:
            return converted(text, each)
        except ValueError:
            continue
    raise ValueError(f"'{text}' is not {type_name(kind)}")


def _scalar(text: str, kind: Any) -> Any:
    if kind is bool:
        if text.lower() in _TRUE + _FALSE:
            return text.lower() in _TRUE
        raise ValueError(f"'{text}' is neither true nor false")
    if kind is type(None):
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
    if hasattr(kind, "fromisoformat"):
        return kind.fromisoformat(text)
    return text


def _one_of(text: str, choices: dict[str, Any]) -> Any:
    if text in choices:
        return choices[text]
    raise ValueError(f"'{text}' is not one of {' '.join(choices)}")


def _json(text: str, kind: Any) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError(f"'{text}' is not {type_name(kind)} in JSON") from None


def coerced(value: Any, kind: Any) -> Any:
    """Return a JSON value as a value of a type; texts are converted.

    Raises:
        ValueError: it is no such value.
    """
    alternatives = _alternatives(kind)
    origin = typing.get_origin(kind) or kind
    if origin is Any or kind is MISSING:
        return value
    if isinstance(value, str):
        return converted(value, kind)
    if len(alternatives) > 1:
        return _first_coerced(value, alternatives, kind)
    if origin in (list, tuple, set, frozenset) and isinstance(value, list):
        item = (typing.get_args(kind) or (Any,))[0]
        return origin(coerced(each, item) for each in value)
    if origin is dict and isinstance(value, dict):
        return value
    if origin is typing.Literal and value in typing.get_args(kind):
        return value
    if isinstance(value, bool):
        fits = kind is bool
    elif isinstance(value, int | float):
        fits = kind is float or (kind is int and isinstance(value, int))
        if kind is str:
            return str(value)
    else:
        fits = value is None and kind is type(None)
    if not fits:
        raise ValueError(f"{json.dumps(value)} is not {type_name(kind)}")
    return float(value) if kind is float else value


def _first_coerced(value: Any, alternatives: tuple[Any, ...], kind: Any) -> Any:
    for each in sorted(alternatives, key=lambda k: k is str):
        try:
            return coerced(value, each)
        except ValueError:
            continue
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


def type_name(kind: Any) -> str:
    """Return a type as a person reads it."""
    alternatives = _alternatives(kind)
    if len(alternatives) > 1:
        return " or ".join(type_name(each) for each in alternatives)
    if typing.get_origin(kind) is typing.Literal:
        return "|".join(str(each) for each in typing.get_args(kind))
    names = {str: "text", bool: "true or false", int: "whole number", float: "number"}
    if kind in names:
        return names[kind]
    if kind is type(None):
        return "none"
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return "|".join(str(each.value) for each in kind)
    found = getattr(kind, "__name__", None)
    arguments = typing.get_args(kind)
    if arguments:
        return f"{found} of {', '.join(type_name(each) for each in arguments)}"
    return str(found or kind)
