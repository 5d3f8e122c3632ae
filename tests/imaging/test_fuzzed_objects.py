"""A short form of `make fuzz`: nonsense in headers and altered streams, read without a node around them."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from random import Random

import pytest
from pydicom.uid import UID, CTImageStorage, DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

from dicom_node.errors import DicomNodeError
from dicom_node.imaging import PixelLimits, Split, read_radiograph, read_volume, split
from dicom_node.receive.file_head import file_head
from tests.faults.fuzz import header_nonsense, mutated_streams
from tests.faults.fuzz.inputs import Input
from tests.support.malformed import data_set_of
from tests.support.memory import at_most_mb
from tests.support.syntaxes import DECODED

_LIMITS = PixelLimits(128, 1024)
_BOUND_MB = 256
_RAISED = re.compile(r"\b[A-Z]\w*(Error|Exception)\b")


@pytest.mark.parametrize("seed", range(120))
def test_nonsense_in_a_header_is_read_or_refused_and_nothing_is_made_of_what_cannot_be(
    seed: int, tmp_path: Path
) -> None:
    thrown = header_nonsense.make(Random(seed), "NODE")  # noqa: S311
    found = _split(tmp_path, thrown, CTImageStorage, ExplicitVRLittleEndian)
    with at_most_mb(_BOUND_MB):
        problem = "; ".join(why for _, why in found.unreadable) or _problem(found, is_volume=True)
    assert problem or not thrown.is_impossible
    assert not _RAISED.search(problem)


@pytest.mark.parametrize("syntax", DECODED, ids=lambda uid: uid.name)
def test_altered_streams_are_decoded_or_refused_by_name(syntax: UID, tmp_path: Path) -> None:
    for seed in range(8):
        thrown = mutated_streams.altered(Random(seed), "NODE", syntax)  # noqa: S311
        found = _split(tmp_path, thrown, DigitalXRayImageStorageForPresentation, syntax)
        with at_most_mb(_BOUND_MB):
            assert found.unreadable or not _RAISED.search(_problem(found, is_volume=False))


def _split(folder: Path, thrown: Input, sop_class: str, syntax: str) -> Split:
    head = file_head(
        sop_class=sop_class, instance=thrown.instance, transfer_syntax=syntax, calling="FUZZER", called="NODE"
    )
    path = folder / "thrown.dcm"
    path.write_bytes(head + data_set_of(thrown.wire))
    with warnings.catch_warnings(action="ignore"):
        return split("1.2.3", "1.2.3.1", [(str(path), "FUZZER")])


def _problem(found: Split, *, is_volume: bool) -> str:
    """Return why the pixels cannot be read, "" where they can; what is no error of ours passes."""
    with warnings.catch_warnings(action="ignore"):
        try:
            (read_volume if is_volume else read_radiograph)(found.stacks[0], _LIMITS)
        except DicomNodeError as error:
            return str(error)
    return ""
