"""Studies brought from a real PACS."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread
from typer.testing import CliRunner

from dicom_node.catalog import Instance, StackState
from dicom_node.cli import app
from dicom_node.demo.orthanc import Orthanc, free_port
from dicom_node.receive.receiver import Receiver
from dicom_node.receive.registrar import Registrar
from tests.receive.node import eventually
from tests.support.dicom import PATIENT_ID, encoded, radiograph, series
from tests.work.house import House

CONFIG = """
[node]
receivers = 1
ae_title = "NODE"
port = {own}
[storage]
min_free_gb = 0
max_study_age_days = 100000
[peers.pacs]
ae_title = "ORTHANC"
host = "127.0.0.1"
port = {port}
fetch = "{way}"
"""

ROUTE = """
[pipelines.lung]
outputs = []
[[routes]]
name = "lungs"
run = ["lung"]
needs_prior = true
prior_from = "pacs"
when = { Modality = "CR" }
"""


@pytest.fixture
def filled(orthanc: Orthanc, tmp_path: Path) -> Orthanc:
    """Three objects of one study under A1; under A2 one study each of two patients."""
    for accession, patient, count in [("A1", PATIENT_ID, 3), ("A2", PATIENT_ID, 1), ("A2", "SYN-4712", 2)]:
        for one in series(count):
            one.AccessionNumber, one.PatientID = accession, patient
            path = tmp_path / "one.dcm"
            path.write_bytes(encoded(one))
            orthanc.upload(path)
    return orthanc


@pytest.mark.parametrize("way", ["move", "get"])
def test_a_study_is_brought_by_its_accession_number(filled: Orthanc, tmp_path: Path, way: str) -> None:
    own = free_port()
    house = House(tmp_path, CONFIG.format(own=own, port=filled.dicom_port, way=way))
    receiver, registrar = Receiver(house.config), Registrar(house.config, house.catalog)
    receiver.start()
    registrar.start()
    filled.add_modality("node", "NODE", own)
    try:
        said = CliRunner().invoke(app, ["fetch", "pacs", "--accession", "A1", "-c", str(tmp_path / "config.toml")])
        eventually(lambda: len(house.rows(Instance)) == 3)
    finally:
        receiver.stop()
        registrar.stop()
    assert (said.exit_code, said.output) == (0, "study 1 of 1, 20260102 CT: 3 objects\n")
    assert {row.caller for row in house.rows(Instance)} == {"ORTHANC"}


def test_an_accession_number_of_two_patients_brings_nothing_and_lists_counts(filled: Orthanc, tmp_path: Path) -> None:
    House(tmp_path, CONFIG.format(own=0, port=filled.dicom_port, way="get"))
    filled.add_modality("node", "NODE", free_port())
    said = CliRunner().invoke(app, ["fetch", "pacs", "--accession", "A2", "-c", str(tmp_path / "config.toml")])
    assert "2 studies of 2 patients match (patient 1: 1 studies, patient 2: 1 studies)" in str(said.exception)
    assert "SYN" not in str(said.exception) + said.output


def test_a_patient_number_beyond_ascii_brings_that_patient_alone(orthanc: Orthanc, tmp_path: Path) -> None:
    House(tmp_path, CONFIG.format(own=0, port=orthanc.dicom_port, way="get"))
    for patient in ("M\u00dc-4711", "ABC-4711"):
        (image,) = series(1)
        image.SpecificCharacterSet, image.PatientID = "ISO_IR 192", patient
        (tmp_path / "one.dcm").write_bytes(encoded(image))
        orthanc.upload(tmp_path / "one.dcm")
    orthanc.add_modality("node", "NODE", free_port())
    said = CliRunner().invoke(app, ["fetch", "pacs", "--patient", "M\u00dc-4711", "-c", str(tmp_path / "config.toml")])
    assert (said.exit_code, said.output) == (0, "study 1 of 1, 20260102 CT: 1 objects\n")
    (brought,) = (tmp_path / "data" / "incoming").glob("*.dcm")
    assert dcmread(brought).PatientID == "M\u00dc-4711"


def test_a_route_that_needs_a_prior_has_the_latest_one_brought_before_it_runs(filled: Orthanc, tmp_path: Path) -> None:
    text = CONFIG.format(own=0, port=filled.dicom_port, way="get") + ROUTE
    house = House(tmp_path, text)
    filled.add_modality("node", "NODE", free_port())
    image = radiograph("1.2.1", "1.2.1.1")
    earlier = radiograph("1.2.2", "1.2.2.1")
    image.StudyDate, earlier.StudyDate = "20260301", "20260201"
    (tmp_path / "one.dcm").write_bytes(encoded(earlier))
    filled.upload(tmp_path / "one.dcm")
    house.put(image)
    (stack,) = house.settle_until(StackState.DELIVERED, StackState.HELD)
    assert stack.prior == "prior study 1.2.2"
    (brought,) = (house.config.storage_folder / "incoming").glob("*.dcm")
    assert dcmread(brought).SOPInstanceUID == earlier.SOPInstanceUID


def test_a_route_whose_prior_cannot_be_had_runs_without(tmp_path: Path) -> None:
    house = House(tmp_path, CONFIG.format(own=0, port=free_port(), way="get") + ROUTE)
    house.put(radiograph("1.2.1", "1.2.1.1"))
    (stack,) = house.settle_until(StackState.DELIVERED)
    assert "no prior from pacs" in stack.prior
    assert house.models.ran == ["lung"]
