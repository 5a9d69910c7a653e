"""Which addresses a webhook may reach: public ones, unless the user says otherwise.

The name is resolved once, every address that it has is looked at, and the connection goes to
one of these addresses, so that nothing can change between the look and the connection
(reference/reliability.md, S26).
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

from cuectl.engine.sinks import NotDelivered
from cuectl.model.values import dataclass

_NAT64 = IPv6Network("64:ff9b::/96")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class WebAddress:
    """Where a request goes.

    Attributes:
        host: as in the URL; what the certificate must be for.
        target: path and query.
        addresses: of the host, all of them allowed.
    """

    scheme: str
    host: str
    port: int
    target: str
    addresses: tuple[str, ...]


def resolve(url: str, *, allow_private: bool) -> WebAddress:
    """Return where a request to `url` goes.

    Raises:
        NotDelivered: it is no such URL, the host has no address, one of its addresses is
            not public, or it is plain http to a public one.
    """
    parts, port = _split(url)
    host = parts.hostname or ""
    addresses = _addresses(host, port)
    private = [text for text in addresses if not is_public(text)]
    if private and not allow_private:
        reason = f"'{host}' has the address {private[0]}, which is not public"
        raise NotDelivered(f"{reason}; the sink can say 'allow_private: true'", lasting=True)
    if parts.scheme == "http" and len(private) < len(addresses):
        raise NotDelivered(f"'{host}' is public, so the address must be https", lasting=True)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return WebAddress(scheme=parts.scheme, host=host, port=port, target=target, addresses=addresses)


def _split(url: str) -> tuple[SplitResult, int]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise NotDelivered("the webhook's address is not a URL", lasting=True) from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise NotDelivered("the webhook's address is not an http or https URL", lasting=True)
    if parts.username is not None or parts.password is not None:
        raise NotDelivered("the webhook's address holds a password; sign it instead", lasting=True)
    return parts, port if port is not None else _PORTS[parts.scheme]


def _addresses(host: str, port: int) -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotDelivered(f"'{host}' can't be resolved") from error
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(text: str) -> bool:
    """Tell whether an address is one that anybody can reach, and not this machine or network."""
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
