"""Definition files: YAML with places, the fields of one mapping, what is in force."""
