"""Rejection notes as a PACS makes them (IHE RAD TF-1, IOCM; PS3.16 CID 7011)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
from pydicom import FileDataset
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid


def rejection_note(code: str, images: Sequence[FileDataset]) -> FileDataset:
    """Return a note titled by a DCM code that rejects images of one study."""
    images = copy.deepcopy(list(images))
    for image in images:
        image.StudyID = image.ReferringPhysicianName = ""
    content = KeyObjectSelection(Code(code, "DCM", "Rejected"), images)
    document = KeyObjectSelectionDocument(images, content, generate_uid(), 1, generate_uid(), 1, manufacturer="x")
    note = FileDataset(Path("/dev/null"), document, file_meta=images[0].file_meta, preamble=bytes(128))
    note.file_meta.MediaStorageSOPClassUID = note.SOPClassUID
    note.file_meta.MediaStorageSOPInstanceUID = note.SOPInstanceUID
    return note
