"""The demonstration of a farm leaves nothing behind, however it ends."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl

needs_redis = pytest.mark.skipif(not shutil.which("redis-server"), reason="no redis-server")


@needs_redis
def test_a_demonstration_that_is_ended_takes_its_servers_along(cuectl: Cuectl) -> None:
    """Guards: SIGTERM left Redis and two workers running for ever."""
    demo = cuectl.start("demo", "--fleet", stdout=subprocess.PIPE)
    assert demo.stdout is not None
    found = re.search(rb"redis://127.0.0.1:(\d+)/0", demo.stdout.readline())
    assert found is not None
    demo.send_signal(signal.SIGTERM)
    demo.communicate(timeout=60)

    assert demo.returncode == 128 + signal.SIGTERM
    with (
        pytest.raises(ConnectionRefusedError),
        socket.create_connection(("127.0.0.1", int(found[1]))),
    ):
        pass
