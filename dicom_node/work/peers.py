"""How a peer answers of late, and what that means for everything that waits for it."""

from __future__ import annotations

import time
from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from dicom_node.catalog import UNSENT, Delivery, DeliveryState, PeerState, Result, Run, Stack
from dicom_node.config import Config, Peer
from dicom_node.deliver import delay_s
from dicom_node.work.ending import note, settle
from dicom_node.work.telling import tell_away, tell_back

_AT_ONCE = 500  # values in one statement; databases take no number of them


def peer_state(session: Session, name: str) -> PeerState:
    """Return a peer's row, made when it is not there yet."""
    row = session.get(PeerState, name)
    if row is None:
        row = PeerState(name=name, failures=0, next_at=0.0, reason="", proofs=0)
        session.add(row)
    return row


def is_away(session: Session, name: str) -> bool:
    """Say whether the peer could not be reached and is not to be called yet."""
    row = session.get(PeerState, name)
    return row is not None and row.next_at > time.time()


def peer_failed(session: Session, config: Config, name: str, reason: str) -> None:
    """Leave a peer alone for a while, longer each time; what waits for it beyond `give_up_after_h` fails."""
    row, now = peer_state(session, name), time.time()
    row.failures += 1
    row.next_at = now + delay_s(config.peers[name], row.failures, name)
    if row.failures == 1:
        tell_away(name, reason)
    if row.reason != reason:
        note(session, name, f"away: {reason}")
    row.reason = reason
    unsent = select(Delivery).where(Delivery.peer == name, Delivery.state.in_(UNSENT))
    expired = [one for one in session.scalars(unsent).all() if give_up(session, one, config.peers[name], reason)]
    settle_stacks_of(session, config, expired)


def peer_answered(session: Session, name: str) -> None:
    """Forget that a peer was away: what waited for it is due at once, the most urgent first."""
    row = peer_state(session, name)
    if row.failures:
        tell_back(name, row.failures)
        note(session, name, f"is back after {row.failures} failed attempts")
    row.failures, row.next_at, row.reason = 0, 0.0, ""


def give_up(session: Session, delivery: Delivery, peer: Peer, reason: str) -> bool:
    """Fail a delivery that has been tried for `give_up_after_h`; say whether it has."""
    if time.time() - delivery.first_at <= peer.give_up_after_h * 3600:
        return False
    delivery.state = DeliveryState.FAILED
    delivery.reason = f"given up after {peer.give_up_after_h:g} h: {reason}"
    note(session, delivery.result_uid, f"{delivery.peer}: {delivery.reason}")
    return True


def settle_stacks_of(session: Session, config: Config, deliveries: Iterable[Delivery]) -> None:
    """Work out anew where the stacks are whose deliveries have changed."""
    session.flush()
    results = [one.result_uid for one in deliveries]
    stacks: set[Stack] = set()
    for first in range(0, len(results), _AT_ONCE):
        theirs = select(Run.stack_id).join(Result, Result.run_id == Run.id)
        theirs = theirs.where(Result.uid.in_(results[first : first + _AT_ONCE]))
        stacks.update(session.scalars(select(Stack).where(Stack.id.in_(theirs))).all())
    for stack in sorted(stacks, key=lambda one: one.id):  # in one order: two that settle wait for no ring of rows
        settle(session, stack, config.peers)
