"""The process that compares versions, with a model process's bounds: the registrar starts this module."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection

from dicom_node.bounds import end_after, limit_memory
from dicom_node.config import Workers
from dicom_node.imaging.decoding import register
from dicom_node.imaging.limits import PixelLimits
from dicom_node.processes import attached
from dicom_node.receive.comparing import compare
from dicom_node.receive.comparing_pixels import shows_same
from dicom_node.receive.comparing_removed import compare_removed
from dicom_node.receive.removed import removed_digests

_NICE = 10


def main() -> None:
    """Answer each pair of paths with how the objects differ, until nobody asks any more."""
    connection, config = attached()
    os.nice(_NICE)
    limit_memory(config.workers)
    with suppress(EOFError):
        _answer(connection, config.workers)


def _answer(connection: Connection, workers: Workers) -> None:
    register()
    limits = PixelLimits(workers.max_frame_megapixels, workers.max_stack_megapixels)
    decode = partial(shows_same, limits=limits)
    while True:
        path, other = connection.recv()
        with end_after(workers.decode_timeout_s):
            is_removed = not other.exists()
            difference = (
                compare_removed(path, removed_digests(other), limits) if is_removed else compare(path, other, decode)
            )
        connection.send(difference)


if __name__ == "__main__":
    main()
