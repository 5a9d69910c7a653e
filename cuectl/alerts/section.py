"""The section `alerts`: where alerts go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.alerts.rules.alert import Severity
from cuectl.alerts.rules.routing import DEFAULT, check_hours, check_tag
from cuectl.definitions.fields import Fields
from cuectl.definitions.rules.definitions import AlertSink
from cuectl.definitions.rules.templates import BadTemplate, expand_environment
from cuectl.definitions.section import beside, read_url
from cuectl.definitions.yaml_nodes import YamlKind, shown
from cuectl.values.errors import UsageError

if TYPE_CHECKING:
    from cuectl.definitions.fields import Findings
    from cuectl.definitions.yaml_nodes import YamlNode

KINDS = ("stderr", "command", "webhook", "mail", "notify", "desktop")
_WITH = {"secret_file": "webhook", "allow_private": "webhook", "cwd": "command"}
_MAIL_KEYS = ("to", "from", "smtp", "sendmail")
_WHEN_KEYS = ("severity", "tags", "between")
_TAKEN = ("stderr", "journal")
_HINTS = {
    "email": "did you mean 'mail'? mail: {to: me@example.org, smtp: smtp://localhost}",
    "smtp": "it belongs to 'mail': mail: {to: me@example.org, smtp: smtp://localhost}",
    "to": "it belongs to 'mail': mail: {to: me@example.org, smtp: smtp://localhost}",
    "apprise": "did you mean 'notify'?",
    "severity": "it belongs to 'when': when: {severity: [critical]}",
    "tags": "it belongs to 'when': when: {tags: [prod]}",
    "between": "it belongs to 'when': when: {between: \"08:00-18:00\"}",
}


def read_sink(name: str, node: YamlNode, directory: str, findings: Findings) -> AlertSink | None:
    """Return the sink at `node`; exactly one kind is given."""
    what = f"alert sink '{shown(name)}'"
    fields = Fields(node, what, findings, known=(*KINDS, *_WITH, "when"), hints=_HINTS)
    kinds = fields.given(KINDS)
    if len(kinds) != 1:
        both = " and ".join(f"'{word}'" for word in kinds)
        said = f"says {both}" if kinds else "says nothing to do"
        findings.error(node, f"{what} {said}", hint=f"give one of: {' '.join(KINDS)}")
        return None
    kind = kinds[0]
    if name in _TAKEN and kind != name:
        findings.error(node, f"{what} can't be a {kind}: the name has a meaning of its own")
    for key in fields.given(tuple(_WITH)):
        if kind != _WITH[key]:
            findings.error(fields.key(key), f"'{key}' in {what} needs '{_WITH[key]}'")
    secret_file, cwd = fields.text("secret_file"), fields.text("cwd")
    allow_private = fields.flag("allow_private", default=False)
    more = _when(name, fields) | (_mail(fields, directory) if kind == "mail" else {})
    if kind == "notify":
        more["urls"] = _notify(fields)
    if kind in ("stderr", "desktop") and not fields.flag(kind, default=True):
        kind = "none"
    return AlertSink(
        name=name,
        kind=kind,
        argv=fields.words("command") or () if kind == "command" else (),
        url=read_url(fields, "webhook") if kind == "webhook" else None,
        cwd=beside(directory, cwd or ".") if kind == "command" else None,
        allow_private=allow_private,
        secret_file=None if secret_file is None else beside(directory, secret_file),
        **more,
    )


def _when(name: str, fields: Fields) -> dict[str, Any]:
    node = fields.get("when")
    if node is None:
        return {}
    if name == DEFAULT:
        fields.fail("when", "means nothing: it gets what no other sink wants")
    part = Fields(node, f"'when' of {fields.what}", fields.findings, known=_WHEN_KEYS)
    return {
        "severity": part.each("severity", _severity) or (),
        "tags": part.each("tags", check_tag) or (),
        "between": part.checked("between", check_hours),
    }


def _severity(text: str) -> str:
    if text not in tuple(Severity):
        raise UsageError(f"'{text}' is no severity", hint=f"there are: {' '.join(Severity)}")
    return text


def _mail(fields: Fields, directory: str) -> dict[str, Any]:
    node = fields.get("mail")
    if node is None:
        return {}
    part = Fields(node, f"'mail' of {fields.what}", fields.findings, known=_MAIL_KEYS)
    if not part.is_mapping:
        return {}
    to, listed = part.each("to", check_address) or (), part.get("to")
    if listed is None or (listed.kind is YamlKind.LIST and not listed.items):
        fields.fail("mail", "has no 'to'", hint="say whom to tell: to: me@example.org")
    if part.one_of(("smtp", "sendmail")) is None:
        hint = "write smtp: smtp://localhost:25, or sendmail: true"
        fields.fail("mail", "says neither 'smtp' nor 'sendmail'", hint=hint)
    sender = part.each("from", check_address) or (None,)
    smtp = part.checked("smtp", check_smtp)
    if smtp:
        _warn_of_password(part, "smtp")
    return {"to": to, "sender": sender[0], "smtp": smtp, "sendmail": _sendmail(part, directory)}


def _sendmail(part: Fields, directory: str) -> str | None:
    node = part.get("sendmail")
    if node is None:
        return None
    if node.kind is YamlKind.TEXT:
        path = part.text("sendmail")
        return beside(directory, path) if path and "/" in path else path
    if not part.flag("sendmail", default=True):
        part.fail("sendmail", "is false, so nothing sends the mail", hint="write sendmail: true")
    return "sendmail"


def check_address(text: str) -> str:
    """Return an address of mail, perhaps with a name. Raises UsageError: it is none."""
    from email.utils import getaddresses

    found = getaddresses([text])
    address = found[0][1] if len(found) == 1 else ""
    is_whole = address and (text == address or text.endswith(f"<{address}>"))
    if not is_whole or not text.isprintable() or address.startswith("-") or " " in address:
        hint = "write me@example.org; several stand in a list"
        raise UsageError(f"'{text}' is no address of mail", hint=hint)
    return text


def check_smtp(text: str) -> str:
    """Return the address of a mail server; variables in it are not looked up. Raises UsageError."""
    from urllib.parse import urlsplit

    hint = "write smtp://host:25 or smtps://host:465, with user:${PASSWORD}@ where it asks for that"
    try:
        filled = expand_environment(text, lambda _: "x")
        parts = urlsplit(filled if filled != "x" else "smtp://x")
        is_good = parts.scheme in ("smtp", "smtps") and parts.hostname and parts.port != 0
        is_good = is_good and not parts.path.strip("/")
    except BadTemplate as error:
        raise UsageError(error.message, hint=error.hint) from None
    except ValueError:
        is_good = False
    if not is_good or not text.isprintable() or " " in text:
        raise UsageError("'smtp' must be the address of a mail server", hint=hint)
    return text


def _notify(fields: Fields) -> tuple[str, ...]:
    urls = fields.each("notify", check_target) or ()
    _warn_of_password(fields, "notify")
    return urls


def check_target(text: str) -> str:
    """Return an address as apprise has them. Raises UsageError: it can't be one."""
    try:
        filled = expand_environment(text, lambda _: "x")
    except BadTemplate as error:
        raise UsageError(error.message, hint=error.hint) from None
    scheme, _, rest = ("x", "", "x") if filled == "x" else filled.partition("://")
    plain = scheme.replace("+", "").replace("-", "")
    if not (plain.isalnum() and rest) or not text.isprintable() or " " in text:
        hint = "as apprise writes them: ntfy://topic, tgram://${TOKEN}/CHAT"
        raise UsageError("'notify' must be an address such as ntfy://topic", hint=hint)
    return text


def _warn_of_password(fields: Fields, key: str) -> None:
    """Warn of a password that is in the file; the text itself is not repeated."""
    node = fields.get(key)
    for item in (node.items or (node,)) if node is not None else ():
        user = item.text.partition("://")[2].rpartition("@")[0]
        password = user.partition(":")[2]
        if password and "${" not in password:
            message = f"'{key}' of {fields.what} has a password in it"
            hint = "write ${NAME} in its place, and NAME=... in ~/.cue/env"
            fields.findings.warn(item, message, hint=hint)
