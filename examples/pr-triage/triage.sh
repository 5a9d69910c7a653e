#!/bin/sh
# Stands in for a triage agent: answers with a label for what it is told.
text=$(cat)
title=$(printf '%s\n' "$text" | head -n 1)
case $text in
  *[Cc]rash*) label=urgent ;;
  *) label=later ;;
esac
echo "$label: $title"
