"""The job that sends one stack's waiting results to one peer, in one association."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from dicom_node.catalog import UNSENT, Catalog, Delivery, DeliveryState, Result, Run, Stack
from dicom_node.catalog.corrections import recall_late
from dicom_node.config import Config
from dicom_node.deliver import DUPLICATE, Sent, delay_s, mask_patient, send
from dicom_node.work.durable import Step
from dicom_node.work.ending import note, settle
from dicom_node.work.peers import give_up, is_away, peer_answered, peer_failed
from dicom_node.work.telling import tell_delivery

_log = logging.getLogger(__name__)


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
            for delivery in unsent_deliveries(session, peer, key):
                self._try_later(session, delivery, Sent(delivery.result_uid, "retry", None, error))

    def _deliver(self, peer: str, key: str) -> None:
        paths = [self._config.storage_folder / path for path in self._take(peer, key)]
        outcomes, left = [], []
        for sent in self._sent(peer, paths):
            outcomes.append(sent)
            left += [] if self._keep(peer, sent) else [sent]
        with self._catalog.write() as session:
            is_stuck = bool(left) and len(left) == len(paths)
            is_unreached = is_stuck and all(sent.outcome == "unreached" for sent in left)
            waits = [sent for sent in left if sent.outcome == "retry" or (is_stuck and not is_unreached)]
            self._put_back(session, peer, key, {sent.sop_instance_uid: sent for sent in waits})
            if is_unreached:
                peer_failed(session, self._config, peer, left[0].reason)
            elif paths:
                peer_answered(session, peer)
            session.flush()
            settle(session, session.get_one(Stack, key), self._config.peers)
        if outcomes and not is_unreached:  # of a peer that is away, that is said once
            tell_delivery(key, peer, self._config.peers[peer].where, outcomes)

    def _sent(self, peer: str, paths: list[Path]) -> Iterable[Sent]:
        for sent in send(self._config, self._config.peers[peer], paths) if paths else ():
            if sent.comment:
                self._log_comment(peer, sent, paths)
            yield sent

    def _log_comment(self, peer: str, sent: Sent, paths: list[Path]) -> None:
        """Log the status of an object that a peer has commented on; the words only where the configuration says so."""
        words = "a comment, which is in the catalog"
        if self._config.log.peer_comments:
            words = mask_patient(sent.comment, next(one for one in paths if one.stem == sent.sop_instance_uid))
        _log.info("%s answered 0x%04X for %s, with %s", peer, sent.status, sent.sop_instance_uid, words)

    def _take(self, peer: str, key: str) -> list[str]:
        """Return the files to be sent now; none where the peer turned out to be away since the job was made."""
        with self._catalog.write() as session:
            if is_away(session, peer):
                return []
            taken = unsent_deliveries(session, peer, key)
            for delivery in taken:
                delivery.state = DeliveryState.SENDING
            return [session.get_one(Result, delivery.result_uid).path for delivery in taken]

    def _keep(self, peer: str, sent: Sent) -> bool:
        """Write down an outcome as soon as it is known; say whether it leaves nothing to be sent."""
        proves = self._config.peers[peer].commitment == "required" and sent.status == DUPLICATE
        if sent.outcome not in ("stored", "park") and not proves:
            return False
        with self._catalog.write() as session:
            delivery = session.get_one(Delivery, (sent.sop_instance_uid, peer))
            delivery.status, delivery.comment = sent.status, sent.comment
            if delivery.state != DeliveryState.SENDING:  # its images were corrected while it was on its way
                if sent.outcome != "park":
                    recall_late(delivery, time.time())
                return True
            delivery.reason = sent.reason
            if sent.outcome == "park":
                delivery.state = DeliveryState.FAILED
            else:
                _to_be_proved(delivery)
            note(session, delivery.result_uid, f"{peer}: {delivery.state} {sent.reason}".rstrip())
        return True

    def _put_back(self, session: Session, peer: str, key: str, waits: dict[str, Sent]) -> None:
        """Let what was not settled wait: its own time where it is to, no time at all where it was not tried.

        What an association did not come to waits too where nothing was settled in it: the next would end like it.
        """
        unsent = unsent_deliveries(session, peer, key)
        attempt = 1 + max((delivery.attempt for delivery in unsent), default=0)
        for delivery in unsent:
            delivery.state, delivery.attempt = DeliveryState.WAITING, attempt
            if sent := waits.get(delivery.result_uid):
                self._try_later(session, delivery, sent)

    def _try_later(self, session: Session, delivery: Delivery, sent: Sent) -> None:
        peer = self._config.peers[delivery.peer]
        delivery.state, delivery.status = DeliveryState.WAITING, sent.status
        delivery.reason, delivery.comment = sent.reason, sent.comment
        delivery.next_at = time.time() + delay_s(peer, delivery.attempt, delivery.result_uid)
        if not give_up(session, delivery, peer, sent.reason):
            note(session, delivery.result_uid, f"{delivery.peer}: attempt {delivery.attempt}: {delivery.reason}")


def unsent_deliveries(session: Session, peer: str, stack_id: str) -> list[Delivery]:
    """Return what of a stack's results is still to be sent to a peer, in the order made."""
    query = (
        select(Delivery)
        .join(Result, Delivery.result_uid == Result.uid)
        .join(Run, Result.run_id == Run.id)
        .where(Run.stack_id == stack_id, Delivery.peer == peer, Delivery.state.in_(UNSENT))
        .order_by(Result.at)
    )
    return list(session.scalars(query).all())


def _to_be_proved(delivery: Delivery) -> None:
    """A stored object's proof has the whole time for itself; one that is stored anew goes on with what is left."""
    now = time.time()
    delivery.state, delivery.next_at, delivery.transaction_uid = DeliveryState.STORED, now, ""
    if not delivery.asked:
        delivery.first_at = now
