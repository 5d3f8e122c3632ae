"""How processes of ours are started, and what each does first.

Each is a fresh interpreter that runs one module, so that nothing of the program that starts it is imported there.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from types import MappingProxyType
from typing import Protocol, TypeAlias

from dicom_node.config import Config
from dicom_node.errors import CatalogAwayError, CatalogError
from dicom_node.logs import set_up_log

_HEAP = {"MALLOC_ARENA_MAX": "2"}
"""glibc otherwise gives every thread a heap of its own, and what one has freed the others cannot use."""
_M_MMAP_THRESHOLD = -3  # of mallopt(3)
_LARGE_BYTES = 256 * 1024

Target: TypeAlias = Callable[[Config, threading.Event, Callable[[], None]], None]
"""Works until the event is set, and says once that it is ready."""


AWAY = "away: "
"""Begins the word of a part that may do better later."""


class HasFileno(Protocol):
    """What has a descriptor that another process can be given."""

    def fileno(self) -> int:
        """Return it."""


def start(
    name: str,
    module: str,
    config: Config,
    environment: Mapping[str, str] = MappingProxyType({}),
    shared: Sequence[HasFileno] = (),
) -> tuple[subprocess.Popen[bytes], Connection]:
    """Start a process that runs a module; return it and our end of the pipe whose other end `attached` returns there.

    `environment` is added to ours where it does not say so itself. The descriptors of `shared` are what `inherited`
    returns there. Its standard input is open for as long as we live.
    Raises OSError where the process could not begin.
    """
    ours, theirs = Pipe()
    with theirs:
        passed = [theirs.fileno(), *(one.fileno() for one in shared)]
        command = [sys.executable, "-m", module, name, *map(str, passed)]
        path = os.pathsep.join(filter(None, sys.path))
        process = subprocess.Popen(  # noqa: S603  # our own module
            command,
            stdin=subprocess.PIPE,
            pass_fds=passed,
            env={**_HEAP, **environment, **os.environ, "PYTHONPATH": path},
        )
    try:
        ours.send(config)
    except OSError:  # it was killed as it began
        process.kill()
        process.wait()
        raise
    return process, ours


def give_large_blocks_back() -> None:
    """Have each large block given back to the system as soon as it is freed, where the C library is glibc.

    Otherwise each raises what counts as large, up to 32 MiB, and small blocks settle in the gap that it leaves: the
    next one finds no room there, and the heap of a process that lives for months grows. As every large block then
    costs a call and fresh pages, this is not for processes that do nothing but compute.
    """
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)


def attached() -> tuple[Connection, Config]:
    """Return the pipe that `start` opened and the configuration; from now on this process ends with its parent."""
    multiprocessing.current_process().name = sys.argv[1]  # for the log
    threading.Thread(target=_end_with_input, daemon=True, name="parent-watch").start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor ends us; a terminal's ^C goes to all
    connection = Connection(int(sys.argv[2]))
    config = connection.recv()
    set_up_log(config)
    return connection, config


def inherited() -> list[int]:
    """Return the descriptors that this process was started with."""
    return [int(argument) for argument in sys.argv[3:]]


def be_part(target: Target) -> None:
    """Be a part of the node until SIGTERM; send one word when it is ready, empty unless something is wrong."""
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    connection, config = attached()
    try:
        target(config, stopped, lambda: connection.send_bytes(b""))
    except CatalogError as error:  # a sentence says all, in the supervisor's log
        away = AWAY if isinstance(error, CatalogAwayError) else ""
        connection.send_bytes(f"{away}{error}".encode())
        os._exit(1)  # whatever its threads still wait for
    except Exception as error:
        connection.send_bytes(f"{type(error).__name__}: {error}".encode())
        raise


def _end_with_input() -> None:
    """Standard input ends when the process that started us is gone, however it died."""
    while os.read(0, 1):  # not sys.stdin: an interpreter that ends would wait for its lock
        pass
    os._exit(1)
