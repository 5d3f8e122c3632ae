"""What becomes of results at a DICOMweb peer when their images turn out to be another patient's: QIDO-RS is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_node.catalog import Delivery, DeliveryState, Result, StackState
from dicom_node.demo.orthanc import Orthanc
from tests.deliver.origin import Origin, origin
from tests.support.programs import give_up, require
from tests.work.house import House
from tests.work.sending import SCANNER, arrive
from tests.work.test_versions import CONFIG, MOVED, OTHER_PATIENT, changed, image

_WEB = 'ae_title = "SMALLPACS"\nhost = "127.0.0.1"\nport = {port}'
_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


def house_at(folder: Path, url: str, peer: str = "") -> House:
    return House(folder, CONFIG.replace(_WEB, f'url = "{url}"\n{peer}').replace("{{", "{").replace("}}", "}"))


def delivered(folder: Path, url: str, peer: str = "") -> tuple[House, str]:
    """Return a house whose one result is at the peer, and the result's UID."""
    house = house_at(folder, url, peer)
    arrive(house, image(), sender=SCANNER)
    house.settle_until(StackState.DELIVERED)
    (result,) = house.rows(Result)
    return house, result.uid


def state_of(house: House, uid: str) -> tuple[DeliveryState, str]:
    (row,) = (row for row in house.rows(Delivery) if row.result_uid == uid)
    return row.state, row.reason


@pytest.fixture
def site() -> Iterator[Origin]:
    with origin() as running:
        yield running


def notes(site: Origin) -> list[tuple[str, str]]:
    return [(one.PatientID, one.StudyInstanceUID) for one in site.objects().values() if one.Modality == "KO"]


@pytest.mark.parametrize("place", [MOVED, OTHER_PATIENT, {**MOVED, **OTHER_PATIENT}])
@pytest.mark.parametrize("settings", [{}, {"names_patient": False}, {"query_status": 400}])
def test_a_result_that_stands_where_its_images_were_is_rejected_there(
    tmp_path: Path, site: Origin, place: dict[str, str], settings: dict[str, object]
) -> None:
    vars(site).update(settings)
    house, old = delivered(tmp_path, site.url)
    arrive(house, changed(image(), **place))
    house.settle()
    assert notes(site) == [(str(image().PatientID), "1.2.1")]
    assert state_of(house, old)[0] == DeliveryState.WITHDRAWN


@pytest.mark.parametrize("place", [MOVED, OTHER_PATIENT])
@pytest.mark.parametrize("names_patient", [True, False])
def test_what_the_peer_has_moved_along_needs_nothing(
    tmp_path: Path, site: Origin, place: dict[str, str], *, names_patient: bool
) -> None:
    site.names_patient = names_patient
    house, old = delivered(tmp_path, site.url)
    site.move("1.2.1", **place)
    arrive(house, changed(image(), **place))
    house.settle()
    assert (notes(site), state_of(house, old)[0]) == ([], DeliveryState.MOVED)


@pytest.mark.parametrize(("query_status", "said"), [(200, "does not find it"), (400, "does not say where")])
def test_what_the_peer_does_not_find_is_an_alert(tmp_path: Path, site: Origin, query_status: int, said: str) -> None:
    house, old = delivered(tmp_path, site.url)
    site.query_status = query_status
    del site.received[old]
    arrive(house, changed(image(), **MOVED))
    house.settle()
    state, reason = state_of(house, old)
    assert (notes(site), state) == ([], DeliveryState.MISFILED)
    assert said in reason


def test_a_peer_that_is_busy_is_asked_again_and_one_that_stays_so_is_an_alert(tmp_path: Path, site: Origin) -> None:
    house, old = delivered(tmp_path, site.url, "retry_s = 0.001\nretry_max_s = 0.001")
    site.query_status = 503
    arrive(house, changed(image(), **MOVED))
    house.settle(ticks=3)
    assert state_of(house, old)[0] == DeliveryState.RECALLED
    with house.catalog.write() as session:
        for row in session.query(Delivery).filter_by(result_uid=old):
            row.first_at -= 73 * 3600
    house.settle()
    state, reason = state_of(house, old)
    assert state == DeliveryState.MISFILED
    assert "the peer could not be asked for 72 h" in reason


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[Orthanc]:
    require("Orthanc")
    if not _PLUGIN.exists():
        give_up("no DICOMweb plug-in of Orthanc (Debian's orthanc-dicomweb)")
    settings = {"Plugins": [str(_PLUGIN)], "DicomWeb": {"Enable": True, "Root": "/dicom-web/"}}
    with Orthanc(tmp_path / "orthanc", settings=settings) as running:
        yield running


@pytest.mark.parametrize("place", [MOVED, {**MOVED, **OTHER_PATIENT}])
def test_orthanc_with_its_dicomweb_plugin_is_asked_by_qido_and_takes_the_note(
    tmp_path: Path, orthanc: Orthanc, place: dict[str, str]
) -> None:
    house, old = delivered(tmp_path, f"{orthanc.url}/dicom-web")
    arrive(house, changed(image(), **place))
    house.settle()
    state, reason = state_of(house, old)
    assert (state, "rejection note" in reason) == (DeliveryState.WITHDRAWN, True)
    held = [(one.modality, one.study_uid) for one in orthanc.instances()]
    assert ("KO", "1.2.1") in held
    assert ("SEG", "1.2.9") in held


def test_what_orthanc_no_longer_has_is_an_alert(tmp_path: Path, orthanc: Orthanc) -> None:
    house, old = delivered(tmp_path, f"{orthanc.url}/dicom-web")
    orthanc.clear()
    arrive(house, changed(image(), **MOVED))
    house.settle()
    state, reason = state_of(house, old)
    assert (state, "does not find it" in reason) == (DeliveryState.MISFILED, True)
