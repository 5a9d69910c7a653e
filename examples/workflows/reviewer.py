"""A stand-in for an agent that reviews: it says which file it was asked about."""

import sys

prompt = sys.stdin.read()
print(f"looks good: {prompt.strip().splitlines()[-1]}")
