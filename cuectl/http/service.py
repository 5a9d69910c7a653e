"""From a request to its answer: host, token, rights, route, handler."""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
from typing import TYPE_CHECKING, Any

from cuectl.definitions.in_force import secret_mask
from cuectl.http.messages import Head, HttpProblem, Request, Response, invalid, problem_of
from cuectl.http.routing import Route, arguments_of, find_route
from cuectl.passes.endpoint import read_token
from cuectl.store import paths
from cuectl.store.handler_files import TOKEN, make_secret, read_or_make_secret, secret_path
from cuectl.store.idle import identity
from cuectl.store.reading import Reader, open_reader
from cuectl.store.views import BadView
from cuectl.values.errors import CuectlError
from cuectl.values.records import dataclass

if TYPE_CHECKING:
    from cuectl.http.page.site import PageSite
    from cuectl.process.runtime import Runtime
    from cuectl.values.records import Record

_NAMES = ("127.0.0.1", "localhost", "[::1]")
_BODY_METHODS = ("POST", "PATCH", "PUT")
# One request that goes wrong must not end the others.
_MISTAKES = (
    *(OSError, BadView, LookupError, TypeError, ValueError, AttributeError),
    *(ArithmeticError, RuntimeError),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The holder of a request's token: the attempt of an execution, or the user (None)."""

    execution_id: str | None = None
    attempt: int = 0

    @property
    def is_user(self) -> bool:
        """Whether the user calls, and no handler."""
        return self.execution_id is None


class UserToken:
    """The token of `serve`: one, in a private file, looked at again when the file changes."""

    def __init__(self, runtime: Runtime) -> None:
        self._home = runtime.home
        self._random = runtime.random
        self._replaced: list[str] = []
        self._read()

    def _read(self) -> None:
        self._token = read_or_make_secret(self._home, TOKEN, self._random)
        self._seen = identity(secret_path(self._home, TOKEN))

    def knows(self, token: str) -> bool:
        """Tell whether this is the token."""
        if identity(secret_path(self._home, TOKEN)) != self._seen:
            self._read()
        return _is_same(token, self._token)

    def caller(self, token: str, _reader: Reader) -> Caller:
        """Return the user."""
        if not self.knows(token):
            if any(_is_same(token, old) for old in self._replaced):
                raise _unauthorized("this token was replaced by another one", "key_rotated")
            raise _unauthorized("this is not the token")
        return Caller()

    def renew(self) -> str:
        """Make a new token; the old one is worth nothing from now on."""
        self._replaced.append(self._token)
        make_secret(self._home, TOKEN, self._random)
        self._read()
        return self._token


class RunTokens:
    """The tokens of the executions of one pass."""

    def __init__(self, secret: bytes, pass_id: str) -> None:
        self._secret = secret
        self._pass_id = pass_id

    def knows(self, token: str) -> bool:
        """Tell whether this pass has made the token, at work or not."""
        return read_token(self._secret, token) is not None

    def caller(self, token: str, reader: Reader) -> Caller:
        """Return the execution whose token it is, as long as its attempt is at work."""
        known = read_token(self._secret, token)
        if known is None:
            raise _unauthorized("this is not the token of an execution of this pass")
        execution_id, attempt = known
        record = reader.read(paths.open_execution(execution_id)) or {}
        if record.get("pass_id") != self._pass_id or record.get("attempt", 1) != attempt:
            raise _unauthorized("the execution of this token has ended")
        return Caller(execution_id=execution_id, attempt=attempt)

    def renew(self) -> str:
        """Refuse: these tokens end by themselves."""
        raise HttpProblem(403, "refused", "the token of an execution can't be exchanged")


Authority = UserToken | RunTokens


def _is_same(token: str, known: str) -> bool:
    return hmac.compare_digest(token.encode("utf-8", "replace"), known.encode())


def _token(headers: dict[str, str]) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _unauthorized(message: str, code: str = "invalid_api_key") -> HttpProblem:
    return HttpProblem(401, code, message, headers={"WWW-Authenticate": "Bearer"})


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCall:
    """What the handler of a route gets first."""

    service: Service
    caller: Caller
    request: Request

    @property
    def runtime(self) -> Runtime:
        """State directory, clock, randomness."""
        return self.service.runtime

    @property
    def now(self) -> int:
        """The current instant."""
        return self.runtime.now()

    def shown(self, record: Record) -> Record:
        """Return a record with the declared secrets hidden in what is given to it."""
        masker = secret_mask(self.reader(), self.runtime)
        return masker.without_secrets(record) if masker is not None else record

    def reader(self) -> Reader:
        """Return a look at the store."""
        return open_reader(self.runtime.existing_store)


class Service:
    """Answers requests; with `bare_hosts` the Host header may leave out the port."""

    def __init__(
        self,
        runtime: Runtime,
        authority: Authority,
        routes: tuple[Route, ...],
        *,
        port: int | None,
        bare_hosts: bool = False,
        read_only: bool = False,
        site: PageSite | None = None,
    ) -> None:
        self.runtime = runtime
        self.authority = authority
        self.routes = routes
        self._read_only = read_only
        self._site = site
        self._bare_hosts = bare_hosts
        with_port = [f"{name}:{port}" for name in _NAMES] if port is not None else []
        self._hosts = frozenset([*with_port, *(_NAMES if bare_hosts or port == 80 else ())])

    def handle(self, request: Request) -> Response:
        """Answer a request; raises nothing."""
        try:
            if self._site is not None and self._site.has(request.path):
                # The page itself looks at the origin: forms of its own have one.
                self._check_host(request)
                return self._site.answer(request)
            return self._answered(request)
        except HttpProblem as problem:
            return problem.response
        except CuectlError as error:
            return problem_of(error).response
        except _MISTAKES as error:
            sys.stderr.write(f"cuectl: error: {request.method} {request.path}: {error!r}\n")
            return HttpProblem(500, "internal_error", "cuectl could not do this").response

    def _answered(self, request: Request) -> Response:
        self._check_host(request)
        self._check_origin(request)
        route, varying = find_route(self.routes, request.method, request.path)
        caller = Caller() if route.open else self._caller(request)
        self._check_rights(route, caller, varying)
        _check_content(request)
        call = HttpCall(service=self, caller=caller, request=request)
        answer = route.run(call, **arguments_of(route, request, varying))
        body = answer if route.answer is not None else None
        return Response(status=route.status, body=_echoed(request, body))

    def knows(self, head: Head) -> bool:
        """Tell whether a request comes with a token or a session that counts; raises nothing."""
        try:
            if self._site is not None and self._site.knows(head.target):
                return True
            return self.authority.knows(_token(head.headers))
        except (CuectlError, *_MISTAKES):
            return False

    def _caller(self, request: Request) -> Caller:
        token = _token(request.headers)
        if not token:
            raise _unauthorized("send the token in a header: Authorization: Bearer TOKEN")
        return self.authority.caller(token, open_reader(self.runtime.existing_store))

    def _check_host(self, request: Request) -> None:
        """Refuse names that are not ours: those of a foreign page that leads here (S22)."""
        host = request.headers.get("host", "").lower()
        name, _, port = host.rpartition(":")
        # Where a socket is forwarded to from elsewhere (ssh -L), any port may lead here.
        forwarded = self._bare_hosts and name in _NAMES and port.isdecimal()
        if host not in self._hosts and not forwarded:
            said = "this is not the host that was asked for"
            raise HttpProblem(421, "http_error", said, close=True)

    def _check_origin(self, request: Request) -> None:
        origin = request.headers.get("origin")
        if origin is not None and origin.lower().removeprefix("http://") not in self._hosts:
            raise HttpProblem(403, "http_error", "requests of web pages are refused", close=True)

    def _check_rights(self, route: Route, caller: Caller, varying: dict[str, Any]) -> None:
        if self._read_only and route.method != "GET":
            raise HttpProblem(403, "refused", "this interface is read-only")
        if caller.is_user:
            return
        if route.user_only:
            raise HttpProblem(403, "refused", "the token of an execution may not do this")
        if route.own_only and varying.get("id") != caller.execution_id:
            said = "a handler reports on its own execution only"
            raise HttpProblem(403, "not_execution_owner", said)


def _check_content(request: Request) -> None:
    """Refuse bodies that a web page could send without being asked (S23)."""
    kind = request.headers.get("content-type")
    plain = (kind or "").partition(";")[0].strip().lower()
    if plain == "application/json" or (kind is None and not request.body):
        return
    if request.method in _BODY_METHODS or request.body:
        raise invalid(("body", "must be JSON, with the header Content-Type: application/json"))


def _echoed(request: Request, body: Any) -> Any:
    """Add what was received, for a caller that wants to see that it arrived as it was sent."""
    wanted = request.headers.get("x-cueapi-verify-echo", "").strip().lower() == "true"
    if not wanted or not isinstance(body, dict) or request.method not in _BODY_METHODS:
        return body
    received, canonical = None, b""
    if request.has_body:
        received = json.loads(request.body)
        text = json.dumps(received, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        canonical = text.encode("utf-8", "surrogatepass")
    digest = hashlib.sha256(canonical).hexdigest()
    return {**body, "body_received": received, "body_received_sha256": digest}
