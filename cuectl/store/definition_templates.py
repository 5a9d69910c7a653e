"""Names in prompts and filters that stand for nothing, found when a file is checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.model import event_types
from cuectl.model.event_templates import unknown_variables
from cuectl.store.yaml_nodes import Kind, shown

if TYPE_CHECKING:
    from cuectl.store.definition_fields import Fields
    from cuectl.store.yaml_nodes import Node

PROMPT_KEYS = ("prompt", "output_prompt", "fan_out_prompts")


def check_prompts(fields: Fields, event: str) -> None:
    """Report variables in the prompts of a subscription that there are not."""
    for key in fields.given(PROMPT_KEYS):
        node = fields.node.entries[key].value
        for each in node.items if node.kind is Kind.LIST else (node,):
            check_template(fields, key, each, event)
    for key in fields.given(("shell", "command", "env", "kwargs", "notify")):
        _check_below(fields, key, fields.node.entries[key].value, event)


def _check_below(fields: Fields, key: str, node: Node, event: str) -> None:
    """Report variables in the texts of a value; names without CUE_ are fields of a payload."""
    for entry in node.entries.values():
        _check_below(fields, key, entry.value, event)
    for each in node.items:
        _check_below(fields, key, each, event)
    check_template(fields, key, node, event, prefix="CUE_")


def check_template(fields: Fields, key: str, node: Node, event: str, *, prefix: str = "") -> None:
    """Report variables in one text that there are not, of those that begin so."""
    if node.kind is not Kind.TEXT:
        return
    # What the sources of a join hand on may come from further up, so any name is good there.
    sources = None if event == event_types.COMPLETED else ()
    for unknown in unknown_variables(node.text, sources):
        if not unknown.name.upper().startswith(prefix):
            continue
        hint = f"did you mean '{{{{{unknown.nearest}}}}}'?" if unknown.nearest else None
        message = f"'{{{{{shown(unknown.name)}}}}}' in '{key}' of {fields.what} is not a variable"
        fields.findings.error(node, message, hint=hint or "all of them: cuectl help templates")


def check_filter_keys(fields: Fields, event: str) -> None:
    """Warn of conditions on fields that the event never has: such a filter never matches."""
    node = fields.get("filter")
    for key, entry in node.entries.items() if node is not None else ():
        if event_types.unknown_field(event, key):
            known = sorted({*event_types.FIELDS[event], *event_types.ADDED})
            near = fields.findings.nearest(key, known)
            message = f"'{shown(key)}' in 'filter' of {fields.what} is no field of '{event}'"
            hint = f"did you mean '{near}'?" if near else f"fields: {' '.join(known)}"
            fields.findings.warn(entry.key, message, hint=hint)
