"""Bounds on a process that decodes what senders sent: its memory, and the time that decoding takes."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

from dicom_node.config import Workers

_GB = 1e9
_SHARE = 0.75  # of the machine's memory; the rest is for what receives, decides and sends
_CGROUP = Path("/sys/fs/cgroup/memory.max")


def limit_memory(workers: Workers) -> None:
    """Let whatever asks for more memory than `max_memory_gb` be refused it, in this process and those it starts.

    What is limited is private writable memory: the address space that CUDA only reserves does not count.
    """
    limit = int(_GB * workers.max_memory_gb) if workers.max_memory_gb else int(_SHARE * _machine_memory())
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


@contextlib.contextmanager
def end_after(seconds: float) -> Iterator[None]:
    """End this process by SIGALRM where the block takes longer: no decoder can be interrupted otherwise."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _machine_memory() -> int:
    """Return the bytes of memory of the machine, or of the container that this is."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    allowed = _CGROUP.read_text().strip() if _CGROUP.exists() else "max"
    return min(machine, int(allowed)) if allowed.isdigit() else machine
