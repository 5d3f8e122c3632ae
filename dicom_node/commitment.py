"""Storage commitment's messages as they reach us (PS3.4 J.3), and the folder where they wait for the work process."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydicom import Dataset

from dicom_node.errors import ObjectError
from dicom_node.uids import is_uid

log = logging.getLogger(__name__)

REFERENCES_AT_MOST = 10_000  # in one message
_PROCESSING_FAILURE = 0x0110  # where the peer gives no reason
_FOLDER = "commitment"  # below the storage folder


class TooManyReferencesError(ObjectError):
    """A message names more objects than are taken."""


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """A request for commitment, or a report on one."""

    transaction_uid: str
    objects: Sequence[tuple[str, str]]  # SOP Class UID and SOP Instance UID; of a report, those that are kept
    failures: Sequence[tuple[str, str, int]]  # of a report: class, instance, Failure Reason (PS3.3 C.14.1.1)
    peers: Sequence[
        str
    ]  # who asks or reports, by the names of the configuration that fit AE title and address or certificate
    is_report: bool

    def failure_of(self, sop_class_uid: str, sop_instance_uid: str) -> int | None:
        """Return a reported object's Failure Reason, 0 where it is kept, None where the report does not name it."""
        for sop_class, instance, reason in self.failures:
            if (sop_class, instance) == (sop_class_uid, sop_instance_uid):
                return reason
        return 0 if (sop_class_uid, sop_instance_uid) in map(tuple, self.objects) else None


def read_message(dataset: Dataset, peers: Sequence[str], *, is_report: bool) -> Message:
    """Read an N-ACTION's Action Information or an N-EVENT-REPORT's Event Information (PS3.4 Tables J.3-1, J.3-2).

    Raises:
        TooManyReferencesError: it names more objects than are taken.
        ObjectError: it is no such message.
    """
    try:
        kept, failed = (list(dataset.get(name) or ()) for name in ("ReferencedSOPSequence", "FailedSOPSequence"))
        objects = [(str(item.get("ReferencedSOPClassUID", "")), str(item.ReferencedSOPInstanceUID)) for item in kept]
        failures = [
            (
                str(item.get("ReferencedSOPClassUID", "")),
                str(item.ReferencedSOPInstanceUID),
                int(item.get("FailureReason") or _PROCESSING_FAILURE),
            )
            for item in failed
        ]
        message = Message(str(dataset.TransactionUID), objects, failures, peers, is_report)
    except Exception as error:  # pydicom raises a dozen kinds on broken bytes
        raise ObjectError("storage commitment message", f"cannot be read ({type(error).__name__})") from error
    if len(kept) + len(failed) > REFERENCES_AT_MOST:
        raise TooManyReferencesError("storage commitment message", f"names more than {REFERENCES_AT_MOST} objects")
    uids = [message.transaction_uid, *(uid for _, uid in objects), *(uid for _, uid, _ in failures)]
    if not all(map(is_uid, uids)):
        raise ObjectError("storage commitment message", "holds a UID that is none")
    return message


def keep_message(message: Message, storage_folder: Path) -> None:
    """Write a message durably.

    Raises:
        OSError: it is not kept.
    """
    folder = storage_folder / _FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{uuid.uuid4().hex}.part"
    with path.open("x") as file:
        json.dump(dataclasses.asdict(message), file)
        file.flush()
        os.fdatasync(file.fileno())
    path.rename(path.with_suffix(".json"))


def kept_messages(storage_folder: Path) -> Iterator[tuple[Path, Message]]:
    """Yield each message and its file, to be deleted once it has been acted upon; one that is none is set aside."""
    for path in sorted((storage_folder / _FOLDER).glob("*.json")):
        try:
            message = Message(**json.loads(path.read_text()))
        except FileNotFoundError:  # another process has acted upon it
            continue
        except (ValueError, TypeError) as error:
            log.warning("%s is no message about storage commitment: %s", path.name, error)
            path.rename(path.with_suffix(".unreadable"))
            continue
        yield path, message
