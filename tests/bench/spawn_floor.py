"""The floor of a pass: start a program COUNT times, so many at once, and wait for it.

    python -S spawn_floor.py COUNT AT_ONCE

Nothing is written down, nobody is told; no supervisor can do less in this language.
"""

import os
import sys


def main() -> None:
    left, at_once = int(sys.argv[1]), int(sys.argv[2])
    running = 0
    while left or running:
        while left and running < at_once:
            os.posix_spawn("/bin/true", ["true"], os.environ)
            left, running = left - 1, running + 1
        os.wait()
        running -= 1


if __name__ == "__main__":
    main()
