from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread

from dicom_node.results.sources import read_sources
from tests.results import builders

_SPOILT = b"\x08\x00\x10\x11SQ\x00\x00\x02\x00\x00\x00\xfe\xff"  # Referenced Study Sequence of half a tag


def test_a_sequence_that_cannot_be_read_is_left_out_and_named(tmp_path: Path) -> None:
    stack = builders.radiograph(tmp_path)
    path = Path(stack.frames[0].path)
    whole = path.read_bytes()
    after = min(whole.index(tag) for tag in (b"\x10\x00\x10\x00PN", b"\x08\x00\x70\x10PN") if tag in whole)
    path.write_bytes(whole[:after] + _SPOILT + whole[after:])
    with pytest.raises(OSError, match="No tag to read"):
        _ = dcmread(path)["ReferencedStudySequence"].value
    sources = read_sources(stack)
    assert sources.left_out == ("ReferencedStudySequence",)
    assert sources.first.PatientID
