"""`cuectl filters`: try filters before they are trusted."""
