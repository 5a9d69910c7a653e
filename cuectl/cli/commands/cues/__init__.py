"""Commands about cues."""
