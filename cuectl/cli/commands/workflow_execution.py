"""`cuectl workflow-execution`: run the workflow of the execution in the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Command

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call) -> int | None:
    """Run it, and report its outcome as a handler does."""
    import json
    import os

    from cuectl.cli.workflow_options import finish, narrator
    from cuectl.engine.workflows.executions import perform
    from cuectl.model.errors import UsageError
    from cuectl.model.workflow_values import result_text
    from cuectl.store.files import replace_file

    execution = call.environment.get("CUE_EXECUTION_ID")
    if not execution:
        raise UsageError("there is no CUE_EXECUTION_ID", hint="passes start this command")
    ended = perform(call.runtime, execution, narrator(call, "workflow"))
    path = call.environment.get("CUE_OUTCOME_FILE")
    if path and not ended.is_live and not os.path.exists(path):
        worked = ended.status.value == "succeeded"
        outcome = {"success": worked, "metadata": {"run_id": ended.id}}
        text = result_text(ended.result) if worked else ended.error
        outcome |= {"result" if worked else "error": (text or "")[:2_000]}
        replace_file(path, json.dumps(outcome).encode())
    return finish(call, ended, None)


command = Command(
    name="workflow-execution",
    summary="Run the workflow of the execution in the environment",
    description="""
        Passes start it for cues whose work is a workflow; nobody else calls it. It takes the
        execution from CUE_EXECUTION_ID and reports its outcome as a handler does.
    """,
    run=run,
)
