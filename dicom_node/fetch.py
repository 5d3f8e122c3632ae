"""`dicom-node fetch`: bring studies from a peer into the node, as if they had been sent."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing

from pydicom.dataset import FileMetaDataset

from dicom_node.config import Config, Peer
from dicom_node.deliver import Progress, StudyFound, find_studies, get_study, move_study
from dicom_node.errors import DicomNodeError
from dicom_node.receive.file_head import file_head
from dicom_node.receive.incoming import Incoming
from dicom_node.receive.shelf import Shelf


class SeveralPatientsError(DicomNodeError):
    """What was asked for belongs to more than one patient; nothing was fetched."""


def studies_of_one_patient(config: Config, peer: Peer, keys: Mapping[str, str]) -> list[StudyFound]:
    """Return the studies that match, the oldest first.

    Raises:
        SeveralPatientsError: they are of several patients, as a reused accession number's are; says how many of each.
        PeerError: the peer could not be asked.
    """
    found = sorted(find_studies(config, peer, keys), key=lambda study: study.date)
    by_patient = Counter(study.patient_id for study in found)
    if len(by_patient) > 1:
        counts = ", ".join(f"patient {number}: {count} studies" for number, count in enumerate(by_patient.values(), 1))
        raise SeveralPatientsError(
            f"{len(found)} studies of {len(by_patient)} patients match ({counts}): ask by patient"
        )
    return found


def fetch(config: Config, peer: Peer, study_uid: str) -> Iterator[Progress]:
    """Bring one study here, the way that the peer's section says, and yield how far it is.

    Raises:
        PeerError: the peer would not send it, or not all of it.
    """
    if peer.fetch == "move":
        yield from move_study(config, peer, study_uid)
        return
    shelf = Shelf(config.storage_folder)
    shelf.make()
    incoming = Incoming(shelf, config.storage)
    with closing(incoming), closing(incoming.sender(secrets.token_hex(8))) as sender:

        def keep(meta: FileMetaDataset, data_set: bytes) -> None:
            head = file_head(
                sop_class=meta.MediaStorageSOPClassUID,
                instance=meta.MediaStorageSOPInstanceUID,
                transfer_syntax=meta.TransferSyntaxUID,
                calling=peer.ae_title,
                called=config.node.ae_title,
            )
            arrival = sender.arrival(head)
            arrival.write(memoryview(data_set))
            arrival.keep(lambda _arrival: None)

        yield from get_study(config, peer, study_uid, keep)
