"""What `doctor` looks at: one small function a question, all of them in `registry.py`."""
