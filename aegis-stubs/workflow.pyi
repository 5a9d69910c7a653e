from cuectl.workflow import *  # noqa: F403
