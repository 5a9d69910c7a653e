"""Pure rules and records of cues."""
