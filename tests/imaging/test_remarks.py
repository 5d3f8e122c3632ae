"""What a result's reader must know of the pixels: that they are lossy, that a decoder warned."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.uid import HTJ2K, JPEG2000, UID

from dicom_node.images import Radiograph, Volume
from dicom_node.imaging import read_image
from dicom_node.imaging.warned import HARMLESS
from tests.imaging.objects import ct, only, radiograph
from tests.support.syntaxes import DECODED, LOSSY, PICTURE, in_syntax


@pytest.mark.parametrize("syntax", DECODED, ids=lambda uid: uid.name)
def test_a_source_of_a_lossy_syntax_carries_the_remark(syntax: UID, tmp_path: Path) -> None:
    image = read_image(only(tmp_path, [in_syntax(syntax, tmp_path)]), Radiograph)
    verb = {JPEG2000: "may be", HTJ2K: "may be"}.get(syntax, "is" if syntax in LOSSY else "")
    said = (f"the source {verb} compressed with loss: its transfer syntax is {syntax.name}",)
    assert image.remarks == (said if verb else ())


def test_a_source_that_was_lossy_before_carries_the_remark_once(tmp_path: Path) -> None:
    slices = [ct((0, 0, float(k))) for k in range(3)]
    for one in slices:
        one.LossyImageCompression = "01"
    image = read_image(only(tmp_path, slices), Volume)
    assert image.remarks == ("the source is compressed with loss: its LossyImageCompression is 01",)


@pytest.mark.filterwarnings("ignore")
def test_a_source_decoded_with_a_harmless_warning_carries_the_remark(tmp_path: Path) -> None:
    dataset = radiograph(PICTURE)
    dataset.PixelData += bytes(128)
    (remark,) = read_image(only(tmp_path, [dataset]), Radiograph).remarks
    assert remark == "the source was decoded with a warning: its pixel data are followed by bytes that are no pixels"


def test_every_harmless_warning_names_the_object_that_showed_it() -> None:
    assert all(one.shown_by and one.says for one in HARMLESS)
