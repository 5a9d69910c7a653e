"""What a webhook cue calls: the rules for its address, method and headers.

Names are resolved and looked at again when it is called (`executions/webhook_call.py`).
"""

from __future__ import annotations

from cuectl.values.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cuectl.values.records import Record

METHODS = ("POST", "PUT", "PATCH", "GET")
LIMIT_S = 30.0
REPORT_WITHIN_S = 300.0
MOST_HEADERS = 50
_LONGEST = 2_083
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_OURS = ("x-cueapi-", "host", "content-length", "transfer-encoding", "connection")
_ON_FAILURE: Record = {"email": bool, "pause": bool, "allow_private": bool, "webhook": str | None}
_ALLOW = "to call it anyway: --allow-private"


class BadCallback(UsageError):
    """The address of a webhook can't be called."""


def check_webhook(said: Record) -> Record:
    """Return the target of a webhook cue, of `url`, `method`, `headers`, `allow_private`."""
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


def check_on_failure(said: Record) -> Record:
    """Return what follows when the work of a cue fails for good, in the peer's members.

    Raises BadCallback: nobody may be called there. Raises UsageError: it says something else.
    """
    for name, value in said.items():
        if not isinstance(value, _ON_FAILURE.get(name, ())):
            hint = """members: '{"email": true, "webhook": "https://...", "pause": true}'"""
            raise UsageError(f"'{name}' of on_failure is not understood", hint=hint)
    found: Record = {"email": True, "webhook": None, "pause": False, **said}
    if found["webhook"]:
        try:
            _url(found["webhook"], private=bool(said.get("allow_private")))
        except BadCallback as error:
            way = "'allow_private' calls it anyway" if error.hint == _ALLOW else None
            raise BadCallback(f"on_failure.webhook: {error.message}", hint=way) from None
    return found


def answered_status(record: Record) -> int | None:
    """Return what a webhook's receiver answered, from the first line of the call's output."""
    if record.get("target", {}).get("type") != "webhook":
        return None
    for text in (record.get("result"), record.get("error")):
        words = (text or "").split()
        if len(words) > 1 and words[0] == "HTTP":
            number = words[1].rstrip(";")
            return int(number) if number.isdecimal() and len(number) == 3 else None
    return None


def is_url(text: str) -> bool:
    """Tell whether a text is an address of the web at all."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != -1
    except ValueError:
        return False


def _url(url: Any, *, private: bool) -> str:
    from urllib.parse import urlsplit

    text = url if isinstance(url, str) else ""
    shown = text if len(text) <= 80 else f"{text[:77]}..."
    # A blank or a control in an address is how two readers see two addresses.
    if not text.isascii() or any(char <= " " or char in "\x7f\\" for char in text):
        raise BadCallback("the webhook's address has a character that URLs do not allow")
    if not is_url(text) or len(text) > _LONGEST:
        raise BadCallback(f"the webhook's address is not an http or https URL: '{shown}'")
    parts = urlsplit(text)
    host = parts.hostname or ""
    if parts.username is not None or parts.password is not None:
        raise BadCallback("the webhook's address holds a password", hint="it is signed instead")
    if not private and _is_near(host):
        raise BadCallback(f"'{host}' is a private or loopback address", hint=_ALLOW)
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
