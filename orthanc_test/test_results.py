"""Every kind of result in every encoding: stored in Orthanc over the node's own SCU, and given back as it was sent."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread

from dicom_node.config import Config, Encoding, Peer
from dicom_node.deliver import send
from dicom_node.demo.orthanc import Orthanc
from dicom_node.findings import Segmentation
from dicom_node.images import Stack
from dicom_node.results import EncodedFile, encode
from tests.results import builders
from tests.results.nine import EVERY_KIND, PIPELINES

ENCODINGS = {
    "usual": Encoding(),
    "label map": Encoding(seg_type="LABELMAP", seg_compression="RLE", sr_class="comprehensive"),
    "fractional": Encoding(seg_type="FRACTIONAL", seg_compression="JPEG-LS"),
    "JPEG 2000": Encoding(seg_compression="JPEG 2000", empty_frames=True),
}


def stored(files: tuple[EncodedFile, ...], orthanc: Orthanc, folder: Path) -> list[tuple[str, str]]:
    """Send files; return kind and reason of each that was not stored."""
    config = Config(folder=folder)
    peer = Peer(ae_title=orthanc.ae_title, host=orthanc.host, port=orthanc.dicom_port)
    kinds = {file.sop_instance_uid: file.kind for file in files}
    outcomes = list(send(config, peer, [file.path for file in files]))
    return [(kinds[sent.sop_instance_uid], sent.reason) for sent in outcomes if sent.outcome != "stored"]


@pytest.mark.parametrize("how", ENCODINGS)
@pytest.mark.parametrize("of", ["volume", "radiograph"])
def test_every_result_is_given_back_as_it_was_sent(how: str, of: str, orthanc: Orthanc, tmp_path: Path) -> None:
    stack, found = _found(of, tmp_path)
    wanted = builders.request(stack, found, outputs=EVERY_KIND, encoding=ENCODINGS[how])
    files = encode(wanted, tmp_path / "out")
    assert {file.kind for file in files} == set(EVERY_KIND)
    _given_back(files, orthanc, tmp_path)


@pytest.mark.parametrize("name", PIPELINES)
def test_the_objects_of_every_pipeline_are_given_back_as_they_were_sent(
    name: str, orthanc: Orthanc, tmp_path: Path
) -> None:
    case, kinds = PIPELINES[name]
    stack, found = case(tmp_path)
    files = encode(builders.request(stack, *found, outputs=EVERY_KIND), tmp_path / "out")
    assert {file.kind for file in files} == kinds
    _given_back(files, orthanc, tmp_path)


def _given_back(files: tuple[EncodedFile, ...], orthanc: Orthanc, folder: Path) -> None:
    assert stored(files, orthanc, folder) == []
    for file in files:
        sent, given = dcmread(file.path), orthanc.download(file.sop_instance_uid)
        assert sent == given
        assert sent.get("PixelData") == given.get("PixelData")


def _found(of: str, folder: Path) -> tuple[Stack, Segmentation]:
    if of == "radiograph":
        return builders.radiograph(folder), builders.lungs()
    return builders.ct_series(folder, shape=(40, 36)), builders.organs((6, 40, 36))
