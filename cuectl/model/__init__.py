"""Pure rules: no files, clock, randomness, environment or printing."""
