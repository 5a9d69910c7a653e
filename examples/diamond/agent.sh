#!/bin/sh
# Stands in for four agents: each says who it is and what it was told.
echo "$1 saw: $(tr '\n' ' ')"
