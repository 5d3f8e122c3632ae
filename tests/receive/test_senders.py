"""What other people's programs send is stored as they send it, whatever its transfer syntax."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from dicom_node.demo.orthanc import Orthanc
from tests.receive.node import Site
from tests.support.dicom import ct_slice, data_set_bytes, encoded
from tests.support.programs import require

OPTIONS = {  # of storescu: what it proposes besides implicit VR
    ImplicitVRLittleEndian: "-xi",
    ExplicitVRLittleEndian: "-xe",
    ExplicitVRBigEndian: "-xb",
    DeflatedExplicitVRLittleEndian: "-xd",
    JPEGLosslessSV1: "-xs",
    JPEGLSLossless: "-xt",
    JPEG2000Lossless: "-xv",
    RLELossless: "-xr",
}
COMPRESSED = (JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless, RLELossless)


@pytest.fixture
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[UID, Path]:
    """One object in each transfer syntax."""
    folder = tmp_path_factory.mktemp("outbox")
    made = {}
    for syntax in OPTIONS:
        made[syntax] = folder / f"{syntax}.dcm"
        made[syntax].write_bytes(_file_in(syntax))
    return made


def _file_in(syntax: UID) -> bytes:
    if syntax not in COMPRESSED:
        return encoded(ct_slice(generate_uid(), generate_uid(), transfer_syntax_uid=syntax))
    dataset = ct_slice(generate_uid(), generate_uid())
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.PixelData = encapsulate([bytes(range(64))])  # no sender looks into the fragment
    dataset.file_meta.TransferSyntaxUID = syntax
    return encoded(dataset)


def _content(file: bytes) -> bytes:
    """Return a file's data set, inflated where it is deflated: dcmtk deflates anew."""
    syntax = dcmread(BytesIO(file), stop_before_pixels=True).file_meta.TransferSyntaxUID
    data_set = data_set_bytes(file)
    return zlib.decompress(data_set, -zlib.MAX_WBITS) if syntax == DeflatedExplicitVRLittleEndian else data_set


def _assert_stored(site: Site, files: dict[UID, Path]) -> None:
    rows = {row.transfer_syntax_uid: site.folder / row.path for row in site.registered(len(files))}
    assert {syntax: _content(path.read_bytes()) for syntax, path in rows.items()} == {
        str(syntax): _content(path.read_bytes()) for syntax, path in files.items()
    }


def _of_dcmtk(name: str) -> str:
    """pynetdicom installs programs by the same names beside Python."""
    require(name)
    path = os.pathsep.join(one for one in os.get_exec_path() if Path(one) != Path(sys.executable).parent)
    return shutil.which(name, path=path) or pytest.skip(f"no {name} of dcmtk on PATH")


def test_storescu_of_dcmtk(site: Site, files: dict[UID, Path]) -> None:
    program = _of_dcmtk("storescu")
    for syntax, path in files.items():
        command = [program, OPTIONS[syntax], "-aec", "NODE", "127.0.0.1", str(site.receiver.port), str(path)]
        subprocess.run(command, check=True, timeout=20)
    _assert_stored(site, files)


def test_dcmsend_of_dcmtk(site: Site, files: dict[UID, Path]) -> None:
    command = [_of_dcmtk("dcmsend"), "--decompress-never", "-aec", "NODE", "127.0.0.1", str(site.receiver.port)]
    sent = {syntax: files[syntax] for syntax in (ExplicitVRLittleEndian, *COMPRESSED)}  # others it makes explicit first
    subprocess.run([*command, *map(str, sent.values())], check=True, timeout=30)
    _assert_stored(site, sent)


def test_orthanc(site: Site, files: dict[UID, Path], tmp_path: Path) -> None:
    require("Orthanc")
    with Orthanc(tmp_path / "orthanc") as orthanc:
        for path in files.values():
            orthanc.upload(path)
        orthanc.add_modality("node", "NODE", site.receiver.port)
        for study_uid in {series.study_uid for series in orthanc.series()}:
            orthanc.send_study(study_uid, "node")
    _assert_stored(site, files)
