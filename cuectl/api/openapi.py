"""The description of the interface, made of the declarations that check its requests."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from cuectl.api.fields import Text
from cuectl.api.routes import ROUTES
from cuectl.api.shapes import ERROR
from cuectl.api.structures import Object

if TYPE_CHECKING:
    from cuectl.api.routing import Parameter, Route

Record = dict[str, Any]

_TITLE = "cuectl"
_VERSION = "1"
_ALWAYS = (400, 401, 403, 421, 422, 431, 500, 503)
_WITH_BODY = (413, 415)
_MEANINGS = {
    400: "The request can't be done as it stands",
    401: "The token is missing, wrong, or of an execution that has ended",
    403: "The caller may not do this",
    404: "There is no such thing",
    409: "The state does not allow it",
    413: "The body is too large",
    415: "The body is not announced as JSON",
    421: "The Host header names another host",
    422: "Something in the request is not valid",
    431: "The headers are too large",
    500: "cuectl could not do it",
    503: "Too much is going on at this moment",
}


def describe() -> Record:
    """Return the description, in OpenAPI 3.1."""
    paths: Record = {}
    named: dict[str, Object] = {ERROR.name: ERROR}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
        for one in (route.body, route.answer):
            if one is not None:
                _collect(one, named)
    return {
        "openapi": "3.1.0",
        "info": {"title": _TITLE, "version": _VERSION},
        "paths": paths,
        "components": {
            "schemas": {name: one.body() for name, one in sorted(named.items())},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _collect(value: Any, named: dict[str, Object]) -> None:
    """Gather the named objects in a declaration."""
    if isinstance(value, Object):
        if value.name:
            named[value.name] = value
        for member in value.members.values():
            _collect(member, named)
    elif is_dataclass(value):
        for one in fields(value):
            _collect(getattr(value, one.name), named)


def _operation(route: Route) -> Record:
    operation: Record = {
        "operationId": route.name,
        "summary": route.summary,
        "parameters": [
            *(_path_parameter(word[1:-1]) for word in route.words if word.startswith("{")),
            *(_query_parameter(one) for one in route.query),
            *(_header(*one) for one in route.headers),
        ],
        "responses": _responses(route),
    }
    if route.body is not None:
        schema = {"schema": route.body.schema()}
        operation["requestBody"] = {
            "required": route.body_required,
            "content": {"application/json": schema},
        }
    if route.open:
        operation["security"] = []
    return operation


def _path_parameter(name: str) -> Record:
    return {"name": name, "in": "path", "required": True, "schema": Text(least=1).schema()}


def _query_parameter(one: Parameter) -> Record:
    schema = one.field.schema()
    if one.many:
        schema = {"type": "array", "items": schema}
    found: Record = {"name": one.name, "in": "query", "description": one.help, "schema": schema}
    if one.default is not None and not one.many:
        found["schema"] = {**schema, "default": one.default}
    return found | ({"required": True} if one.required else {})


def _header(name: str, required: bool, described: str) -> Record:
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": described,
        "schema": {"type": "string"},
    }


def _responses(route: Route) -> Record:
    good: Record = {"description": "Done"}
    if route.answer is not None:
        good["content"] = {"application/json": {"schema": route.answer.schema()}}
    statuses = {*route.errors, *_ALWAYS, *(_WITH_BODY if route.body is not None else (415,))}
    error = {"application/json": {"schema": ERROR.schema()}}
    bad = {
        str(status): {"description": _MEANINGS[status], "content": error}
        for status in sorted(statuses)
    }
    return {str(route.status): good, **bad}
