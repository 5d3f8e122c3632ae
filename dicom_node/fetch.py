"""`dicom-node fetch`: bring studies from a peer into the node, as if they had been sent."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing

from pydicom.dataset import FileMetaDataset
from sqlalchemy import select

from dicom_node.callers import addresses_of
from dicom_node.catalog import Catalog, Instance
from dicom_node.config import Config, Peer
from dicom_node.deliver import (
    Ended,
    Progress,
    Retrieval,
    StudyFound,
    find_studies,
    get_study,
    list_objects,
    move_study,
)
from dicom_node.errors import DicomNodeError, PeerError
from dicom_node.receive.file_head import file_head
from dicom_node.receive.incoming import Incoming
from dicom_node.receive.shelf import Shelf

_LOOK_S = 0.2


class SeveralPatientsError(DicomNodeError):
    """What was asked for belongs to more than one patient; nothing was fetched."""


class IncompleteStudyError(PeerError):
    """A retrieval has ended, and not all of the study is here."""

    def __init__(self, peer: Peer, ended: Ended, wanted: int, came: int) -> None:
        progress = ended.progress
        super().__init__(
            f"{peer.ae_title} has {wanted} objects of the study, and {came} of them came here; it ended the retrieval "
            f"with 0x{ended.status:04X}, {progress.done} sent and {progress.failed} failed: check that it sends to our "
            "AE title and address, and the log of whoever received"
        )


def studies_of_one_patient(config: Config, peer: Peer, keys: Mapping[str, str]) -> list[StudyFound]:
    """Return the studies that match, the oldest first.

    Raises:
        SeveralPatientsError: they are of several patients, as a reused accession number's are, or the peer does not say
            of whom; says how many of each.
        PeerError: the peer could not be asked.
    """
    found = sorted(find_studies(config, peer, keys), key=lambda study: study.date)
    by_patient = Counter(study.patient_id for study in found)
    if len(by_patient) > 1 or (len(found) > 1 and "" in by_patient):
        counts = ", ".join(f"patient {number}: {count} studies" for number, count in enumerate(by_patient.values(), 1))
        raise SeveralPatientsError(
            f"{len(found)} studies of {len(by_patient)} patients match ({counts}): ask by patient"
        )
    return found


def fetch(config: Config, catalog: Catalog, peer: Peer, study: StudyFound) -> Iterator[Progress]:
    """Bring one study here, the way that the peer's section says, and yield how far it is.

    Raises:
        IncompleteStudyError: not all of what the peer lists of it has come, whatever the peer says.
        PeerError: the peer would not send it.
    """
    listed = list_objects(config, peer, study.study_uid)
    if peer.fetch == "move":
        ended = yield from move_study(config, peer, study.study_uid)
        if ended.is_plain_success and ended.progress.done >= (len(listed) or study.instances or 1):
            return
        here = _await_objects(catalog, peer, study, set(listed))
    else:
        here = set()
        ended = yield from _get(config, peer, study, listed, here)
    wanted = len(listed) or study.instances or max(ended.progress.total, 1)
    came = len(here & listed.keys()) if listed else len(here)
    if came < wanted:
        raise IncompleteStudyError(peer, ended, wanted, came)


def _get(config: Config, peer: Peer, study: StudyFound, listed: Mapping[str, str], here: set[str]) -> Retrieval:
    """Keep each object of a C-GET as the receiver would; its UID is then in `here`."""
    address = next(iter(addresses_of(peer.host)), "")
    shelf = Shelf(config.storage_folder)
    shelf.make()
    incoming = Incoming(shelf, config.storage)
    classes = set(listed.values())
    with closing(incoming), closing(incoming.sender(secrets.token_hex(8))) as sender:

        def keep(meta: FileMetaDataset, data_set: bytes) -> None:
            head = file_head(
                sop_class=meta.MediaStorageSOPClassUID,
                instance=meta.MediaStorageSOPInstanceUID,
                transfer_syntax=meta.TransferSyntaxUID,
                calling=peer.ae_title,
                called=config.node.ae_title,
                address=address,
            )
            arrival = sender.arrival(head)
            arrival.write(memoryview(data_set))
            arrival.keep(lambda _arrival: None)
            here.add(str(meta.MediaStorageSOPInstanceUID))

        return (yield from get_study(config, peer, study.study_uid, () if "" in classes else classes, keep))


def _await_objects(catalog: Catalog, peer: Peer, study: StudyFound, listed: set[str]) -> set[str]:
    """Return which of a study's objects have a row, once all have or none has come for the peer's time-out."""
    here = _held(catalog, study.study_uid)
    since = time.monotonic()
    while time.monotonic() - since < peer.timeout_s:
        if (listed and listed <= here) or (not listed and study.instances and len(here) >= study.instances):
            break
        time.sleep(_LOOK_S)
        now = _held(catalog, study.study_uid)
        if now != here:
            here, since = now, time.monotonic()
    return here


def _held(catalog: Catalog, study_uid: str) -> set[str]:
    query = select(Instance.uid).where(Instance.study_uid == study_uid, Instance.removed_at == 0)
    with catalog.read() as session:
        return set(session.scalars(query).all())
