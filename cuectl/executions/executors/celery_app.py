"""Celery as we use it, for publishing and for working: it carries, and keeps no record of its own.

No result backend (a client with one subscribes to every result), no retries of its own, no late
acknowledgement, no prefetching: the manual of `executors` says why.
"""

from __future__ import annotations

from cuectl.executions.rules import wire
from cuectl.values.errors import CuectlError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from celery import Celery

HINT = "pip install 'cuectl[celery]'"
PUBLISH_S = 10.0


def celery_app(url: str, broker: str | None = None) -> Celery:
    """Return the application, for a broker that is the store between the machines or its own.

    Raises CuectlError: Celery is not installed.
    """
    try:
        from celery import Celery
    except ImportError as error:
        message = f"work on other machines needs Celery, which can't be imported: {error}"
        raise CuectlError(message, hint=HINT) from None
    app = Celery("cuectl", broker=broker or url, set_as_current=False, fixups=[])
    app.conf.update(
        accept_content=["json"],
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "socket_timeout": PUBLISH_S,
            "socket_connect_timeout": PUBLISH_S,
            # A message that waits longer would be delivered twice; the fence would hold.
            "visibility_timeout": 7 * 86_400,
        },
        enable_utc=True,
        event_serializer="json",
        result_backend="disabled",
        task_acks_late=False,
        task_create_missing_queues=True,
        task_ignore_result=True,
        task_serializer="json",
        worker_disable_prefetch=True,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=True,
        worker_pool_start_method="fork",
        worker_prefetch_multiplier=1,
        worker_send_task_events=False,
    )
    return app


class Publisher:
    """One connection to a broker, for the messages of one pass.

    Raises NoAnswer: the broker does not take a message; it may have, and taking it again is
    harmless.
    """

    def __init__(self, url: str, broker: str | None = None) -> None:
        self._app = celery_app(url, broker)
        self._connection: Any = None

    def publish(self, queue: str, sealed: str) -> None:
        """Send one sealed start."""
        from kombu.exceptions import OperationalError

        from cuectl.executions.executors.cells import NoAnswer

        try:
            if self._connection is None:
                self._connection = self._app.connection_for_write()
                self._connection.ensure_connection(max_retries=1, timeout=PUBLISH_S)
            self._app.send_task(
                wire.TASK, (sealed,), queue=queue, connection=self._connection,
                ignore_result=True, retry=False,
            )  # fmt: skip
        except (OperationalError, OSError, *self._app.connection().connection_errors) as error:
            self.close()
            hint = "cuectl executors ping"
            raise NoAnswer(f"the broker accepts no messages: {error}", hint=hint) from error

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.release()
            self._connection = None
