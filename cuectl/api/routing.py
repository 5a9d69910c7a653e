"""Routes: method and path to a handler, with what it takes and gives, declared once."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from cuectl.api.errors import Problem, invalid
from cuectl.api.fields import Field, Invalid
from cuectl.model.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.api.caller import Call
    from cuectl.api.messages import Request
    from cuectl.api.structures import Object

Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of the query.

    Attributes:
        many: may come more than once; the value is a tuple.
    """

    name: str
    field: Field
    help: str
    default: Any = None
    many: bool = False
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation.

    Attributes:
        path: with `{id}` for what varies.
        run: called with the call, and `query`, `body` and what varies as keywords.
        writes: whether it changes anything; refused by `serve --read-only`.
        open: needs no token.
        own_only: a token of an execution does this to that execution alone.
        user_only: a token of an execution may not do it at all.
        answer: what a good answer holds; None for no body.
        errors: statuses that it may answer with besides those that all may.
        headers: (name, required, help) of headers that it reads.
    """

    method: str
    path: str
    name: str
    summary: str
    run: Callable[..., Any]
    status: int = 200
    query: tuple[Parameter, ...] = ()
    body: Object | None = None
    body_required: bool = True
    answer: Object | None = None
    errors: tuple[int, ...] = ()
    headers: tuple[tuple[str, bool, str], ...] = ()
    writes: bool = False
    open: bool = False
    own_only: bool = False
    user_only: bool = False

    @property
    def words(self) -> list[str]:
        """The parts of the path."""
        return self.path.strip("/").split("/")


def find(routes: tuple[Route, ...], method: str, path: str) -> tuple[Route, Record]:
    """Return the route of a request, and what varies in its path.

    Raises:
        Problem: there is none.
    """
    # Taken apart first, so that an escaped slash is a part of a name.
    words = [unquote(word) for word in path.strip("/").split("/")]
    allowed: list[str] = []
    matching = [(one, found) for one in routes if (found := _matched(one.words, words)) is not None]
    # A path that is written out is meant, and not the one where anything can stand.
    least = min((len(found) for _, found in matching), default=0)
    for route, found in matching:
        if len(found) > least:
            continue
        if route.method == ("GET" if method == "HEAD" else method):
            return route, found
        allowed.append(route.method)
    if allowed:
        allow = ", ".join(dict.fromkeys(allowed))
        raise Problem(405, "http_error", f"this path takes {allow}", headers={"Allow": allow})
    raise Problem(404, "http_error", "there is nothing at this path")


def _matched(pattern: list[str], words: list[str]) -> Record | None:
    if len(pattern) != len(words):
        return None
    found: Record = {}
    for expected, word in zip(pattern, words, strict=True):
        if expected.startswith("{"):
            if not word:
                return None
            found[expected[1:-1]] = word
        elif expected != word:
            return None
    return found


def query_of(route: Route, request: Request) -> Record:
    """Return the parameters of the query as declared, with defaults.

    Raises:
        Problem: one is not known, comes twice, or is not as declared.
    """
    declared = {one.name: one for one in route.query}
    given: dict[str, list[str]] = {}
    for name, value in request.query:
        given.setdefault(name, []).append(value)
    problems = [(name[:60], "is not known") for name in given if name not in declared]
    found: Record = {}
    for name, one in declared.items():
        try:
            found[_key(name)] = _parameter(one, given.get(name, []))
        except Invalid as bad:
            problems += bad.details
    if problems:
        raise invalid(tuple(problems))
    return found


def _key(name: str) -> str:
    return name.replace("__", "_")


def _parameter(one: Parameter, texts: list[str]) -> Any:
    if one.many:
        return tuple(one.field.take(text, one.name) for text in texts)
    if not texts:
        if one.required:
            raise Invalid((one.name, "is required"))
        return one.default
    if len(texts) > 1:
        raise Invalid((one.name, "comes more than once"))
    return one.field.take(_typed(one.field.schema(), texts[0]), one.name)


def _typed(schema: Record, text: str) -> Any:
    """Return the JSON value that a text in a query stands for."""
    match schema.get("type"):
        case "integer":
            plain = text.removeprefix("-")
            is_number = plain.isascii() and plain.isdigit() and len(plain) < 16
            return int(text) if is_number else text
        case "boolean":
            return {"true": True, "false": False}.get(text, text)
        case _:
            return text


def body_of(route: Route, request: Request) -> Record | None:
    """Return the body of a request as declared, None where the route takes none.

    Raises:
        Problem: it is missing, no JSON, or not as declared.
    """
    if route.body is None:
        return None
    if not request.body.strip():
        if route.body_required:
            raise Problem(422, "validation_error", "the body is missing")
        return {}
    from cuectl.model.json_limits import BadJson, parse_json

    try:
        value = parse_json(
            request.body,
            what="the body",
            max_bytes=len(request.body),
            duplicates="last",
            surrogates="replace",
        )
    except BadJson as bad:
        raise Problem(400, "invalid_json", f"the body {bad.reason}") from None
    try:
        return route.body.take(value, "body")
    except Invalid as bad:
        raise invalid(bad.details) from None


def raw_object(request: Request) -> Record:
    """Return the object in a body that was checked already, unknown members too."""
    import json

    value = json.loads(request.body) if request.body.strip() else {}
    return value if isinstance(value, dict) else {}


def call_route(route: Route, call: Call, request: Request, varying: Record) -> Any:
    """Run a route's handler on what the request holds."""
    keywords: Record = dict(varying)
    if route.query or request.query:
        keywords["query"] = query_of(route, request)
        if not route.query:
            del keywords["query"]
    if route.body is not None:
        keywords["body"] = body_of(route, request)
    return route.run(call, **keywords)
