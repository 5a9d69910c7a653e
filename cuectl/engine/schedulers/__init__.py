"""What calls `run-due` each minute: cron, a systemd timer, launchd.

One module a scheduler, `registry.py` for which there are, `scheduler.py` for their words.
"""
