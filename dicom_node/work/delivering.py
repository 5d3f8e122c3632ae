"""The job that sends one stack's waiting results to one peer, in one association."""

from __future__ import annotations

import time
from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from dicom_node.catalog import Catalog, Delivery, DeliveryState, Result, Run, Stack
from dicom_node.config import Config, Peer
from dicom_node.deliver import Sent, delay_s, send
from dicom_node.work.durable import Step
from dicom_node.work.ending import note, settle


class Delivering:
    """Sends, and writes each object's outcome; what may still succeed is tried again later, without holding a slot."""

    def __init__(self, config: Config, catalog: Catalog) -> None:
        self._config = config
        self._catalog = catalog

    def __call__(self, step: Step, *args: str) -> None:
        """Do the job for (peer, stack id)."""
        peer, key = args
        step("deliver", self._deliver, peer, key)

    def failed(self, peer: str, key: str, error: str) -> None:
        """Try again later: the results are kept."""
        with self._catalog.write() as session:
            for delivery in waiting_deliveries(session, peer, key):
                self._try_later(session, delivery, error)

    def _deliver(self, peer: str, key: str) -> None:
        with self._catalog.read() as session:
            results = [session.get_one(Result, one.result_uid) for one in waiting_deliveries(session, peer, key)]
        paths = [self._config.storage_folder / result.path for result in results]
        outcomes = send(self._config, self._config.peers[peer], paths) if paths else ()
        self._keep(peer, key, outcomes)

    def _keep(self, peer: str, key: str, outcomes: Iterable[Sent]) -> None:
        by_uid = {sent.sop_instance_uid: sent for sent in outcomes}
        with self._catalog.write() as session:
            for delivery in waiting_deliveries(session, peer, key):
                self._note_outcome(session, delivery, by_uid[delivery.result_uid])
            session.flush()
            settle(session, session.get_one(Stack, key), self._config.peers)

    def _note_outcome(self, session: Session, delivery: Delivery, sent: Sent) -> None:
        delivery.status = sent.status
        if sent.outcome == "retry":
            self._try_later(session, delivery, sent.reason)
            return
        delivery.state = DeliveryState.STORED if sent.outcome == "stored" else DeliveryState.FAILED
        delivery.reason = sent.reason
        note(session, delivery.result_uid, f"{delivery.peer}: {delivery.state} {sent.reason}".rstrip())

    def _try_later(self, session: Session, delivery: Delivery, reason: str) -> None:
        peer: Peer = self._config.peers[delivery.peer]
        now = time.time()
        delivery.attempt += 1
        delivery.next_at = now + delay_s(peer, delivery.attempt, delivery.result_uid)
        delivery.reason = reason
        if now - delivery.first_at > peer.give_up_after_h * 3600:
            delivery.state = DeliveryState.FAILED
            delivery.reason = f"given up after {peer.give_up_after_h:g} h: {reason}"
        note(session, delivery.result_uid, f"{delivery.peer}: attempt {delivery.attempt}: {delivery.reason}")


def waiting_deliveries(session: Session, peer: str, stack_id: str) -> list[Delivery]:
    """Return what of a stack's results still waits for a peer, in the order made."""
    query = (
        select(Delivery)
        .join(Result, Delivery.result_uid == Result.uid)
        .join(Run, Result.run_id == Run.id)
        .where(Run.stack_id == stack_id, Delivery.peer == peer, Delivery.state == DeliveryState.WAITING)
        .order_by(Result.at)
    )
    return list(session.scalars(query).all())
