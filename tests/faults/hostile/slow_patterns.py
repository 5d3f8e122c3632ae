"""Chest radiographs whose descriptions are long enough to make a search with back-tracking take minutes."""

from __future__ import annotations

from pydicom import FileDataset
from pydicom.uid import ImplicitVRLittleEndian, generate_uid

from tests.support.dicom import data_set_bytes, encoded, radiograph
from tests.support.malformed import Wire, stored

STARTED = "inspir"
CHARACTERS = 100_000  # Implicit VR gives a value 32 bits of length, whatever its VR (PS3.5 7.1.3)


def started_again_and_again(called: str, characters: int = CHARACTERS) -> Wire:
    """A description that begins a match of `inspir.*expir` at every sixth character and never ends one."""
    return described(called, STARTED * (characters // len(STARTED)))


def one_letter(called: str, characters: int = CHARACTERS) -> Wire:
    """A description of one letter, which `(a+)+$` and its like try in every way."""
    return described(called, "a" * characters + "!")


def many_values(called: str, characters: int = CHARACTERS) -> Wire:
    """A description of many values, each of which every pattern is held against (PS3.5 6.4)."""
    return described(called, "\\".join(f"{number:04x}" for number in range(characters // 5)))


def described(called: str, description: str) -> Wire:
    """Return a connection that sends a chest radiograph with a description."""
    dataset = described_radiograph(description)
    uid, sop_class = str(dataset.SOPInstanceUID), str(dataset.SOPClassUID)
    return stored(data_set_bytes(encoded(dataset)), uid, called, sop_class, ImplicitVRLittleEndian)


def described_radiograph(description: str) -> FileDataset:
    """Return a chest radiograph in Implicit VR with a description of any length."""
    dataset = radiograph(generate_uid(), generate_uid(), shape=(512, 512))
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    dataset.SeriesDescription = description
    return dataset
