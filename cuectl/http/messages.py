"""HTTP/1.1 for loopback: no chunks, trailers or upgrades; refusals raise `HttpProblem`."""

from __future__ import annotations

import json
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl, unquote

from cuectl.values.errors import Conflict, CuectlError, LockTimeout, NotFound, Refused, UsageError
from cuectl.values.records import Record, dataclass, field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.http.fields import Details

HEAD_BYTES = 16_384
MOST_PARAMETERS = 100
BODY_BYTES = 1_048_576
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
# Two lengths, hosts or tokens are a way to make two readers see two requests.
_ONLY_ONCE = ("content-length", "host", "authorization", "transfer-encoding", "origin")
# Older versions of Python call these two otherwise.
_REASONS = {413: "Content Too Large", 422: "Unprocessable Content"}
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_KINDS: tuple[tuple[type[CuectlError], int, str], ...] = (
    (NotFound, 404, "not_found"),
    (Conflict, 409, "invalid_state"),
    (UsageError, 422, "validation_error"),
    (Refused, 403, "refused"),
    (LockTimeout, 503, "busy"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The start of a request; `keep_alive` if the client wants to use the connection again."""

    method: str
    target: str
    headers: dict[str, str]
    keep_alive: bool
    length: int

    @property
    def waits(self) -> bool:
        """Whether the client sends the body only once it is asked to."""
        return self.headers.get("expect", "").lower() == "100-continue" and self.length > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A whole request: the path with its escapes, the query decoded, headers in lower case."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def has_body(self) -> bool:
        """Whether the body is more than white space."""
        return bool(self.body.strip())

    def members(self) -> Record:
        """Return the object in a body that was checked already, unknown members too."""
        value = json.loads(self.body) if self.has_body else {}
        return value if isinstance(value, dict) else {}


class Stream(Protocol):
    """An answer that goes on for as long as its client stays."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""

    def take(self) -> bytes:
        """Return what has come since the last call; it never waits."""

    def close(self) -> None:
        """Forget the client: it is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer; `body` None is an answer without one, bytes are sent as they are."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    close: bool = False
    stream: Stream | None = None


class HttpProblem(Exception):
    """An error in the peer's form (reference/cueapi.md 1.5); `details`: (field, what is wrong)."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Details = (),
        headers: dict[str, str] | None = None,
        close: bool = False,
    ) -> None:
        super().__init__(message)
        error: Record = {"code": code, "message": message, "status": status}
        if details:
            error["details"] = [{"field": name, "message": said} for name, said in details]
        body = {"error": error}
        self.response = Response(status=status, body=body, headers=headers or {}, close=close)


def invalid(*details: tuple[str, str]) -> HttpProblem:
    """Return the refusal of fields or parameters that are not as declared."""
    name, message = details[0]
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return HttpProblem(422, "validation_error", f"'{name}' {message}{more}", details=details)


def problem_of(error: CuectlError) -> HttpProblem:
    """Return the answer to an error of the program."""
    hint = f" ({error.hint})" if error.hint and not isinstance(error, NotFound) else ""
    kinds = (one for one in _KINDS if isinstance(error, one[0]))
    _, status, code = next(kinds, (CuectlError, 500, "internal_error"))
    headers = {"Retry-After": "1"} if status == 503 else None
    return HttpProblem(status, code, f"{error.message}{hint}", headers=headers)


@contextmanager
def answering(kind: type[CuectlError], status: int, code: str) -> Iterator[None]:
    """Answer an error of this kind with the peer's code."""
    try:
        yield
    except kind as error:
        raise HttpProblem(status, code, error.message) from error


def read_head(data: bytes) -> Head:
    """Return what the bytes before the empty line say."""
    if not data.isascii():
        raise _bad("a header is not ASCII")
    first, *lines = data.decode().split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[0] or not set(words[0]) <= _TOKEN:
        raise _bad("not an HTTP request")
    method, target, version = words
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        raise HttpProblem(505, "http_error", f"'{version[:20]}' is not spoken here", close=True)
    if not target.startswith("/") or not target.isprintable():
        raise _bad("the target is not a path")
    headers = _headers(lines)
    if "host" not in headers and version == "HTTP/1.1":
        raise _bad("there is no Host header")
    length = _length(headers)
    wish = headers.get("connection", "").lower()
    keep = "close" not in wish if version == "HTTP/1.1" else "keep-alive" in wish
    return Head(method=method, target=target, headers=headers, keep_alive=keep, length=length)


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or not set(name) <= _TOKEN:
            raise _bad("a header line is malformed")
        key, value = name.lower(), value.strip(" \t")
        if any((char < " " and char != "\t") or char == "\x7f" for char in value):
            raise _bad("a header holds a control character")
        if key in headers and key in _ONLY_ONCE:
            raise _bad(f"the header '{key}' comes twice")
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers


def _length(headers: dict[str, str]) -> int:
    if "transfer-encoding" in headers:
        raise HttpProblem(411, "http_error", "send the body with a Content-Length", close=True)
    text = headers.get("content-length", "0")
    if not (text.isascii() and text.isdigit()) or len(text) > 15:
        raise _bad("the Content-Length is not a number")
    length = int(text)
    if length > BODY_BYTES:
        message = f"the body has more than {BODY_BYTES} bytes"
        raise HttpProblem(413, "request_too_large", message, close=True)
    return length


def _bad(message: str) -> HttpProblem:
    return HttpProblem(400, "http_error", message, close=True)


def request_of(head: Head, body: bytes) -> Request:
    """Return the whole request."""
    path, _, query = head.target.partition("?")
    try:
        decoded = unquote(path, errors="strict")
        pairs = parse_qsl(
            query, keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS
        )
    except UnicodeDecodeError:
        raise HttpProblem(400, "http_error", "the target is not UTF-8") from None
    except ValueError:
        message = f"the query has more than {MOST_PARAMETERS} parameters"
        raise HttpProblem(400, "http_error", message) from None
    if "\0" in decoded or any("\0" in name or "\0" in value for name, value in pairs):
        raise HttpProblem(422, "validation_error", "the target contains a NUL character")
    return Request(
        method=head.method, path=path, query=tuple(pairs), headers=head.headers, body=body
    )


def to_bytes(response: Response, *, with_body: bool, keep_alive: bool) -> bytes:
    """Return an answer as it is sent."""
    body = response.body
    if not isinstance(body, bytes):
        body = b"" if body is None else json.dumps(body).encode("ascii")
    headers = {
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Connection": "keep-alive" if keep_alive else "close",
        **({} if response.status == 204 else {"Content-Type": "application/json"}),
        **response.headers,
    }
    if response.status != 204 and response.stream is None:
        headers["Content-Length"] = str(len(body))
    reason = _REASONS.get(response.status) or HTTPStatus(response.status).phrase
    lines = [f"HTTP/1.1 {response.status} {reason}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n"
    return head + body if with_body else head
