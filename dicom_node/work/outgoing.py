"""Which results are due at which peer, and which of them are to be proved."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Integer, exists, func, select
from sqlalchemy.orm import Session

from dicom_node.catalog import UNSENT, Delivery, DeliveryState, PeerState, Result, Run, Stack, StackState
from dicom_node.config import Config
from dicom_node.work.ending import settle
from dicom_node.work.peers import settle_stacks_of
from dicom_node.work.wanted import FIRST, Wanted, peer_queue

_BEHIND_LIVE = 10  # added to a backlog's priority
_PROOF_PRIORITY = 5  # among deliveries of 1 to 9


def due(session: Session, config: Config, now: float) -> Iterator[Wanted]:
    """Yield the jobs of every peer that may be called; one that was away is first tried with the most urgent one."""
    states = {row.name: row for row in session.scalars(select(PeerState)).all()}
    for name, peer in config.peers.items():
        state = states.get(name)
        if state is not None and state.next_at > now:
            continue
        jobs = list(_deliveries(session, name, now))
        if peer.commitment != "none" and _has_proofs_due(session, name, now):
            jobs.append(Wanted("prove", (name,), state.proofs if state else 0, peer_queue(name), _PROOF_PRIORITY))
        yield from jobs[:1] if state is not None and state.failures else jobs


def fail_without_peer(session: Session, config: Config) -> None:
    """End what is meant for a peer that the configuration no longer names."""
    query = select(Delivery).where(Delivery.state.in_(UNSENT), Delivery.peer.not_in(config.peers))
    lost = session.scalars(query).all()
    for delivery in lost:
        delivery.state, delivery.reason = DeliveryState.FAILED, "the configuration names no such peer any more"
    settle_stacks_of(session, config, lost)


def settle_ended(session: Session, config: Config) -> None:
    """End the stacks on their way for which nothing is under way any more: the configuration asks less of a peer."""
    required = [name for name, peer in config.peers.items() if peer.required]
    proving = [name for name, peer in config.peers.items() if peer.commitment != "none"]
    unproved = (Delivery.state == DeliveryState.STORED) & Delivery.peer.in_(proving)
    under_way = (
        exists()
        .where(Run.stack_id == Stack.id, Result.run_id == Run.id, Delivery.result_uid == Result.uid)
        .where(Delivery.peer.in_(required), Delivery.state.in_(UNSENT) | unproved)
    )
    for stack in session.scalars(select(Stack).where(Stack.state == StackState.DELIVERING, ~under_way)).all():
        settle(session, stack, config.peers)


def _deliveries(session: Session, peer: str, now: float) -> Iterator[Wanted]:
    query = (
        select(Stack.id, func.max(Delivery.attempt), Stack.priority + _BEHIND_LIVE * Stack.backlog.cast(Integer))
        .join(Run, Run.stack_id == Stack.id)
        .join(Result, Result.run_id == Run.id)
        .join(Delivery, Delivery.result_uid == Result.uid)
        .where(Delivery.state.in_(UNSENT), Delivery.peer == peer)
        .group_by(Stack.id, Stack.priority, Stack.backlog)
        .having(func.min(Delivery.next_at) <= now)
        .order_by(Stack.backlog, Stack.priority, func.min(Delivery.first_at))
    )
    for key, attempt, priority in session.execute(query).all():
        yield Wanted("deliver", (peer, key), attempt, peer_queue(peer), FIRST + priority)


def _has_proofs_due(session: Session, peer: str, now: float) -> bool:
    query = select(Delivery.result_uid).where(
        Delivery.peer == peer, Delivery.state == DeliveryState.STORED, Delivery.next_at <= now
    )
    return session.scalars(query.limit(1)).first() is not None
