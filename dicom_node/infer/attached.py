"""A model process's own end of the pipe: the same for every framework."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from dicom_node.config import Config
from dicom_node.infer.messages import Arrays, receive, send
from dicom_node.processes import set_up_log


def attached() -> tuple[Connection, Config]:
    """Return the pipe that `Child` opened and the configuration; from now on this process ends with its parent."""
    multiprocessing.current_process().name = sys.argv[2]  # for the log
    threading.Thread(target=_end_with_input, daemon=True, name="parent-watch").start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor ends us; a terminal's ^C goes to all
    connection = Connection(int(sys.argv[1]))
    config = connection.recv()
    set_up_log(config)
    return connection, config


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


def _end_with_input() -> None:
    """Standard input ends when the process that started us is gone, however it died."""
    sys.stdin.buffer.read()
    os._exit(1)
