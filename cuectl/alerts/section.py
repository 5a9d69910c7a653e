"""The section `alerts`: where alerts go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.definitions.fields import Fields
from cuectl.definitions.rules.definitions import AlertSink
from cuectl.definitions.section import beside, read_url
from cuectl.definitions.yaml_nodes import shown

if TYPE_CHECKING:
    from cuectl.definitions.fields import Findings
    from cuectl.definitions.yaml_nodes import YamlNode

KINDS = ("stderr", "command", "webhook")
_WITH = {"secret_file": "webhook", "allow_private": "webhook", "cwd": "command"}
_TAKEN = ("stderr", "journal")


def read_sink(name: str, node: YamlNode, directory: str, findings: Findings) -> AlertSink | None:
    """Return the sink at `node`; exactly one kind is given."""
    what = f"alert sink '{shown(name)}'"
    fields = Fields(node, what, findings, known=(*KINDS, *_WITH))
    kinds = fields.given(KINDS)
    if len(kinds) != 1:
        both = " and ".join(f"'{word}'" for word in kinds)
        said = f"says {both}" if kinds else "says nothing to do"
        findings.error(node, f"{what} {said}", hint="give one of: stderr command webhook")
        return None
    kind = kinds[0]
    if name in _TAKEN and kind != name:
        findings.error(node, f"{what} can't be a {kind}: the name has a meaning of its own")
    for key in fields.given(tuple(_WITH)):
        if kind != _WITH[key]:
            findings.error(fields.key(key), f"'{key}' in {what} needs '{_WITH[key]}'")
    secret_file, cwd = fields.text("secret_file"), fields.text("cwd")
    allow_private = fields.flag("allow_private", default=False)
    if kind == "stderr" and not fields.flag("stderr", default=True):
        kind = "none"
    return AlertSink(
        name=name,
        kind=kind,
        argv=fields.words("command") or () if kind == "command" else (),
        url=read_url(fields, "webhook") if kind == "webhook" else None,
        cwd=beside(directory, cwd or ".") if kind == "command" else None,
        allow_private=allow_private,
        secret_file=None if secret_file is None else beside(directory, secret_file),
    )
