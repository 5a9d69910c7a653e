"""`cuectl config`: what is set, and by what."""
