"""What a step of any function is recorded as: its name, its arguments, its value or its error."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cuectl.values.records import Record

LARGEST_BYTES = 10 << 20
_LONGEST_WAIT_S = 300.0
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def step_name(function: Callable[..., Any]) -> str:
    """Return what a step is called unless its author names it: `module.qualname`."""
    function = getattr(function, "func", function)
    named = function if hasattr(function, "__qualname__") else type(function)
    module = getattr(named, "__module__", None) or ""
    # The names of the modules of workflows have their paths in them.
    is_own = not module or module.startswith(("cuectl_workflows", "__main__"))
    return named.__qualname__ if is_own else f"{module}.{named.__qualname__}"


def step_arguments(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Record:
    """Return how the arguments of a step are recorded: as JSON, else as their repr."""
    record: Record = {"name": name}
    record |= {"args": [_shown(each) for each in args]} if args else {}
    return record | ({"kwargs": {k: _shown(v) for k, v in kwargs.items()}} if kwargs else {})


def _shown(value: Any) -> Any:
    try:
        return json_form(value, "")
    except TypeError:
        # An address in memory is another one in each process.
        return _ADDRESS.sub("", repr(value))


def json_form(value: Any, path: str) -> Any:
    """Return a value as JSON gives it back; tuples are lists, whole numbers as keys are texts.

    Raises TypeError, naming the path: JSON has no form for a part of it.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, list | tuple):
        return [json_form(each, f"{path}[{index}]") for index, each in enumerate(value)]
    if isinstance(value, dict) and all(type(key) in (str, int) for key in value):
        return {str(key): json_form(each, f"{path}.{key}") for key, each in value.items()}
    if isinstance(value, float) and math.isfinite(value):
        return value
    what = f"of type '{type(value).__qualname__}'"
    if isinstance(value, float | dict):
        what = str(value) if isinstance(value, float) else "a dict with keys that are not texts"
    raise TypeError(f"{path or 'the value'} is {what}, which JSON has no form for")


def value_result(value: Any) -> Record:
    """Return the result that a step's value gives; an error when it can't be recorded."""
    try:
        result: Record = {"value": json_form(value, "result")}
        size = len(json.dumps(result))
    except (TypeError, RecursionError) as error:
        return error_result("TypeError", str(error))
    if size > LARGEST_BYTES:
        why = f"the result has {size} bytes, more than {LARGEST_BYTES}; return a path instead"
        return error_result("ValueError", why)
    return result


def error_result(kind: str, message: str) -> Record:
    """Return the result of a step that ended with an exception."""
    return {"error": f"{kind}: {message}" if message else kind, "kind": "StepFailed"}


def pause_s(backoff: float, tried: int) -> float:
    """Return how long to wait after the given number of tries, twice as long each time."""
    return max(0.0, min(backoff * 2.0 ** (tried - 1), _LONGEST_WAIT_S))
