"""From a request to its answer: guard, route, handler, envelope."""

from __future__ import annotations

import hashlib
import json
import sys
from typing import TYPE_CHECKING, Any

from cuectl.api.authority import token_in
from cuectl.api.caller import Call, Caller
from cuectl.api.errors import Problem, problem_of
from cuectl.api.messages import Request, Response
from cuectl.api.routes import ROUTES
from cuectl.api.routing import Route, call_route, find
from cuectl.model.errors import CuectlError
from cuectl.store.views import BadView

if TYPE_CHECKING:
    from cuectl.api.authority import Authority
    from cuectl.engine.runtime import Runtime

Record = dict[str, Any]

NAMES = ("127.0.0.1", "localhost", "[::1]")
_BODY_METHODS = ("POST", "PATCH", "PUT")
# One request that goes wrong must not end the others.
_MISTAKES = (
    *(OSError, BadView, LookupError, TypeError, ValueError, AttributeError),
    *(ArithmeticError, RuntimeError),
)


class Service:
    """Answers requests.

    Attributes:
        authority: whoever knows tokens.
        hosts: what the Host header may be.
        read_only: whether everything that changes something is refused.
    """

    def __init__(
        self,
        runtime: Runtime,
        authority: Authority,
        *,
        port: int | None,
        bare_hosts: bool = False,
        read_only: bool = False,
    ) -> None:
        self.runtime = runtime
        self.authority = authority
        self.read_only = read_only
        with_port = [f"{name}:{port}" for name in NAMES] if port is not None else []
        self.hosts = frozenset([*with_port, *(NAMES if bare_hosts or port == 80 else ())])

    def handle(self, request: Request) -> Response:
        """Answer a request; raises nothing."""
        try:
            response = self._answered(request)
        except Problem as problem:
            response = _refusal(problem)
        except CuectlError as error:
            response = _refusal(problem_of(error))
        except _MISTAKES as error:
            sys.stderr.write(f"cuectl: error: {request.method} {request.path}: {error!r}\n")
            response = _refusal(Problem(500, "internal_error", "cuectl could not do this"))
        return response

    def _answered(self, request: Request) -> Response:
        self._check_host(request)
        route, varying = find(ROUTES, request.method, request.path)
        if route.open:
            caller = Caller()
        else:
            token = token_in(request.headers)
            caller = self.authority.caller(token, self._reader())
        self._check_rights(route, caller, varying)
        _check_content(request)
        call = Call(service=self, caller=caller, request=request)
        answer = call_route(route, call, request, varying)
        body = answer if route.answer is not None else None
        return Response(status=route.status, body=_echoed(request, body))

    def _reader(self) -> Any:
        from cuectl.store.reading import open_reader

        return open_reader(self.runtime.existing_store)

    def _check_host(self, request: Request) -> None:
        """Refuse names that are not ours: a page of somebody else's that leads here (S22)."""
        host = request.headers.get("host", "").lower()
        if host not in self.hosts:
            raise Problem(421, "http_error", "this is not the host that was asked for", close=True)
        origin = request.headers.get("origin")
        if origin is not None and origin.lower().removeprefix("http://") not in self.hosts:
            raise Problem(403, "http_error", "requests of web pages are refused", close=True)

    def _check_rights(self, route: Route, caller: Caller, varying: Record) -> None:
        if route.writes and self.read_only:
            raise Problem(403, "refused", "this interface is read-only")
        if caller.is_user:
            return
        if route.user_only:
            raise Problem(403, "refused", "the token of an execution may not do this")
        if route.own_only and varying.get("id") != caller.execution_id:
            message = "a handler reports on its own execution only"
            raise Problem(403, "not_execution_owner", message)


def _check_content(request: Request) -> None:
    """Refuse bodies that a web page could send without being asked (S23)."""
    kind = request.headers.get("content-type")
    plain = (kind or "").partition(";")[0].strip().lower()
    if plain == "application/json" or (kind is None and not request.body):
        return
    if request.method in _BODY_METHODS or request.body:
        message = "send JSON, with the header Content-Type: application/json"
        raise Problem(415, "unsupported_media_type", message)


def _refusal(problem: Problem) -> Response:
    return Response(
        status=problem.status,
        body=problem.envelope(),
        headers=problem.headers,
        close=problem.close,
    )


def _echoed(request: Request, body: Any) -> Any:
    """Add what was received, for a caller that wants to see that it arrived as it was sent."""
    wanted = request.headers.get("x-cueapi-verify-echo", "").strip().lower() == "true"
    if not wanted or not isinstance(body, dict) or request.method not in _BODY_METHODS:
        return body
    received = json.loads(request.body) if request.body.strip() else None
    canonical = b""
    if request.body.strip():
        text = json.dumps(received, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        canonical = text.encode("utf-8", "surrogatepass")
    digest = hashlib.sha256(canonical).hexdigest()
    return {**body, "body_received": received, "body_received_sha256": digest}
