"""`cuectl templates`: try prompts before they are trusted."""
