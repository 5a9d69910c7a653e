"""Pure rules and records of events."""
