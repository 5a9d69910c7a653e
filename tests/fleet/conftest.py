"""What the tests of the fleet stand on."""

from __future__ import annotations

from tests.fixtures.redis import redis_server

__all__ = ["redis_server"]
