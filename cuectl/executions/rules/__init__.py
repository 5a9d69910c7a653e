"""Pure rules and records of executions."""
