"""A model that keeps busy what a node gives its models: `python -m benchmarks.receiving.busy`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_NICE = 10  # as [workers] nice


@contextmanager
def busy_model() -> Iterator[None]:
    """Keep all processors but one busy at lower priority while the context lasts."""
    command = [sys.executable, "-m", "benchmarks.receiving.busy"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            process.stdout.readline()  # it has begun
            yield
        finally:
            process.kill()


def main() -> None:
    """Convolve volumes for ever."""
    os.nice(_NICE)
    torch.set_num_threads(max(1, (os.cpu_count() or 2) - 1))
    network, volume = torch.nn.Conv3d(8, 8, 3, padding=1), torch.rand(1, 8, 64, 64, 64)
    with torch.inference_mode():
        network(volume)
        sys.stdout.write("busy\n")
        sys.stdout.flush()
        while True:
            network(volume)


if __name__ == "__main__":
    main()
