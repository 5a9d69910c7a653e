"""What a webhook cue calls: the rules for its address, method and headers (pure).

What can be seen without asking anybody is refused when the cue is made; names are resolved
and looked at anew when it is called (`engine/webhook_call.py`).
"""

from __future__ import annotations

from typing import Any

from cuectl.model.errors import UsageError

Record = dict[str, Any]

METHODS = ("POST", "PUT", "PATCH", "GET")
LIMIT_S = 30.0
REPORT_WITHIN_S = 300.0
MOST_HEADERS = 50
_LONGEST = 2_083
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_OURS = ("x-cueapi-", "host", "content-length", "transfer-encoding", "connection")
_ALLOW = "to call it all the same: --allow-private"


class BadCallback(UsageError):
    """The address of a webhook can't be called."""


def check_webhook(said: Record) -> Record:
    """Return the target of a webhook cue.

    Args:
        said: `url`, and `method`, `headers` and `allow_private` where they were given.

    Raises:
        UsageError: one of them is wrong, or the address is one of this machine or network.
    """
    private = bool(said.get("allow_private"))
    target: Record = {"type": "webhook", "url": _url(said.get("url"), private=private)}
    method = str(said.get("method") or "POST").upper()
    if method not in METHODS:
        raise UsageError(f"'{method[:20]}' is not a method of a webhook: {', '.join(METHODS)}")
    target["method"] = method
    if said.get("headers"):
        target["headers"] = _headers(said["headers"])
    if private:
        target["allow_private"] = True
    return target


def _url(url: Any, *, private: bool) -> str:
    from urllib.parse import urlsplit

    text = url if isinstance(url, str) else ""
    shown = text if len(text) <= 80 else f"{text[:77]}..."
    # A blank or a control in an address is how two readers see two addresses.
    if not text.isascii() or any(char <= " " or char in "\x7f\\" for char in text):
        raise BadCallback("the webhook's address has a character that no URL has")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise BadCallback(f"the webhook's address is not a URL: '{shown}'") from None
    if parts.scheme not in ("http", "https") or not host or len(text) > _LONGEST:
        raise BadCallback(f"the webhook's address is not an http or https URL: '{shown}'")
    if parts.username is not None or parts.password is not None:
        raise BadCallback("the webhook's address holds a password", hint="it is signed instead")
    if not private and _is_near(host):
        raise BadCallback(f"'{host}' is on this machine or network", hint=_ALLOW)
    return text


def _is_near(host: str) -> bool:
    """Tell whether a host is, by its very name, not a public one."""
    from ipaddress import ip_address

    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        return not ip_address(name.partition("%")[0]).is_global
    except ValueError:
        # Numbers that some resolvers take for an address: 127.1, 0x7f000001, 2130706433.
        last = name.rpartition(".")[2]
        return last.isdigit() or last.startswith("0x")


def _headers(headers: Any) -> dict[str, str]:
    if not isinstance(headers, dict) or len(headers) > MOST_HEADERS:
        raise UsageError(f"the webhook's headers are an object of at most {MOST_HEADERS}")
    for name, value in headers.items():
        if not name or not set(name) <= _TOKEN or len(name) > 200:
            raise UsageError(f"'{name[:40]}' is no name of a header")
        if name.lower().startswith(_OURS):
            raise UsageError(f"the header '{name[:40]}' is set by cuectl")
        if not isinstance(value, str) or not value.isascii() or not value.isprintable():
            raise UsageError(f"the value of the header '{name}' is not printable ASCII")
    return dict(headers)
