"""A model process's own end of the pipe: the same for every framework."""

from __future__ import annotations

import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from dicom_node.config import Config
from dicom_node.infer.messages import Arrays, receive, send


def answer_all(connection: Connection, answer: Callable[[Any, Arrays], tuple[Any, Arrays]]) -> None:
    """Say that we are ready, and answer requests until the other end closes the pipe."""
    send(connection, "ready")
    while True:
        try:
            values, arrays = receive(connection)
        except EOFError:
            return
        send(connection, *answer(values, arrays))


def threads(config: Config) -> int:
    """Return how many threads a framework may use."""
    return config.workers.threads or max(1, (os.cpu_count() or 2) - 1)
