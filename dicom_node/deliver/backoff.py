"""How long to wait before a peer is tried again."""

from dicom_node.config import Peer
from dicom_node.uids import digest

_SPREAD = 0.25  # of the delay; what failed together does not come back together


def delay_s(peer: Peer, attempt: int, seed: str) -> float:
    """Return the seconds to wait after the attempt of this number, from 1.

    The delay doubles from `retry_s` up to `retry_max_s` and is shortened by up to a quarter, by how much depends on
    nothing but seed and attempt.
    """
    doublings = min(max(attempt, 1) - 1, 32)
    full = min(peer.retry_s * (1 << doublings), peer.retry_max_s)
    share = int(digest(seed, str(attempt))[:8], 16) / 0xFFFFFFFF
    return full * (1 - _SPREAD * share)
