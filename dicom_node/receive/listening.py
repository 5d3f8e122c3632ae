"""The port of a node: one listening socket, from which each of its receivers takes connections."""

from __future__ import annotations

import socket

_BACKLOG = 128  # connections that the kernel keeps until they are accepted


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. The kernel gives a connection to whichever process has waited for one the longest.

    Sockets of their own with SO_REUSEPORT would get connections by a hash of the peer's port, several the same process
    while another has none, and those that wait for a process that dies would be reset.

    Raises:
        OSError: the port cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=_BACKLOG)
