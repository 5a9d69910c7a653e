"""`cuectl executors worker` before it has begun: what it refuses to begin with."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl

URL = ("--url", "redis://127.0.0.1:1/0")
START = ("executors", "worker", "farm")


def test_what_is_missing_is_named(cuectl: Cuectl) -> None:
    cuectl.files({"worker.yaml": "handlers:\n  a: {cmd: 'true'}\n"})
    hint = "cuectl executors worker --help"
    cuectl.run(*START, *URL).fails(2, "'--config FILE' is missing", hint)
    cuectl.run(*START, "--config", "worker.yaml").fails(2, "'--url URL' is missing", hint)
    given = (*START, "--config", "worker.yaml", *URL)
    key = "use the same one on all machines: CUECTL_FLEET_KEY=$(openssl rand -hex 32)"
    cuectl.run(*given).fails(2, "the fleet key is missing: CUECTL_FLEET_KEY is not set", key)
    cuectl.env(CUECTL_FLEET_KEY="short")
    cuectl.run(*given).fails(2, "CUECTL_FLEET_KEY is shorter than 16 characters", key)
    cuectl.env(CUECTL_FLEET_KEY="long enough to be one")
    answer = cuectl.run(*START, "--config", "none.yaml", *URL)
    assert (answer.status, "none.yaml" in answer.stderr) == (5, True)
    answer = cuectl.run(*START, "--config", "worker.yaml", "--url", "http://a")
    assert (answer.status, "redis://HOST" in answer.stderr) == (2, True)
    answer = cuectl.run(*given, "--labels", "a,b c/d")
    assert (answer.status, "'/'" in answer.stderr) == (2, True)


def test_without_celery_it_says_how_to_get_it(cuectl: Cuectl) -> None:
    cuectl.files({"worker.yaml": "handlers: {}\n", "celery.py": "raise ImportError('not here')\n"})
    cuectl.env(CUECTL_FLEET_KEY="long enough to be one", PYTHONPATH=str(cuectl.work))
    cuectl.run(*START, "--config", "worker.yaml", *URL).fails(
        1,
        "work on other machines needs Celery, which can't be imported: not here",
        "pip install 'cuectl[celery]'",
    )


def test_one_machine_has_one_worker_for_an_executor(cuectl: Cuectl) -> None:
    cuectl.files({"worker.yaml": "handlers: {}\n"}).env(CUECTL_FLEET_KEY="long enough to be one")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        words = (*START, "--config", "worker.yaml", "--url", url)
        first = cuectl.start(*words)
        try:
            asking, _ = silent.accept()
            asking.close()
            cuectl.run(*words).fails(
                6,
                "a worker for 'farm' runs here already",
                "give each executor one worker on a machine, and --concurrency to that",
            )
        finally:
            first.kill()
            first.communicate(timeout=60)
