"""The section `alerts`: where alerts go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.model.definitions import AlertSink
from cuectl.store.definition_commands import beside
from cuectl.store.definition_fields import Fields
from cuectl.store.definition_settings import read_url
from cuectl.store.yaml_nodes import shown

if TYPE_CHECKING:
    from cuectl.store.definition_problems import Findings
    from cuectl.store.yaml_nodes import Node

KINDS = ("stderr", "command", "webhook")


def read_sink(name: str, node: Node, directory: str, findings: Findings) -> AlertSink | None:
    """Return the sink at `node`; exactly one kind is given."""
    what = f"alert sink '{shown(name)}'"
    fields = Fields(node, what, findings, known=(*KINDS, "secret_file"))
    kinds = fields.given(KINDS)
    if len(kinds) != 1:
        said = f"says {_both(kinds)}" if kinds else "says nothing to do"
        findings.error(node, f"{what} {said}", hint="give one of: stderr command webhook")
        return None
    kind = kinds[0]
    secret_file = fields.text("secret_file")
    if secret_file is not None and kind != "webhook":
        findings.error(fields.key("secret_file"), f"'secret_file' in {what} needs 'webhook'")
    if kind == "stderr" and not fields.flag("stderr", default=True):
        kind = "none"
    return AlertSink(
        name=name,
        kind=kind,
        argv=fields.words("command") or () if kind == "command" else (),
        url=read_url(fields, "webhook") if kind == "webhook" else None,
        secret_file=None if secret_file is None else beside(directory, secret_file),
    )


def _both(words: list[str]) -> str:
    return " and ".join(f"'{word}'" for word in words)
