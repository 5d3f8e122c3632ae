"""The job that asks one peer for the proof that it keeps what it has stored: storage commitment, or a query."""

from __future__ import annotations

import time
import uuid
from functools import partial

from pydicom import Dataset
from sqlalchemy import select
from sqlalchemy.orm import Session

from dicom_node.catalog import Catalog, Delivery, DeliveryState, Result
from dicom_node.commitment import keep_message, read_message
from dicom_node.config import Config
from dicom_node.deliver import (
    CommitmentRequest,
    NoAssociationError,
    NoCommitmentError,
    Reference,
    ask_commitment,
    find_objects,
)
from dicom_node.uids import derived_uid
from dicom_node.work.durable import Step
from dicom_node.work.ending import note
from dicom_node.work.messages import take_messages
from dicom_node.work.peers import is_away, peer_answered, peer_failed, peer_state, settle_stacks_of
from dicom_node.work.proofs import due_proofs, found, give_up_proofs

_AT_MOST = 500  # objects in one request
_LINGER_S = 5.0  # at most, for an answer on the same association
_REQUESTS = 2  # that may stay unanswered before the objects are queried for


class Proving:
    """Asks for proofs and acts upon them; an answer may also come by way of the receiver, much later."""

    def __init__(self, config: Config, catalog: Catalog) -> None:
        self._config = config
        self._catalog = catalog

    def __call__(self, step: Step, *args: str) -> None:
        """Do the job for (peer,)."""
        (peer,) = args
        transaction_uid, to_find = step("choose", self._choose, peer)
        if transaction_uid:
            step("ask", self._ask, peer, transaction_uid)
        if to_find:
            step("find", self._find, peer, to_find)

    def failed(self, peer: str, error: str) -> None:
        """Leave the peer alone for a while; what was asked for stays asked for."""
        with self._catalog.write() as session:
            peer_failed(session, self._config, peer, error)

    def _choose(self, name: str) -> tuple[str, list[str]]:
        """Open a transaction for what is to be requested; return its UID, and what is to be queried for."""
        peer, now = self._config.peers[name], time.time()
        transaction_uid = derived_uid("storage commitment", name, uuid.uuid4().hex)
        with self._catalog.write() as session:
            peer_state(session, name).proofs += 1
            if is_away(session, name):
                return "", []
            due = give_up_proofs(session, self._config, due_proofs(session, name, now)[:_AT_MOST])
            to_ask = [one for one in due if peer.commitment == "required" and one.asked < _REQUESTS]
            for delivery in to_ask:
                delivery.transaction_uid, delivery.asked = transaction_uid, delivery.asked + 1
                delivery.next_at = now + peer.commit_timeout_h * 3600
            return transaction_uid if to_ask else "", [one.result_uid for one in due if one not in to_ask]

    def _ask(self, name: str, transaction_uid: str) -> None:
        with self._catalog.read() as session:
            results = [session.get_one(Result, one.result_uid) for one in _open(session, transaction_uid)]
        request = CommitmentRequest(transaction_uid, [Reference(one.sop_class_uid, one.uid) for one in results])
        peer = self._config.peers[name]
        until = time.monotonic() + min(_LINGER_S, peer.timeout_s)
        try:
            ask_commitment(
                self._config,
                peer,
                request,
                partial(self._hear, name),
                lambda: time.monotonic() > until or self._is_answered(transaction_uid),
            )
        except NoAssociationError as error:
            self._not_asked(name, transaction_uid, error)
        else:
            with self._catalog.write() as session:
                peer_answered(session, name)

    def _hear(self, name: str, information: Dataset) -> None:
        """Take a report on the association that we opened to a peer: nobody else speaks on it."""
        keep_message(read_message(information, [name], is_report=True), self._config.storage_folder)

    def _is_answered(self, transaction_uid: str) -> bool:
        """Take what has come by either way, and say whether nothing is open any more."""
        take_messages(self._config, self._catalog)
        with self._catalog.read() as session:
            return not _open(session, transaction_uid)

    def _not_asked(self, name: str, transaction_uid: str, error: NoAssociationError) -> None:
        """Close a transaction that the peer has not taken; one that has no storage commitment is queried."""
        has_none = isinstance(error, NoCommitmentError) or error.outcome == "park"
        with self._catalog.write() as session:
            for delivery in _open(session, transaction_uid):
                delivery.transaction_uid, delivery.next_at, delivery.reason = "", time.time(), str(error)
                delivery.asked = _REQUESTS if has_none else delivery.asked - 1
                note(session, delivery.result_uid, f"{name}: {error}")
            if not has_none:
                peer_failed(session, self._config, name, str(error))

    def _find(self, name: str, uids: list[str]) -> None:
        peer = self._config.peers[name]
        with self._catalog.read() as session:
            paths = {uid: self._config.storage_folder / session.get_one(Result, uid).path for uid in uids}
        try:
            answers = find_objects(self._config, peer, list(paths.values()))
        except NoAssociationError as error:
            with self._catalog.write() as session:
                peer_failed(session, self._config, name, str(error))
            return
        with self._catalog.write() as session:
            peer_answered(session, name)
            deliveries = [session.get_one(Delivery, (uid, name)) for uid in uids]
            for delivery in deliveries:
                found(session, delivery, peer, answers[paths[delivery.result_uid]])
            settle_stacks_of(session, self._config, deliveries)


def _open(session: Session, transaction_uid: str) -> list[Delivery]:
    """Return what a request for commitment is still unanswered for."""
    query = select(Delivery).where(Delivery.transaction_uid == transaction_uid, Delivery.state == DeliveryState.STORED)
    return list(session.scalars(query).all())
