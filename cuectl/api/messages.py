"""Requests and answers of HTTP/1.1 as bytes: reading within limits, and writing.

Only what a loopback interface needs: a length, no chunks, no trailers, no upgrades.
"""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, unquote

from cuectl.api.errors import Problem
from cuectl.model.values import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HEAD_BYTES = 16_384
MOST_PARAMETERS = 100
BODY_BYTES = 1_048_576
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_REASONS = {
    100: "Continue",
    200: "OK",
    201: "Created",
    204: "No Content",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    411: "Length Required",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    421: "Misdirected Request",
    422: "Unprocessable Content",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The start of a request.

    Attributes:
        headers: lower-case name to value; of some names only one may be there.
        keep_alive: whether the client wants to go on with the connection.
    """

    method: str
    target: str
    headers: dict[str, str]
    keep_alive: bool
    length: int

    @property
    def waits(self) -> bool:
        """Whether the client waits to be told to go on with the body."""
        return self.headers.get("expect", "").lower() == "100-continue" and self.length > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A whole request.

    Attributes:
        path: as it was sent, with its escapes.
        query: (name, value) in order, decoded.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer; `body` None is an answer without one."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    close: bool = False


def read_head(data: bytes) -> Head:
    """Return what the bytes before the empty line say.

    Raises:
        Problem: it is no request that is understood here.
    """
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        raise _bad("a header is not ASCII") from None
    first, *lines = text.split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[0] or not set(words[0]) <= _TOKEN:
        raise _bad("not an HTTP request")
    method, target, version = words
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        raise Problem(505, "http_error", f"'{version[:20]}' is not spoken here", close=True)
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
        value = value.strip(" \t")
        if any((char < " " and char != "\t") or char == "\x7f" for char in value):
            raise _bad("a header holds a control character")
        key = name.lower()
        if key in headers:
            # Two lengths, hosts or tokens are a way to make two readers see two requests.
            if key in ("content-length", "host", "authorization", "transfer-encoding", "origin"):
                raise _bad(f"the header '{key}' comes twice")
            value = f"{headers[key]}, {value}"
        headers[key] = value
    return headers


def _length(headers: dict[str, str]) -> int:
    if "transfer-encoding" in headers:
        raise Problem(411, "http_error", "send the body with a Content-Length", close=True)
    text = headers.get("content-length", "0")
    if not (text.isascii() and text.isdigit()) or len(text) > 15:
        raise _bad("the Content-Length is not a number")
    length = int(text)
    if length > BODY_BYTES:
        message = f"the body has more than {BODY_BYTES} bytes"
        raise Problem(413, "request_too_large", message, close=True)
    return length


def _bad(message: str) -> Problem:
    return Problem(400, "http_error", message, close=True)


def request_of(head: Head, body: bytes) -> Request:
    """Return the whole request.

    Raises:
        Problem: path or query are not UTF-8, hold a NUL, or have too many parameters.
    """
    path, _, query = head.target.partition("?")
    try:
        decoded = unquote(path, errors="strict")
        pairs = parse_qsl(
            query, keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS
        )
    except UnicodeDecodeError:
        raise Problem(400, "http_error", "the target is not UTF-8") from None
    except ValueError:
        message = f"the query has more than {MOST_PARAMETERS} parameters"
        raise Problem(400, "http_error", message) from None
    if "\0" in decoded or any("\0" in name or "\0" in value for name, value in pairs):
        raise Problem(422, "validation_error", "the target contains a NUL character")
    return Request(
        method=head.method, path=path, query=tuple(pairs), headers=head.headers, body=body
    )


def to_bytes(response: Response, *, with_body: bool, keep_alive: bool) -> bytes:
    """Return an answer as it is sent."""
    body = b"" if response.body is None else json.dumps(response.body).encode("ascii")
    lines = [f"HTTP/1.1 {response.status} {_REASONS.get(response.status, 'Unknown')}"]
    headers = {
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Connection": "keep-alive" if keep_alive else "close",
        **response.headers,
    }
    if response.status != 204:
        headers["Content-Type"] = "application/json"
        headers["Content-Length"] = str(len(body))
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n"
    return head + body if with_body else head
