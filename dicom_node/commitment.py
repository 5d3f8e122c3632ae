"""Storage commitment's messages as they reach us (PS3.4 J.3), and the folder where they wait for the work process."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydicom import Dataset

from dicom_node.errors import ObjectError
from dicom_node.uids import is_uid

log = logging.getLogger(__name__)

_PROCESSING_FAILURE = 0x0110  # where the peer gives no reason
_FOLDER = "commitment"  # below the storage folder


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """A request for commitment, or a report on one."""

    transaction_uid: str
    objects: Mapping[str, str]  # SOP Instance UID -> SOP Class UID
    failures: Mapping[str, int]  # of them, SOP Instance UID -> Failure Reason (PS3.3 C.14.1.1)
    asked_by: str = ""  # the peer, by its name in the configuration; "" is a report


def read_message(dataset: Dataset, asked_by: str = "") -> Message:
    """Read an N-ACTION's Action Information or an N-EVENT-REPORT's Event Information (PS3.4 Tables J.3-1, J.3-2).

    Raises:
        ObjectError: it is no such message.
    """
    try:
        failed = list(dataset.get("FailedSOPSequence") or ())
        objects = {
            str(item.ReferencedSOPInstanceUID): str(item.get("ReferencedSOPClassUID", ""))
            for item in (*(dataset.get("ReferencedSOPSequence") or ()), *failed)
        }
        reasons = {
            str(item.ReferencedSOPInstanceUID): int(item.get("FailureReason") or _PROCESSING_FAILURE) for item in failed
        }
        message = Message(str(dataset.TransactionUID), objects, reasons, asked_by)
    except Exception as error:  # pydicom raises a dozen kinds on broken bytes
        raise ObjectError("storage commitment message", f"cannot be read ({type(error).__name__})") from error
    if not all(map(is_uid, (message.transaction_uid, *objects))):
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
