"""The job that tells a sender which of the objects that it asks about we keep (PS3.4 J.3.3)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from dicom_node.catalog import Catalog, CommitmentRequest, Instance, VersionState
from dicom_node.commitment import Message
from dicom_node.config import Config
from dicom_node.deliver import CommitmentRequest as Question
from dicom_node.deliver import NoAssociationError, Reference, delay_s, report_commitment
from dicom_node.verify import file_problem
from dicom_node.work.durable import Step
from dicom_node.work.ending import note
from dicom_node.work.wanted import Wanted, peer_queue

_PROCESSING_FAILURE, _NO_SUCH_OBJECT, _CLASS_CONFLICT = 0x0110, 0x0112, 0x0119  # PS3.3 C.14.1.1
_REGISTERED_S = 10.0  # in which what was acknowledged surely has its row
_DAY_S = 24 * 3600.0
_PRIORITY = 5  # among deliveries of 1 to 9


class Answering:
    """Looks every object up, file and row, and reports."""

    def __init__(self, config: Config, catalog: Catalog) -> None:
        self._config = config
        self._catalog = catalog

    def __call__(self, step: Step, *args: str) -> None:
        """Do the job for (peer, Transaction UID)."""
        peer, transaction_uid = args
        step("answer", self._answer, peer, transaction_uid)

    def failed(self, peer: str, transaction_uid: str, error: str) -> None:
        """Try again later, as long as the peer's `give_up_after_h`."""
        with self._catalog.write() as session:
            put_off(session, self._config, session.get_one(CommitmentRequest, (peer, transaction_uid)), error)

    def _answer(self, peer: str, transaction_uid: str) -> None:
        with self._catalog.read() as session:
            row = session.get_one(CommitmentRequest, (peer, transaction_uid))
            failures = self._failures(session, row.objects)
        if failures and time.time() - row.first_at < _REGISTERED_S:
            self._look_again(peer, transaction_uid)
            return
        question = Question(transaction_uid, [Reference(kind, uid) for uid, kind in row.objects.items()])
        try:
            report_commitment(self._config, self._config.peers[peer], question, failures)
        except NoAssociationError as error:
            self.failed(peer, transaction_uid, str(error))
            return
        with self._catalog.write() as session:
            session.delete(session.get_one(CommitmentRequest, (peer, transaction_uid)))
            until = time.time() + self._config.storage.committed_days * _DAY_S
            for uid in row.objects.keys() - failures.keys():
                is_it = Instance.uid == uid, Instance.state == VersionState.CURRENT, Instance.removed_at == 0
                session.execute(update(Instance).where(*is_it).values(committed_until=until))

    def _look_again(self, peer: str, transaction_uid: str) -> None:
        with self._catalog.write() as session:
            row = session.get_one(CommitmentRequest, (peer, transaction_uid))
            row.attempt, row.next_at = row.attempt + 1, row.first_at + _REGISTERED_S

    def _failures(self, session: Session, objects: Mapping[str, str]) -> dict[str, int]:
        """Return the FailureReason of each object that we do not commit ourselves to."""
        reasons = {uid: self.reason(session, uid, sop_class) for uid, sop_class in objects.items()}
        return {uid: reason for uid, reason in reasons.items() if reason}

    def reason(self, session: Session, uid: str, sop_class: str) -> int:
        """Return why there is no commitment to a SOP Instance, 0 where its only version on disk counts and is whole."""
        versions = session.scalars(select(Instance).where(Instance.uid == uid, Instance.removed_at == 0)).all()
        kept = [one for one in versions if one.state in (VersionState.CURRENT, VersionState.HELD)]
        if not kept:
            return _NO_SUCH_OBJECT
        if len(versions) > 1 or kept[0].state == VersionState.HELD:
            return _PROCESSING_FAILURE
        if kept[0].sop_class_uid != sop_class:
            return _CLASS_CONFLICT
        path = self._config.storage_folder / kept[0].path
        if not path.is_file():
            return _NO_SUCH_OBJECT
        is_altered = file_problem(path, kept[0].sha256, kept[0].size, kept[0].data_set_at)
        return _PROCESSING_FAILURE if is_altered else 0


def put_off(session: Session, config: Config, row: CommitmentRequest, error: str) -> None:
    """Answer a request later, as long as the peer's `give_up_after_h`."""
    settings = config.peers[row.peer]
    row.attempt += 1
    row.next_at = time.time() + delay_s(settings, row.attempt, row.transaction_uid)
    if time.time() - row.first_at > settings.give_up_after_h * 3600:
        note(session, row.transaction_uid, f"{row.peer} was not told what is kept: {error}")
        session.delete(row)


def take_request(session: Session, request: Message) -> None:
    """Remember a sender's request until it has been answered."""
    now = time.time()
    session.merge(
        CommitmentRequest(
            transaction_uid=request.transaction_uid,
            peer=request.peers[0],
            objects={uid: sop_class for sop_class, uid in request.objects},
            first_at=now,
            next_at=now,
            attempt=0,
        )
    )


def forget_strangers(session: Session, config: Config) -> None:
    """Forget the requests of peers that the configuration no longer names: there is nobody to answer."""
    session.execute(delete(CommitmentRequest).where(CommitmentRequest.peer.not_in(config.peers)))


def questions(session: Session, now: float) -> Iterator[Wanted]:
    """Yield the jobs of requests that are to be answered."""
    query = select(CommitmentRequest).where(CommitmentRequest.next_at <= now)
    for row in session.scalars(query).all():
        yield Wanted("answer", (row.peer, row.transaction_uid), row.attempt, peer_queue(row.peer), _PRIORITY)
