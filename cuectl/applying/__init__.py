"""Making the cues match a definition file."""
