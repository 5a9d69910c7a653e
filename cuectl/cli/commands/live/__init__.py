"""What happens now: outputs as they come, and one screen that shows all of it."""
