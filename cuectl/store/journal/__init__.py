"""The journal: lines, segments, the commit point, checkpoints."""
