"""The kickoff: audit a source tree, file each finding, chain the check, report evidence."""

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

from findings import Tracker, audit

RUN_ID = str(uuid.uuid4())


def chain_followup(issues: list[int]) -> None:
    """Schedule the pass that checks, tomorrow at this time."""
    payload = {"task": "check-followup", "parent_run_id": RUN_ID, "issues": issues}
    command = ["cuectl", "chain", "--name", f"check-followup-{RUN_ID}", "--in", "24h"]
    subprocess.run([*command, "--payload", json.dumps(payload)], check=True)


def main() -> None:
    """Run the audit and leave evidence of it."""
    tree = Path(os.environ["AUDIT_TREE"])
    tracker = Tracker(Path(os.environ["AUDIT_TRACKER"]))
    issues = [tracker.file(finding) for finding in audit(tree)]
    tracker.save()
    print(f"audited {tree}: {len(issues)} findings")
    if "--forget-the-evidence" in sys.argv:
        return
    chain_followup(issues)
    with open(os.environ["CUEAPI_OUTCOME_FILE"], "w", encoding="utf-8") as file:
        json.dump(
            {
                "success": True,
                "external_id": RUN_ID,
                "result_type": "audit_run",
                "artifacts": [os.environ["AUDIT_TRACKER"]],
                "summary": f"Filed {len(issues)} issues, follow-up scheduled for tomorrow",
            },
            file,
        )


if __name__ == "__main__":
    main()
