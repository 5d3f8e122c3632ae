"""Python's clock, moved by the number of seconds (a little-endian double) that the file FAULTS_CLOCK holds.

An interpreter imports this by its name before anything else where its folder is on PYTHONPATH. Only `time.time` is
moved: it is what leases, quiet times and delays are counted by; the monotonic clock never jumps.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from pathlib import Path


def _move(path: Path) -> None:
    with path.open("rb") as file:
        view = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
    real = time.time
    time.time = lambda: real() + float(struct.unpack_from("<d", view)[0])


if "FAULTS_CLOCK" in os.environ:
    _move(Path(os.environ["FAULTS_CLOCK"]))
