"""The Redis between the machines: some cells, read over one connection.

A client of our own, because importing the usual one costs ten idle passes, and we only need to send
words and read the answers. It never resends on its own: a caller that repeats a command knows why
that is harmless.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from urllib.parse import unquote, urlsplit

from cuectl.values.errors import CuectlError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from io import BufferedReader
    from typing import TypeAlias

Word: TypeAlias = "str | bytes | int"
Reply: TypeAlias = "bytes | int | list[Reply] | CellError | None"

LIMIT_S = 2.0
_LARGEST_REPLY = 256 << 20
_GIVE_BACK = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end"


class NoAnswer(CuectlError):
    """Redis did not answer; the commands may have been executed."""

    code = "no_answer"


class CellError(CuectlError):
    """Redis refused a command."""

    code = "refused_by_redis"


class Cells:
    """One connection, made when it is first needed, and again after it was lost."""

    def __init__(self, url: str, *, limit_s: float = LIMIT_S) -> None:
        self._place = _RedisAddress(url)
        self._limit_s = limit_s
        self._socket: socket.socket | None = None
        self._reader: BufferedReader | None = None

    @property
    def shown(self) -> str:
        """Where it is, without its password."""
        return self._place.shown

    @property
    def plain_place(self) -> str | None:
        """`HOST PORT DATABASE` of one that needs neither a password nor TLS, else None."""
        place = self._place
        is_plain = place.password is None and not place.is_secret and place.host.isascii()
        return f"{place.host} {place.port} {place.database}" if is_plain else None

    def ask(self, *commands: tuple[Word, ...]) -> list[Reply]:
        """Send some commands at once and return their answers.

        Raises NoAnswer: nothing, or not everything, was answered. CellError: one was refused;
        the others may have been done.
        """
        if not commands:
            return []
        try:
            if self._socket is None:
                self._connect()
            replies = self._exchange(commands)
        except (OSError, ValueError) as error:
            self.close()
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            hint = "cuectl executors ping"
            raise NoAnswer(f"'{self.shown}' does not answer: {why}", hint=hint) from error
        for reply in replies:
            if isinstance(reply, CellError):
                raise reply
        return replies

    def texts(self, names: list[str]) -> list[bytes | None]:
        """Return the values of some cells."""
        if not names:
            return []
        (found,) = self.ask(("MGET", *names))
        return [one if isinstance(one, bytes) else None for one in _as_list(found)]

    def take(self, name: str, value: str) -> bool:
        """Put a value into a free cell; tell whether it is ours now.

        Asked again after an unclear answer, it finds its own value: values are used once.
        """
        _, found = self.ask(("SET", name, value, "NX"), ("GET", name))
        return found == value.encode()

    def give_back(self, name: str, value: str) -> None:
        """Empty a cell in which our own value stands."""
        self.ask(("EVAL", _GIVE_BACK, 1, name, value))

    def now_ms(self) -> int:
        """Return the instant by the clock that all machines share."""
        (reply,) = self.ask(("TIME",))
        seconds, micros = (int(one) for one in _as_list(reply) if isinstance(one, bytes))
        return seconds * 1000 + micros // 1000

    def mapping(self, name: str) -> dict[str, bytes]:
        """Return the members of a hash."""
        (reply,) = self.ask(("HGETALL", name))
        flat = [one for one in _as_list(reply) if isinstance(one, bytes)]
        return {
            key.decode("utf-8", "replace"): value
            for key, value in zip(flat[::2], flat[1::2], strict=True)
        }

    def close(self) -> None:
        """Close the connection."""
        for one in (self._reader, self._socket):
            if one is not None:
                with suppress(OSError):
                    one.close()
        self._reader = self._socket = None

    def _connect(self) -> None:
        place = self._place
        self._socket = place.connect(self._limit_s)
        self._reader = self._socket.makefile("rb")
        first: list[tuple[Word, ...]] = []
        if place.password is not None:
            first.append(("AUTH", *([place.user] if place.user else []), place.password))
        if place.database:
            first.append(("SELECT", place.database))
        for reply in self._exchange(tuple(first)) if first else ():
            if isinstance(reply, CellError):
                self.close()
                raise reply

    def _exchange(self, commands: tuple[tuple[Word, ...], ...]) -> list[Reply]:
        if self._socket is None or self._reader is None:
            raise ValueError("not connected")
        self._socket.sendall(b"".join(_command(words) for words in commands))
        return [_read(self._reader) for _ in commands]


class _RedisAddress:
    """Where a URL leads. Raises UsageError: nowhere."""

    def __init__(self, url: str) -> None:
        hint = "write it as redis://HOST:6379/0, or rediss:// for TLS"
        try:
            parts = urlsplit(url)
            self.host, self.port = parts.hostname or "", parts.port or 6379
            self.database = int(parts.path.strip("/") or 0)
        except ValueError as error:
            raise UsageError(f"the URL of a Redis can't be read: {error}", hint=hint) from None
        if parts.scheme not in ("redis", "rediss") or not self.host:
            raise UsageError("the URL of a Redis names no host, or another service", hint=hint)
        self.is_secret = parts.scheme == "rediss"
        self.user = unquote(parts.username or "")
        self.password = None if parts.password is None else unquote(parts.password)
        host = f"[{self.host}]" if ":" in self.host else self.host
        self.shown = f"{parts.scheme}://{host}:{self.port}/{self.database}"

    def connect(self, limit_s: float) -> socket.socket:
        plain = socket.create_connection((self.host, self.port), timeout=limit_s)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self.is_secret:
            return plain
        import ssl

        return ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)


def _command(words: tuple[Word, ...]) -> bytes:
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        data = word if isinstance(word, bytes) else str(word).encode("utf-8", "surrogateescape")
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


def _read(reader: BufferedReader) -> Reply:
    line = reader.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionError("the connection was closed")
    kind, rest = line[:1], line[1:-2]
    match kind:
        case b"+":
            return rest
        case b"-":
            return CellError(f"Redis says: {rest.decode('utf-8', 'replace')}")
        case b":":
            return int(rest)
        case b"$":
            return _bytes(reader, int(rest))
        case b"*":
            return None if rest == b"-1" else [_read(reader) for _ in range(int(rest))]
        case _:
            raise ValueError("it does not speak the Redis protocol")


def _bytes(reader: BufferedReader, length: int) -> bytes | None:
    if length < 0:
        return None
    if length > _LARGEST_REPLY:
        raise ValueError("an answer is too large")
    data = reader.read(length + 2)
    if len(data) != length + 2:
        raise ConnectionError("the connection was closed")
    return data[:-2]


def _as_list(reply: Reply) -> list[Reply]:
    return reply if isinstance(reply, list) else []
