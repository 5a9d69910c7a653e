"""The group `scheduler`: who calls `run-due` each minute."""
