"""Cues: making, changing, finding and chaining them, and when they fire."""
