"""The story that `cuectl demo` plays: `story.py`, with the files in `files/`."""
