"""Whatever an object that was received holds, it is split or named unreadable, and its pixels are read or refused."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from pydicom import dcmread

from dicom_node.errors import DicomNodeError
from dicom_node.images import Stack
from dicom_node.imaging import read_radiograph, read_volume, split
from tests.support.dicom import ct_slice, data_set_bytes, encoded
from tests.support.malformed import objects
from tests.support.memory import at_most_mb

_BOUND_MB = 256
_HEAD = encoded(ct_slice("1.2.1", "1.2.1.1"))
_META = _HEAD[: -len(data_set_bytes(_HEAD))]


@settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(broken=objects())
def test_a_broken_object_is_read_or_refused_by_name_in_bounded_memory(
    tmp_path: Path, broken: tuple[bytes, str]
) -> None:
    path = tmp_path / "broken.dcm"
    path.write_bytes(_META + broken[0])
    with at_most_mb(_BOUND_MB):
        found = split("1.2.1", "1.2.1.1", [(str(path), "SCANNER")])
        assert len(found.stacks) + len(found.unreadable) > 0
        for stack in found.stacks:
            _read(stack)


def _read(stack: Stack) -> None:
    for read in (read_volume, read_radiograph):
        with suppress(DicomNodeError):
            read(stack)


@pytest.mark.parametrize("frames", [1, 2])
def test_absurd_sizes_are_refused_before_memory_is_asked_for(tmp_path: Path, frames: int) -> None:
    path = tmp_path / "absurd.dcm"
    dataset = ct_slice("1.2.1", "1.2.1.1")
    dataset.Rows = dataset.Columns = 65535
    dataset.NumberOfFrames = frames
    path.write_bytes(encoded(dataset))
    assert dcmread(path).Rows == 65535
    (stack,) = split("1.2.1", "1.2.1.1", [(str(path), "SCANNER")]).stacks
    with at_most_mb(_BOUND_MB), pytest.raises(DicomNodeError, match="pixel data"):
        read_volume(stack)
