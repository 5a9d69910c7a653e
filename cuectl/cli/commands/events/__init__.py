"""`cuectl events`: what has happened, and starting from it again."""
