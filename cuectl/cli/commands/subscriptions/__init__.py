"""`cuectl subscriptions`: what events start."""
