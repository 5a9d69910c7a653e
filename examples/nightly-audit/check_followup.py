"""The follow-up: look at each finding again, close what was addressed, report evidence."""

import json
import os
from pathlib import Path

from findings import Tracker, audit


def main() -> None:
    """Check the issues that the payload names."""
    payload = json.loads(os.environ["CUEAPI_PAYLOAD"])
    issues = payload["issues"]
    tracker = Tracker(Path(os.environ["AUDIT_TRACKER"]))
    current = {(one.path, one.kind, one.subject) for one in audit(Path(os.environ["AUDIT_TREE"]))}
    still_open = [number for number in issues if tuple(tracker.key_of(number)) in current]
    for number in set(issues) - set(still_open):
        tracker.close(number)
    tracker.save()
    addressed = len(issues) - len(still_open)
    print(f"{addressed} of {len(issues)} issues addressed")
    with open(os.environ["CUEAPI_OUTCOME_FILE"], "w", encoding="utf-8") as file:
        json.dump(
            {
                "success": True,
                "external_id": payload["parent_run_id"],
                "result_type": "audit_followup",
                "summary": f"{addressed} of {len(issues)} issues addressed",
                "metadata": {"still_open": still_open},
            },
            file,
        )


if __name__ == "__main__":
    main()
