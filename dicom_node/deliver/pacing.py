"""A peer's share of a line: at business hours no more bits a second than its `max_mbit`."""

from __future__ import annotations

import time
from datetime import datetime
from zoneinfo import ZoneInfo

from pynetdicom.events import Event

from dicom_node.config import Config, Peer

_MBIT = 1e6


def mbit_now(config: Config, peer: Peer) -> float | None:
    """Return what a peer may be sent in a second at this time of day, None where there is no limit."""
    now = datetime.now(ZoneInfo(config.node.timezone)).time()
    start, end = peer.max_mbit_hours
    within = start <= now < end if start <= end else now >= start or now < end
    return peer.max_mbit if within else None


class Line:
    """One connection to a peer."""

    def __init__(self, config: Config, peer: Peer) -> None:
        self._config = config
        self._peer = peer
        self._free_at = 0.0

    def wait(self, size: int) -> None:
        """Wait until the line has had the time for so many bytes."""
        limit = mbit_now(self._config, self._peer)
        if limit is None:
            return
        now = time.monotonic()
        self._free_at = max(self._free_at, now) + 8 * size / (limit * _MBIT)
        time.sleep(self._free_at - now)


def pace(event: Event, line: Line) -> None:
    """Wait after each PDU that was sent; bound to EVT_DATA_SENT, it runs in the thread that sends."""
    line.wait(len(event.data))
