"""A signed request: which addresses it may reach, the connection, the signature.

The name is resolved once, every address that it has is looked at, and the connection goes to one
of these, so nothing changes between look and connection (reference/reliability.md, S26).
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import socket
import ssl
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

from cuectl.values.records import dataclass

_NAT64 = IPv6Network("64:ff9b::/96")
_PORTS = {"http": 80, "https": 443}
LIMIT_S = 10.0


class Unreachable(Exception):
    """An address that no request may go to, or that has none; `lasting`: until it is changed."""

    def __init__(self, reason: str, *, lasting: bool = True, is_private: bool = False) -> None:
        super().__init__(reason)
        self.lasting, self.is_private = lasting, is_private


@dataclass(frozen=True, slots=True, kw_only=True)
class WebAddress:
    """Where a request goes: `host` is what the certificate must be for, `target` path and query."""

    scheme: str
    host: str
    port: int
    target: str
    addresses: tuple[str, ...]


def resolve(url: str, *, allow_private: bool) -> WebAddress:
    """Return where a request goes. Raises Unreachable: nowhere, or to where it must not go."""
    parts, port = _split(url)
    host = parts.hostname or ""
    addresses = _addresses(host, port)
    private = [text for text in addresses if not is_public(text)]
    if private and not allow_private:
        reason = f"'{host}' has the address {private[0]}, which is not public"
        raise Unreachable(reason, is_private=True)
    if parts.scheme == "http" and len(private) < len(addresses):
        raise Unreachable(f"'{host}' is public, so the address must be https")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return WebAddress(scheme=parts.scheme, host=host, port=port, target=target, addresses=addresses)


def _split(url: str) -> tuple[SplitResult, int]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Unreachable("the webhook's address is not a URL") from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise Unreachable("the webhook's address is not an http or https URL")
    if parts.username is not None or parts.password is not None:
        raise Unreachable("the webhook's address holds a password; sign it instead")
    return parts, port if port is not None else _PORTS[parts.scheme]


def _addresses(host: str, port: int) -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"'{host}' can't be resolved", lasting=False) from error
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(text: str) -> bool:
    """Tell whether an address is public: not of this machine, nor of its network."""
    address = ip_address(text.partition("%")[0])
    inner = _inside(address)
    if inner is not None:
        return is_public(str(inner))
    odd = address.is_multicast or address.is_reserved or address.is_unspecified
    return address.is_global and not odd


def _inside(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address leads to."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]


def connected(address: WebAddress, limit_s: float) -> http.client.HTTPConnection:
    """Return a connection to the first address that answers."""
    is_secure = address.scheme == "https"
    kind = http.client.HTTPSConnection if is_secure else http.client.HTTPConnection
    connection = kind(address.host, address.port, timeout=limit_s)
    connection.sock = _open(address, limit_s)
    if is_secure:
        context = ssl.create_default_context()
        connection.sock = context.wrap_socket(connection.sock, server_hostname=address.host)
    return connection


def _open(address: WebAddress, limit_s: float) -> socket.socket:
    problem: OSError | None = None
    for text in address.addresses:
        try:
            return socket.create_connection((text, address.port), timeout=limit_s)
        except OSError as error:
            problem = error
    raise problem or OSError("no address")


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """Return the value of the signature's header."""
    signed = timestamp.encode("ascii") + b"." + body
    return f"v1={hmac.new(secret, signed, hashlib.sha256).hexdigest()}"
