"""Routes, declared once: they check a request and make the description of the interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from cuectl.http.fields import Declaration, Invalid, Object, list_of, number, string
from cuectl.http.messages import HttpProblem, Request, invalid
from cuectl.values.json_limits import BadJson, parse_json
from cuectl.values.records import Record, dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

_TEXT = string()
_SAID: dict[str, Declaration] = {
    "code": _TEXT,
    "message": _TEXT,
    "status": number(least=400, most=599),
}
_DETAIL = Object({"field": _TEXT, "message": _TEXT}, ("field", "message"))
_PROBLEM = Object({**_SAID, "details": list_of(_DETAIL)}, tuple(_SAID))
_ERROR = Object({"error": _PROBLEM}, ("error",), name="Error")
_ALWAYS = (400, 401, 403, 421, 422, 431, 500, 503)
_MEANINGS = {
    400: "The request can't be done as it stands",
    401: "The token is missing, wrong, or of an execution that has ended",
    403: "The caller may not do this",
    404: "There is no such thing",
    409: "The state does not allow it",
    413: "The body is too large",
    421: "The Host header names another host",
    422: "Something in the request is not valid",
    431: "The headers are too large",
    500: "cuectl could not do it",
    503: "Too much is going on at this moment",
}


@dataclass(frozen=True, slots=True)
class QueryParameter:
    """A parameter of the query; one that may come `many` times gives a tuple."""

    name: str
    value: Declaration
    help: str
    default: Any = None
    many: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """One operation; it is called like its handler, and described by that one's docstring.

    Attributes:
        run: called with the call, and `query`, `body` and what varies as keywords.
        errors: statuses that it may answer with besides those that follow from the rest.
        headers: (name, required, help) of headers that it reads.
        own_only: a token of an execution does this to that execution alone.
        user_only: a token of an execution may not do it at all.
    """

    operation: str
    run: Callable[..., Any]
    answer: Object | None = None
    errors: tuple[int, ...] = ()
    created: bool = False
    query: tuple[QueryParameter, ...] = ()
    body: Object | None = None
    headers: tuple[tuple[str, bool, str], ...] = ()
    open: bool = False
    own_only: bool = False
    user_only: bool = False

    @property
    def name(self) -> str:
        """The operation's name in the description."""
        return self.run.__name__

    @property
    def summary(self) -> str:
        """The first line of the handler's docstring."""
        return (self.run.__doc__ or "").partition("\n")[0].removesuffix(".")

    @property
    def method(self) -> str:
        """The method, in capitals."""
        return self.operation.partition(" ")[0]

    @property
    def path(self) -> str:
        """The path."""
        return self.operation.partition(" ")[2]

    @property
    def status(self) -> int:
        """The status of a good answer."""
        return 204 if self.answer is None else 201 if self.created else 200

    @property
    def body_required(self) -> bool:
        """Whether the body may not be left out: all of it may be when no member is required."""
        return self.method == "PATCH" or bool(self.body and self.body.required)


def find_route(routes: tuple[Route, ...], method: str, path: str) -> tuple[Route, Record]:
    """Return the route of a request, and what varies in its path."""
    # Taken apart first, so that an escaped slash is a part of a name.
    words = [unquote(word) for word in _words(path)]
    found = [(route, _matched(_words(route.path), words)) for route in routes]
    matching = [(route, varying) for route, varying in found if varying is not None]
    # A path that is written out is meant, and not the one where anything can stand.
    least = min((len(varying) for _, varying in matching), default=0)
    by_method = {one[0].method: one for one in matching if len(one[1]) == least}
    wanted = "GET" if method == "HEAD" else method
    if wanted in by_method:
        return by_method[wanted]
    if by_method:
        allow = ", ".join(by_method)
        raise HttpProblem(405, "http_error", f"this path takes {allow}", headers={"Allow": allow})
    raise HttpProblem(404, "http_error", "there is nothing at this path")


def _words(path: str) -> list[str]:
    return path.strip("/").split("/")


def _matched(pattern: list[str], words: list[str]) -> Record | None:
    if len(pattern) != len(words):
        return None
    found: Record = {}
    for expected, word in zip(pattern, words, strict=True):
        if expected.startswith("{") and word:
            found[expected[1:-1]] = word
        elif expected != word:
            return None
    return found


