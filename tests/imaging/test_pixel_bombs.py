from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import Dataset

from dicom_node.errors import ObjectError
from dicom_node.imaging import PixelLimits, Split, read_radiograph, split
from tests.faults.hostile.pixel_bombs import pixel_bombs
from tests.support.dicom import encoded
from tests.support.memory import at_most_mb

_BOUND_MB = 64


@pytest.mark.parametrize("bomb", [pytest.param(bomb, id=name) for name, bomb in pixel_bombs()])
def test_a_pixel_bomb_is_refused_by_name_in_bounded_memory(bomb: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "bomb.dcm"
    path.write_bytes(encoded(bomb))
    found = split("1.2.3", "1.2.3.4", [(str(path), "SCANNER")])
    assert [why for _, why in found.unreadable] or _refused(found.stacks[0].frames[0].sop_instance_uid, found)


def _refused(uid: str, found: Split) -> bool:
    with at_most_mb(_BOUND_MB), pytest.raises(ObjectError, match=f"^{uid}: "):
        read_radiograph(found.stacks[0], PixelLimits(128, 1024))
    return True
