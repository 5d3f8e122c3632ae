"""One malformed input: what a connection says, and what is known of the object that it stores."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from pydicom import Dataset
from pydicom.uid import UID

from tests.support.dicom import data_set_bytes, encoded
from tests.support.malformed import Wire, stored

_AFFECTED_SOP_INSTANCE = b"\0\0\0\x10"  # (0000,1000)


@dataclass(frozen=True, slots=True)
class Input:
    """What one connection says."""

    kind: str
    wire: Wire
    instance: str = ""  # SOP Instance UID that its C-STORE command names; "" where nothing is stored
    is_impossible: bool = False  # by its header, so that no result may be made of it
    syntax: str = ""  # UID of the transfer syntax of which this is a stream that was altered


def new_uid(random: Random) -> str:
    """Return a UID of a random number (PS3.5 B.2)."""
    return f"2.25.{random.getrandbits(127)}"


def give_identity(dataset: Dataset, random: Random) -> None:
    """Give an object a study of its own, of today, so that a node runs pipelines on it."""
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = new_uid(random), new_uid(random)
    dataset.SOPInstanceUID = UID(new_uid(random))
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.StudyDate = f"{datetime.now(UTC):%Y%m%d}"


def stored_object(dataset: Dataset, called: str, data_set: bytes | None = None) -> Wire:
    """Return a connection that stores an object, or in its name the bytes of another data set."""
    return stored(
        data_set_bytes(encoded(dataset)) if data_set is None else data_set,
        str(dataset.SOPInstanceUID),
        called,
        str(dataset.SOPClassUID),
        str(dataset.file_meta.TransferSyntaxUID),
    )


def instance_of(wire: Wire) -> str:
    """Return the SOP Instance UID that a connection's C-STORE command names (PS3.7 9.3.1.1)."""
    command = wire[1]
    at = command.rindex(_AFFECTED_SOP_INSTANCE) + len(_AFFECTED_SOP_INSTANCE)
    (length,) = struct.unpack_from("<I", command, at)
    return command[at + 4 : at + 4 + length].decode().rstrip("\0")
