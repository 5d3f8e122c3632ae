from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage
from pynetdicom import AE

from dicom_node.demo.orthanc import Orthanc, OrthancError
from dicom_node.uids import derived_uid
from tests.support.programs import require


def capture() -> Dataset:
    """The least object that a PACS takes: a 2 x 2 picture."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = SecondaryCaptureImageStorage
    dataset.SOPInstanceUID = derived_uid("orthanc_test", "instance")
    dataset.SeriesInstanceUID = derived_uid("orthanc_test", "series")
    dataset.StudyInstanceUID = derived_uid("orthanc_test", "study")
    dataset.PatientID, dataset.PatientName = "ORTHANC-TEST", "TEST^ORTHANC"
    dataset.Modality, dataset.PhotometricInterpretation = "OT", "MONOCHROME2"
    dataset.Rows = dataset.Columns = 2
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PixelData = bytes([0, 1, 2, 3])
    return dataset


def store(dataset: Dataset, orthanc: Orthanc) -> int:
    caller = AE()
    caller.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
    association = caller.associate(orthanc.host, orthanc.dicom_port, ae_title=orthanc.ae_title)
    status = association.send_c_store(dataset)
    association.release()
    return int(status.Status)


def test_gives_back_what_was_stored(orthanc: Orthanc) -> None:
    sent = capture()
    assert store(sent, orthanc) == 0x0000
    [series] = orthanc.series("OT")
    [instance] = orthanc.wait_for("OT")
    assert (instance.series_uid, series.uid) == (sent.SeriesInstanceUID, sent.SeriesInstanceUID)
    assert orthanc.download(sent.SOPInstanceUID).PixelData == sent.PixelData


def test_takes_a_file_from_storescu(orthanc: Orthanc, tmp_path: Path) -> None:
    require("storescu")
    path = tmp_path / "capture.dcm"
    capture().save_as(path, enforce_file_format=True)
    target = [orthanc.host, str(orthanc.dicom_port)]
    subprocess.run(["storescu", "-aec", orthanc.ae_title, *target, str(path)], check=True, timeout=60)
    assert orthanc.find(capture().SOPInstanceUID) is not None


def test_clear_leaves_nothing(orthanc: Orthanc) -> None:
    store(capture(), orthanc)
    orthanc.clear()
    assert orthanc.instances() == []


def test_waiting_for_what_does_not_come_ends(orthanc: Orthanc) -> None:
    with pytest.raises(OrthancError, match="expected 1 of SEG"):
        orthanc.wait_for("SEG", timeout_s=0.2)


def test_a_missing_program_is_said(tmp_path: Path) -> None:
    with pytest.raises(OrthancError, match="no program 'NoSuchOrthanc'"), Orthanc(tmp_path, program="NoSuchOrthanc"):
        pass
