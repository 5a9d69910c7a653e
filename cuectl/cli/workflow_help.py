"""The help of one workflow, from its signature and docstring."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cuectl.engine.workflows.registration import Workflow
    from cuectl.model.workflow_signature import Parameter

Record = dict[str, Any]

_WIDTH = 24


def usage_of(workflow: Workflow) -> str:
    """Return how a workflow is called, on one line."""
    signature = workflow.signature
    words = [_word(each) for each in signature.parameters]
    if signature.open:
        words.append("[--KEY=VALUE...]")
    return " ".join(["cuectl workflow run", workflow.name, *words])


def _word(parameter: Parameter) -> str:
    word = parameter.option if parameter.is_flag else f"{parameter.option}=VALUE"
    return word if parameter.required else f"[{word}]"


def help_of(workflow: Workflow) -> str:
    """Return the help of a workflow."""
    lines = [f"Usage: {usage_of(workflow)}", ""]
    lines += [workflow.doc or "It has no docstring.", ""]
    parameters = workflow.signature.parameters
    if parameters:
        lines.append("Arguments:")
        lines += [_row(each) for each in parameters]
        lines.append("")
    lines.append(f"Defined at {workflow.place}")
    return "\n".join(lines)


def _row(parameter: Parameter) -> str:
    what = parameter.type_name
    if parameter.required:
        what += " [needed]"
    elif parameter.default is not None:
        what += f" [default: {parameter.default}]"
    if len(parameter.option) >= _WIDTH - 1:
        return f"  {parameter.option}\n{' ' * (_WIDTH + 2)}{what}"
    return f"  {parameter.option:<{_WIDTH}}{what}"


def record_of(workflow: Workflow) -> Record:
    """Return a workflow as JSON."""
    from cuectl.model.workflow_signature import plain

    return {
        "name": workflow.name,
        "summary": workflow.doc.partition("\n")[0],
        "doc": workflow.doc,
        "path": workflow.path,
        "line": workflow.line,
        "durable": workflow.durable,
        "timeout_s": workflow.timeout_s,
        "parameters": [
            {
                "name": each.name,
                "type": each.type_name,
                "required": each.required,
                "default": None if each.required else plain(each.default),
            }
            for each in workflow.signature.parameters
        ],
    }


def indented(text: str) -> str:
    """Return text as a block."""
    return textwrap.indent(text, "  ")
