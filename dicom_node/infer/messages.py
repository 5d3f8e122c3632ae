"""What goes over the pipe to a model process and back: plain values as JSON, arrays as their bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Arrays: TypeAlias = Mapping[str, NDArray[Any]]
NO_ARRAYS: Arrays = {}


def send(connection: Connection, values: Any, arrays: Arrays = NO_ARRAYS) -> None:
    """Send JSON values and named arrays of numbers."""
    described = {name: (array.dtype.str, array.shape) for name, array in arrays.items()}
    connection.send_bytes(json.dumps({"values": values, "arrays": described}).encode())
    for array in arrays.values():
        connection.send_bytes(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


def receive(connection: Connection) -> tuple[Any, dict[str, NDArray[Any]]]:
    """Return what `send` sent; raises EOFError when the other end is gone."""
    message = json.loads(connection.recv_bytes())
    arrays: dict[str, NDArray[Any]] = {}
    for name, (dtype, shape) in message["arrays"].items():
        arrays[name] = np.empty(shape, np.dtype(dtype))
        connection.recv_bytes_into(arrays[name].reshape(-1).view(np.uint8))
    return message["values"], arrays
