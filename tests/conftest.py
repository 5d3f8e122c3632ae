"""Fixtures of several folders, and how many tests `make test` runs at a time."""

import os

from tests.support.postgres import postgres, postgres_server
from tests.support.tensorflow import models, tensorflow

__all__ = ["models", "postgres", "postgres_server", "tensorflow"]

_WORKER_GIB = 4  # what a worker's tests and the nodes that they start hold at most, PyTorch and TensorFlow included


def pytest_xdist_auto_num_workers() -> int:
    """Return two workers for every processor, as most tests wait for others, if the machine's memory allows."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return max(1, min(2 * (os.cpu_count() or 1), int(memory_gib / _WORKER_GIB)))
