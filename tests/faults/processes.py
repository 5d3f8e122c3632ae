"""A node's processes, found by what they hold open and not by what they are called (Linux's /proc)."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_LISTENS = "0A"  # a socket's state in /proc/net/tcp
_THREADS = 18  # in /proc/PID/stat, how many fields behind the name there are up to the number of threads
_GONE_S = 20.0


def children(pid: int) -> list[int]:
    """Return the child processes of a process that run code of ours, by way of every thread that started one."""
    found = []
    for task in _PROC.glob(f"{pid}/task/*/children"):
        with suppress(OSError):
            found += [int(word) for word in task.read_text().split()]
    return [one for one in found if _is_spawned(one)]


def listeners(pids: Iterable[int], port: int) -> list[int]:
    """Return which of the processes listen on a TCP port."""
    sockets = {f"socket:[{inode}]" for inode in _listening(port)}
    return [pid for pid in pids if sockets.intersection(open_files(pid))]


def holders(pids: Iterable[int], folder: Path) -> list[int]:
    """Return which of the processes hold a file of a folder open."""
    return [pid for pid in pids if any(name.startswith(f"{folder}/") for name in open_files(pid))]


def open_files(pid: int) -> Iterator[str]:
    """Yield what each file handle of a process is to."""
    with suppress(OSError):
        for link in (_PROC / str(pid) / "fd").iterdir():
            with suppress(OSError):
                yield str(link.readlink())


def sockets(pid: int) -> int:
    """Return how many sockets a process holds open."""
    return sum(name.startswith("socket:") for name in open_files(pid))


def resident_mb(pid: int) -> float:
    """Return the memory that a process has in use, in MiB; 0 when it is gone."""
    return _status_mb(pid, "VmRSS")


def peak_mb(pid: int) -> float:
    """Return the most memory that a process had in use since its peak was reset (proc(5), clear_refs), in MiB."""
    return _status_mb(pid, "VmHWM")


def _status_mb(pid: int, field: str) -> float:
    with suppress(OSError):
        for line in (_PROC / str(pid) / "status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) / 1024
    return 0.0


def kill(pids: Iterable[int]) -> None:
    """Kill -9 each of these processes, and wait until they are gone or are zombies that their parent may collect."""
    stopped = list(pids)
    for pid in stopped:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + _GONE_S
    while any(_runs(pid) for pid in stopped) and time.monotonic() < deadline:
        time.sleep(0.01)


def _runs(pid: int) -> bool:
    with suppress(OSError):
        state, *_, threads = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[:_THREADS]
        return state != "Z" or int(threads) > 1  # the first thread may be one before the others are gone
    return False


def _is_spawned(pid: int) -> bool:
    """Python's own resource tracker is no part of the node."""
    with suppress(OSError):
        return b"resource_tracker" not in (_PROC / str(pid) / "cmdline").read_bytes()
    return False


def _listening(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        for line in (_PROC / "net" / table).read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == _LISTENS and int(words[1].rpartition(":")[2], 16) == port:
                yield words[9]
