"""`cuectl report`: say how the work went and what shows it, from inside a handler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Command, Option
from cuectl.cli.parameters import key_value
from cuectl.model.errors import UsageError

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(
    call: Call,
    *,
    success: bool,
    failure: bool,
    external_id: str | None,
    result_url: str | None,
    result_ref: str | None,
    result_type: str | None,
    summary: str | None,
    result: str | None,
    error: str | None,
    artifact: tuple[str, ...],
    metadata: tuple[tuple[str, str], ...],
    execution: str | None,
) -> int | None:
    """Write the outcome file, or commit a late report."""
    from cuectl.engine.report import Report, report_from_handler, report_late

    if success and failure:
        raise UsageError("'--success' and '--failure' exclude each other")
    fields: dict[str, object] = {
        "external_id": external_id,
        "result_url": result_url,
        "result_ref": result_ref,
        "result_type": result_type,
        "summary": summary,
        "result": result,
        "error": error,
        "artifacts": [_absolute(one) for one in artifact] or None,
        "metadata": {name: _value(text) for name, text in metadata} or None,
    }
    said = True if success else False if failure else None
    if said is None and all(value is None for value in fields.values()):
        hint = "say how it went: cuectl report --success --external-id ID"
        raise UsageError("nothing to report", hint=hint)
    report = Report(success=said, fields=fields)
    if execution is None:
        path: str | None = report_from_handler(call.runtime, report)
        call.out.detail(f"wrote '{path}'")
    else:
        report_late(call.runtime, execution, report)
        path = None
    if call.out.json:
        identity = execution or call.environment.get("CUE_EXECUTION_ID") or None
        call.out.record({"execution_id": identity, "path": path})
    return None


def _absolute(name: str) -> str:
    import os

    return name if "://" in name else os.path.abspath(name)


def _value(text: str) -> object:
    """Return a metadata value: JSON where it is JSON, else the text."""
    import json

    try:
        return json.loads(text)
    except ValueError:
        return text


command = Command(
    name="report",
    summary="Report the outcome and its evidence",
    description=(
        "Called inside a handler: writes the outcome file that CUE_OUTCOME_FILE names, so that "
        "no handler needs a JSON library, and commits it. Several reports of one attempt add "
        "up: artifacts are appended, metadata is merged, of everything else the last word "
        "stands.\n\n"
        "With --execution it reports from outside on an execution that still runs or waits for "
        "its report (see --outcome-deadline of create)."
    ),
    options=(
        Option(name="--success", help="The work succeeded (exit status 0 is needed as well)"),
        Option(name="--failure", help="The work failed, whatever the exit status"),
        Option(name="--external-id", metavar="ID", help="What the work is called elsewhere"),
        Option(name="--result-url", metavar="URL", help="Where its result can be seen"),
        Option(name="--result-ref", metavar="REF", help="A commit, a version, a key"),
        Option(name="--result-type", metavar="TYPE", help="What kind of result, for filters"),
        Option(name="--summary", metavar="TEXT", help="One line for people"),
        Option(name="--result", metavar="TEXT", help="The result itself, when it is short"),
        Option(name="--error", metavar="TEXT", help="What went wrong"),
        Option(
            name="--artifact",
            metavar="PATH",
            help="A file or a URL that was made; may be repeated",
            many=True,
            complete="file",
        ),
        Option(
            name="--metadata",
            metavar="KEY=VALUE",
            help="Anything else; a VALUE that is JSON is taken as JSON; may be repeated",
            many=True,
            convert=key_value,
        ),
        Option(name="--execution", metavar="ID", help="Report on this execution, from outside"),
    ),
    see_also=("cuectl-chain(1)", "cuectl-verify(1)", "cuectl-handlers(7)"),
    run=run,
)
