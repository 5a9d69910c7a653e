#!/bin/sh
# Stands in for two collecting agents. The ticket system is down at night.
text=$(cat)
[ "$1" = tickets ] && { echo "tickets: connection refused"; exit 1; }
echo "$1: 3 new ($text)"
