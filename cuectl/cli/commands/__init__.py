"""The commands, by what they are about; `registry.py` says where each stands."""
