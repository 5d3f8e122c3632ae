"""After the clock was put back, nothing waits for the old time to come again."""

from __future__ import annotations

from sqlalchemy import ColumnElement, or_, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from dicom_node.catalog import CommitmentRequest, Delivery, PeerState, Series, Study
from dicom_node.config import Config

_SKEW_S = 5.0  # between the clocks of machines that share a catalog


def set_right(session: Session, config: Config, now: float) -> None:
    """Bring times that lie further ahead than any of ours can to now."""
    session.execute(update(Series).where(Series.last_at > now + _SKEW_S).values(last_at=now))
    session.execute(update(Study).where(Study.last_at > now + _SKEW_S).values(last_at=now))
    for begun in (Delivery.first_at, CommitmentRequest.first_at):
        session.execute(update(begun.class_).where(begun > now + _SKEW_S).values(first_at=now))
    for name, peer in config.peers.items():
        furthest = now + max(peer.retry_max_s, peer.commit_timeout_h * 3600) + _SKEW_S
        session.execute(update(Delivery).where(Delivery.peer == name, Delivery.next_at > furthest).values(next_at=now))
        away_until = now + peer.retry_max_s + _SKEW_S
        asks = CommitmentRequest.peer == name, CommitmentRequest.next_at > furthest
        session.execute(update(CommitmentRequest).where(*asks).values(next_at=now))
        session.execute(
            update(PeerState).where(PeerState.name == name, PeerState.next_at > away_until).values(next_at=now)
        )


def is_over(until: InstrumentedAttribute[float], now: float, lease_s: float) -> ColumnElement[bool]:
    """Say whether a lease has run out, or is longer than any that is given."""
    return or_(until < now, until > now + lease_s + _SKEW_S)
