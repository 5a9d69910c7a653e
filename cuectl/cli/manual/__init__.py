"""The manual: from the declarations and hand-written sections to pages for man and help."""
