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


class Pace:
    """Waits after each PDU until the line has had the time for it; bound to EVT_DATA_SENT of one association."""

    def __init__(self, config: Config, peer: Peer) -> None:
        self._config = config
        self._peer = peer
        self._free_at = 0.0

    def __call__(self, event: Event) -> None:
        """Wait; runs in the thread that sends."""
        limit = mbit_now(self._config, self._peer)
        if limit is None:
            return
        now = time.monotonic()
        self._free_at = max(self._free_at, now) + 8 * len(event.data) / (limit * _MBIT)
        time.sleep(self._free_at - now)
