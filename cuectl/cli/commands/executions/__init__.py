"""The group `executions`."""
