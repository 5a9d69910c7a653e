"""`cuectl alerts`: what somebody should know."""
