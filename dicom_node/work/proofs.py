"""What a peer's proofs, or their want, mean for the deliveries that wait for them (PS3.4 J, PS3.3 C.14)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from dicom_node.catalog import Delivery, DeliveryState, Result
from dicom_node.commitment import Message
from dicom_node.config import Config, Peer
from dicom_node.deliver import delay_s
from dicom_node.work.ending import note
from dicom_node.work.peers import give_up, settle_stacks_of

_SENT_AGAIN_AFTER = 3  # requests and queries that found nothing


def due_proofs(session: Session, peer: str, now: float) -> Sequence[Delivery]:
    """Return what a peer has stored and is to be asked about, the oldest first."""
    query = select(Delivery).where(
        Delivery.peer == peer, Delivery.state == DeliveryState.STORED, Delivery.next_at <= now
    )
    return session.scalars(query.order_by(Delivery.first_at)).all()


def give_up_proofs(session: Session, config: Config, deliveries: Sequence[Delivery]) -> list[Delivery]:
    """Fail what has waited too long for its proof; return the others."""
    expired = [
        one
        for one in deliveries
        if give_up(session, one, config.peers[one.peer], f"stored, but not proved: {one.reason or 'no answer'}")
    ]
    settle_stacks_of(session, config, expired)
    return [one for one in deliveries if one not in expired]


def take_report(session: Session, config: Config, report: Message) -> None:
    """Act upon a report on one of our requests for commitment; one on anything else says nothing to us.

    It counts only from the peer that was asked, and for the pairs of SOP class and instance that were asked for.
    """
    query = select(Delivery).where(
        Delivery.transaction_uid == report.transaction_uid, Delivery.state == DeliveryState.STORED
    )
    answered = []
    for delivery in session.scalars(query.where(Delivery.peer.in_(report.peers))).all():
        failure = report.failure_of(session.get_one(Result, delivery.result_uid).sop_class_uid, delivery.result_uid)
        if failure is not None and delivery.peer in config.peers:
            _answered(session, delivery, config.peers[delivery.peer], failure)
            answered.append(delivery)
    settle_stacks_of(session, config, answered)


def found(session: Session, delivery: Delivery, peer: Peer, is_there: bool | None) -> None:
    """Act upon what a query said of an object; None is no answer."""
    if is_there:
        committed(session, delivery, "a query finds it")
    elif is_there is None:
        if peer.commitment == "required":
            delivery.asked = 1  # one more request, then another query
        _ask_later(delivery, peer, "a query gives no answer")
    else:
        delivery.asked += 1
        if delivery.asked > _SENT_AGAIN_AFTER:
            _send_again(session, delivery, peer, "a query does not find it")
        else:
            _ask_later(delivery, peer, "a query does not find it")


def committed(session: Session, delivery: Delivery, reason: str = "") -> None:
    """End a delivery: the peer keeps the object."""
    delivery.state, delivery.transaction_uid, delivery.reason = DeliveryState.COMMITTED, "", reason
    note(session, delivery.result_uid, f"{delivery.peer}: committed {reason}".rstrip())


def _answered(session: Session, delivery: Delivery, peer: Peer, failure: int) -> None:
    if not failure:
        committed(session, delivery)
        return
    act, meaning = _BY_FAILURE_REASON.get(failure, (_ask_again, "a reason that the standard does not have"))
    act(session, delivery, peer, f"not committed: 0x{failure:04X} {meaning}")
    note(session, delivery.result_uid, f"{delivery.peer}: {delivery.reason}")


def _send_again(_session: Session, delivery: Delivery, peer: Peer, reason: str) -> None:
    delivery.attempt += 1
    delivery.state, delivery.reason, delivery.transaction_uid = DeliveryState.WAITING, reason, ""
    delivery.next_at = time.time() + delay_s(peer, delivery.asked, delivery.result_uid)


def _ask_again(_session: Session, delivery: Delivery, peer: Peer, reason: str) -> None:
    _ask_later(delivery, peer, reason)


def _ask_anew(_session: Session, delivery: Delivery, _peer: Peer, reason: str) -> None:
    delivery.reason, delivery.transaction_uid, delivery.next_at = reason, "", time.time()


def _park(_session: Session, delivery: Delivery, _peer: Peer, reason: str) -> None:
    delivery.state, delivery.reason, delivery.transaction_uid = DeliveryState.FAILED, reason, ""


def _ask_later(delivery: Delivery, peer: Peer, reason: str) -> None:
    delivery.reason, delivery.transaction_uid = reason, ""
    delivery.next_at = time.time() + delay_s(peer, max(delivery.asked, 1), delivery.result_uid)


_Act = Callable[[Session, Delivery, Peer, str], None]
_BY_FAILURE_REASON: dict[int, tuple[_Act, str]] = {  # PS3.3 C.14.1.1
    0x0110: (_ask_again, "processing failure"),
    0x0112: (_send_again, "no such object instance"),
    0x0213: (_ask_again, "resource limitation"),
    0x0119: (_park, "class and instance do not match"),
    0x0122: (_park, "the SOP class is not supported"),
    0x0131: (_ask_anew, "the transaction UID was used before"),
}
