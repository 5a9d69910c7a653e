"""The sections `settings`, `secrets` and `workflows`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.model.definitions import Settings
from cuectl.model.values import replace
from cuectl.store.definition_commands import beside, is_variable_name
from cuectl.store.definition_fields import Fields
from cuectl.store.yaml_nodes import Kind, describe, shown

if TYPE_CHECKING:
    from cuectl.store.definition_problems import Findings
    from cuectl.store.yaml_nodes import Node

_KEYS = (
    *("timezone", "max_parallel", "handler_timeout", "timeout_minutes", "timeout_on_fail"),
    *("max_concurrent", "queue_size", "owner_agent_id", "retention", "no_handler_after"),
    "ping_url",
)
_RETENTION_KEYS = ("output", "journal")


def read_settings(node: Node, findings: Findings) -> Settings:
    """Return the settings; `given` names those that the file says."""
    from cuectl.model.zones import check_zone

    fields = Fields(node, "'settings'", findings, known=_KEYS)
    minutes = fields.whole("timeout_minutes", least=1, most=1440)
    said: dict[str, Any] = {
        "timezone": fields.checked("timezone", check_zone),
        "max_parallel": fields.whole("max_parallel", least=1, most=10_000),
        "handler_timeout_s": fields.seconds("handler_timeout", bare_unit="s"),
        "agent_timeout_s": None if minutes is None else minutes * 60.0,
        "timeout_on_fail": fields.choice("timeout_on_fail", ("break", "continue")),
        "max_concurrent": fields.whole("max_concurrent", least=1, most=10),
        "queue_size": fields.whole("queue_size", least=0, most=10_000),
        "owner_agent_id": fields.text("owner_agent_id"),
        "no_handler_after_s": fields.seconds("no_handler_after", bare_unit=None),
        "ping_url": read_url(fields, "ping_url"),
    }
    said |= _retention(fields, findings)
    given = {name: value for name, value in said.items() if value is not None}
    return replace(Settings(), given=tuple(given), **given)


def _retention(fields: Fields, findings: Findings) -> dict[str, float | None]:
    node = fields.get("retention")
    if node is None:
        return {}
    spans = Fields(node, "'retention'", findings, known=_RETENTION_KEYS)
    return {
        "keep_output_s": spans.seconds("output"),
        "keep_journal_s": spans.seconds("journal"),
    }


def read_url(fields: Fields, key: str) -> str | None:
    """Return an address that begins with `http://` or `https://`."""
    url = fields.text(key)
    if url is None:
        return None
    scheme, _, rest = url.partition("://")
    if scheme not in ("http", "https") or not rest or not url.isprintable() or " " in url:
        fields.fail(key, f"must be an address such as https://example.org/x, not '{shown(url)}'")
        return None
    return url


def read_secrets(node: Node, findings: Findings) -> tuple[str, ...]:
    """Return the names of the variables whose values are masked."""
    found: dict[str, None] = {}
    for item in _list(node, "'secrets'", "names of variables", findings):
        if item.kind is Kind.TEXT and is_variable_name(item.text):
            found[item.text] = None
        else:
            message = f"'secrets' holds names of variables, and {describe(item)} is none"
            findings.error(item, message, hint="the values stay in the environment")
    return tuple(found)


def read_workflows(node: Node, directory: str, findings: Findings) -> tuple[str, ...]:
    """Return the files and directories with `@workflow` functions."""
    found: dict[str, None] = {}
    for item in _list(node, "'workflows'", "Python files and directories", findings):
        if item.kind is Kind.TEXT and item.text.strip():
            found[beside(directory, item.text)] = None
        else:
            message = f"'workflows' holds Python files and directories, not {describe(item)}"
            findings.error(item, message)
    return tuple(found)


def _list(node: Node, what: str, of_what: str, findings: Findings) -> tuple[Node, ...]:
    if node.kind is not Kind.LIST:
        findings.error(node, f"{what} must be a list of {of_what}, not {describe(node)}")
    return node.items
