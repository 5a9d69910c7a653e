"""`cuectl queue`: what waits for agents."""
