"""A stand-in for an agent that needs to be told what fails before it gets it right."""

import pathlib
import re
import sys

TEST = """\
from inbox import size

found = size(["a", "b"])
if found != 2:
    print(f"size of two messages is {found}, not 2")
    raise SystemExit(1)
"""

prompt = sys.stdin.read()
if path := re.match(r"Write failing tests at (\S+) for", prompt):
    test = pathlib.Path(path[1])
    test.parent.mkdir(parents=True, exist_ok=True)
    test.write_text(TEST)
    print(f"wrote {test}")
elif prompt.startswith("Make "):
    pathlib.Path("inbox.py").write_text("def size(messages):\n    return 0\n")
    print("wrote inbox.py")
elif "is 0, not 2" in prompt:
    pathlib.Path("inbox.py").write_text("def size(messages):\n    return len(messages)\n")
    print("the messages have to be counted; mended inbox.py")
else:
    print("I don't know what is wrong")
