"""`cuectl agents`: whoever can be given a prompt."""
