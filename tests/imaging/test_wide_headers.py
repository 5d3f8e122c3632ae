"""A stack ends with its reason however wide a header is, and the largest legitimate headers are read."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import CTImageStorage, DeflatedExplicitVRLittleEndian

from dicom_node.content import content_digest
from dicom_node.imaging import split
from dicom_node.receive.file_head import file_head
from tests.faults.hostile.wide_headers import PER_FRAME, sequence, with_inserted
from tests.support import wide
from tests.support.dicom import ct_slice, encoded
from tests.support.memory import at_most_mb

_PIXELS, _EMPTY_ITEM = b"\xe0\x7f\x10\x00", b"\xfe\xff\x00\xe0" + bytes(4)
_LARGEST_MB = 60  # 2000 frames of an enhanced MR take 12
_REQUEST = (0x0040, 0x0275)  # Request Attributes Sequence


def _deflated(path: Path, inserted: bytes) -> Path:
    data_set, uid = with_inserted(_PIXELS, inserted)
    deflating = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    head = file_head(
        sop_class=CTImageStorage,
        instance=uid,
        transfer_syntax=DeflatedExplicitVRLittleEndian,
        calling="SCANNER",
        called="NODE",
    )
    path.write_bytes(head + deflating.compress(data_set) + deflating.flush())
    return path


@pytest.mark.parametrize(
    ("tag", "items", "reason"),
    [
        (_REQUEST, 150_000, "an image with 1500.. elements outside per-frame and referenced sequences"),
        (PER_FRAME, 150_000, "PerFrameFunctionalGroupsSequence has 150000 items, NumberOfFrames is 1"),
    ],
)
def test_an_image_of_too_wide_a_header_is_named_with_its_reason_and_builds_nothing(
    tmp_path: Path, tag: tuple[int, int], items: int, reason: str
) -> None:
    path = _deflated(tmp_path / "wide.dcm", sequence(tag, _EMPTY_ITEM * items))
    with at_most_mb(20):
        ((_, problem),) = split("1.2", "1.3", [(str(path), "SCANNER")]).unreadable
        assert content_digest(path) == ""
    assert re.match(reason, problem)


@pytest.mark.parametrize(
    ("make", "frames"),
    [
        (lambda: wide.segmentation(1200), 1),
        (lambda: wide.enhanced_mr(2000), 2000),
        (wide.structure_set, 1),
    ],
)
def test_the_largest_legitimate_headers_are_read(tmp_path: Path, make: Callable[[], bytes], frames: int) -> None:
    path = tmp_path / "large.dcm"
    path.write_bytes(make())
    with at_most_mb(_LARGEST_MB):
        found = split(wide.STUDY, wide.SERIES, [(str(path), "SCANNER")])
    assert found.unreadable == ()
    assert [len(stack.frames) for stack in found.stacks] == [frames]


def test_a_spoilt_sequence_of_defined_length_leaves_the_rest_readable(tmp_path: Path) -> None:
    spoilt = b"\x40\x00\x75\x02SQ\x00\x00\x10\x00\x00\x00" + b"\xff" * 16
    data_set, _ = with_inserted(_PIXELS, spoilt)
    file = encoded(ct_slice("1.2.1", "1.2.1.1"))
    path = tmp_path / "spoilt.dcm"
    path.write_bytes(file[: file.index(b"\x08\x00\x16\x00UI")] + data_set)
    (stack,) = split("1.2.1", "1.2.1.1", [(str(path), "SCANNER")]).stacks
    assert stack.text("Modality") == dcmread(path, specific_tags=["Modality"]).Modality
