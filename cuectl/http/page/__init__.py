"""The page of `cuectl serve`, and the file of it that `cuectl dashboard` writes."""
