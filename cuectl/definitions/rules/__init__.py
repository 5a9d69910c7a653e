"""Pure rules and records of definitions."""