def arguments_of(route: Route, request: Request, varying: Record) -> Record:
    """Return what a route's handler is called with besides the call."""
    # Without a declaration too: a parameter that is not known is refused.
    query = _query_of(route, request)
    found = {**varying, "query": query} if route.query else dict(varying)
    return found if route.body is None else {**found, "body": _body_of(route, route.body, request)}


def _query_of(route: Route, request: Request) -> Record:
    declared = {one.name: one for one in route.query}
    given: dict[str, list[str]] = {}
    for name, value in request.query:
        given.setdefault(name, []).append(value)
    problems = [(f"query.{name[:60]}", "is not known") for name in given if name not in declared]
    found: Record = {}
    for name, one in declared.items():
        try:
            found[name.replace("__", "_")] = _value_of(one, given.get(name, []))
        except Invalid as bad:
            problems += bad.details
    if problems:
        raise invalid(*problems)
    return found


def _value_of(one: QueryParameter, texts: list[str]) -> Any:
    place = f"query.{one.name}"
    if one.many:
        return tuple(one.value.take(text, place) for text in texts)
    if not texts:
        return one.default
    if len(texts) > 1:
        raise Invalid((place, "comes more than once"))
    found = one.value.take(_typed(one.value.schema(), texts[0]), place)
    return one.default if found == "" else found


def _typed(schema: Record, text: str) -> Any:
    plain = text.removeprefix("-")
    is_number = plain.isascii() and plain.isdigit() and len(plain) < 16
    return int(text) if is_number and schema.get("type") == "integer" else text


def _body_of(route: Route, declared: Object, request: Request) -> Record:
    if not request.has_body:
        if route.body_required:
            raise invalid(("body", "is missing"))
        return {}
    most = len(request.body)
    try:
        value = parse_json(
            request.body, what="the body", max_bytes=most, duplicates="last", surrogates="replace"
        )
        return declared.take(value, "body")
    except BadJson as bad:
        raise HttpProblem(400, "invalid_json", f"the body {bad.reason}") from None
    except Invalid as bad:
        raise invalid(*bad.details) from None


def describe(routes: tuple[Route, ...]) -> Record:
    """Return the description, in OpenAPI 3.1."""
    paths: Record = {}
    named: dict[str, Object] = {_ERROR.name: _ERROR}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
        for one in (route.body, route.answer):
            _collect(one, named)
    return {
        "openapi": "3.1.0",
        "info": {"title": "cuectl", "version": "1"},
        "paths": paths,
        "components": {
            "schemas": {name: one.body() for name, one in sorted(named.items())},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _collect(value: Declaration | None, named: dict[str, Object]) -> None:
    if isinstance(value, Object) and value.name:
        named[value.name] = value
    for part in value.parts if value is not None else ():
        _collect(part, named)


def _operation(route: Route) -> Record:
    varying = [word[1:-1] for word in _words(route.path) if word.startswith("{")]
    parameters = [_parameter("path", one, string(least=1), required=True) for one in varying]
    parameters += [_query_parameter(one) for one in route.query]
    parameters += [
        _parameter("header", name, _TEXT, required=required, description=described)
        for name, required, described in route.headers
    ]
    operation: Record = {
        "operationId": route.name,
        "summary": route.summary,
        "parameters": parameters,
        "responses": _responses(route),
    }
    if route.body is not None:
        operation["requestBody"] = {"required": route.body_required, **_content(route.body)}
    if route.open:
        operation["security"] = []
    return operation


def _parameter(place: str, name: str, value: Declaration, **more: Any) -> Record:
    return {"name": name, "in": place, "schema": value.schema(), **more}


def _query_parameter(one: QueryParameter) -> Record:
    found = _parameter("query", one.name, one.value, description=one.help)
    if one.many:
        found["schema"] = {"type": "array", "items": found["schema"]}
    elif one.default is not None:
        found["schema"] = {**found["schema"], "default": one.default}
    return found


def _responses(route: Route) -> Record:
    missing = (404,) if "{" in route.path else ()
    too_large = (413,) if route.body is not None else ()
    found: Record = {str(route.status): {"description": "Done", **_content(route.answer)}}
    for status in sorted({*_ALWAYS, *missing, *too_large, *route.errors}):
        found[str(status)] = {"description": _MEANINGS[status], **_content(_ERROR)}
    return found


def _content(one: Object | None) -> Record:
    return {} if one is None else {"content": {"application/json": {"schema": one.schema()}}}
