from __future__ import annotations

import gc
import logging
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association

from dicom_node.retired import RETIRED_STORAGE
from tests.receive.node import Site, altered, eventually, running
from tests.support.dicom import PATIENT_ID, PATIENT_NAME, ct_slice, encoded, series
from tests.support.malformed import request
from tests.support.programs import require

VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT = "1.2.840.10008.1.2"
CALLING_NOT_RECOGNISED, CALLED_NOT_RECOGNISED = (1, 1, 3), (1, 1, 7)
LIMIT_EXCEEDED = (2, 3, 2)  # transient


def test_c_echo_is_answered(site: Site) -> None:
    with site.association([(VERIFICATION, IMPLICIT)]) as association:
        assert association.send_c_echo().Status == 0x0000


def test_echoscu_is_answered(site: Site) -> None:
    require("echoscu")
    subprocess.run(["echoscu", "-aec", "NODE", "127.0.0.1", str(site.receiver.port)], check=True, timeout=20)


def test_storescu_can_store(site: Site, tmp_path: Path) -> None:
    require("storescu")
    folder = tmp_path / "outbox"
    folder.mkdir()
    for number, dataset in enumerate(series(3)):
        (folder / f"{number}.dcm").write_bytes(encoded(dataset))
    command = ["storescu", "-aet", "DCMTK", "-aec", "NODE", "127.0.0.1", str(site.receiver.port), "+sd", str(folder)]
    subprocess.run(command, check=True, timeout=20)
    assert {row.caller for row in site.registered(3)} == {"DCMTK"}


def rejection(site: Site, calling: str = "SCANNER", called: str = "NODE") -> tuple[int, ...]:
    """Ask for an association; return result, source and reason of the A-ASSOCIATE-RJ (PS3.8 9.3.4)."""
    with socket.create_connection(("127.0.0.1", site.receiver.port), timeout=20) as connection:
        connection.sendall(request(called, calling=calling))
        answer = connection.recv(10, socket.MSG_WAITALL)
    assert answer[:7] == b"\x03\x00\x00\x00\x00\x04\x00"
    return tuple(answer[7:])


def test_a_wrong_called_ae_title_is_rejected(site: Site) -> None:
    assert rejection(site, called="SOMEBODY") == CALLED_NOT_RECOGNISED


def test_a_calling_ae_title_that_is_not_accepted_is_rejected_and_logged(
    start: Callable[..., Site], caplog: pytest.LogCaptureFixture
) -> None:
    site = start(accepted_callers=("CT1", "MR1"))
    assert rejection(site, calling="STRANGER") == CALLING_NOT_RECOGNISED
    with site.association([(VERIFICATION, IMPLICIT)], calling="MR1") as association:
        assert association.is_established
    assert "'STRANGER' with 'NODE'" in caplog.text


def test_more_associations_than_allowed_are_rejected(start: Callable[..., Site]) -> None:
    site = start(max_associations=1)
    with site.association([(VERIFICATION, IMPLICIT)]):
        assert rejection(site) == LIMIT_EXCEEDED


def test_an_extra_sop_class_is_accepted(start: Callable[..., Site]) -> None:
    private = UID("1.2.826.0.1.3680043.8.498.1.2.3")
    site = start(extra_sop_classes=(private,))
    dataset = series(1)[0]
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = private
    assert site.store([dataset]) == [0x0000]
    assert site.registered(1)[0].sop_class_uid == private


@pytest.mark.parametrize("sop_class", RETIRED_STORAGE)
def test_a_retired_storage_class_is_accepted(site: Site, sop_class: str) -> None:
    with site.association([(sop_class, IMPLICIT)]) as association:
        assert [str(context.abstract_syntax) for context in association.accepted_contexts] == [sop_class]


def test_an_unknown_sop_class_is_not_accepted(site: Site) -> None:
    with site.association([("1.2.826.0.1.3680043.8.498.9", IMPLICIT), (VERIFICATION, IMPLICIT)]) as association:
        assert [str(context.abstract_syntax) for context in association.accepted_contexts] == [VERIFICATION]


def test_one_context_with_several_transfer_syntaxes_is_accepted_with_explicit_vr(site: Site) -> None:
    with site.association([(CTImageStorage, [IMPLICIT, ExplicitVRLittleEndian])]) as association:
        assert association.accepted_contexts[0].transfer_syntax == [ExplicitVRLittleEndian]


def test_nothing_that_identifies_a_patient_is_logged(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    series_uid = "1.2.3.4.5.6.7.8.9.1"
    file = encoded(ct_slice("1.2.3", series_uid))
    assert site.store_file(file).Status == 0x0000
    assert site.store_file(altered(file, "CT", "PT")).Status == 0x0000
    assert site.store_file(altered(file, series_uid, PATIENT_NAME)).Status == 0xA900
    site.registered(2)
    assert PATIENT_NAME not in caplog.text
    assert PATIENT_ID not in caplog.text


def test_a_client_that_stops_in_the_middle_of_a_pdu_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with ExitStack() as stack:
        with running(tmp_path) as site:
            stalled = stack.enter_context(socket.create_connection(("127.0.0.1", site.receiver.port)))
            stalled.sendall(b"\x01\x00\x00")
            with site.association([(VERIFICATION, IMPLICIT)]):
                pass
            started = time.monotonic()
        assert time.monotonic() - started < 5


def test_ended_associations_are_not_kept_in_memory(site: Site) -> None:
    before = _associations()  # of other tests
    for _ in range(3):
        site.store(series(1))
    site.registered(3)
    eventually(lambda: _associations() <= before)


def _associations() -> int:
    gc.collect()
    return sum(type(one) is Association for one in gc.get_objects())


@pytest.fixture
def certificate(tmp_path: Path) -> dict[str, Path]:
    files = {"certificate": tmp_path / "certificate.pem", "key": tmp_path / "key.pem"}
    subject = ["-subj", "/CN=node", "-days", "2", "-nodes", "-newkey", "rsa:2048"]
    require("openssl")
    command = ["openssl", "req", "-x509", *subject, "-keyout", str(files["key"])]
    subprocess.run([*command, "-out", str(files["certificate"])], check=True, capture_output=True, timeout=20)
    return {**files, "ca": files["certificate"]}


def test_tls_asks_for_a_certificate_and_is_not_held_up_by_a_silent_client(
    start: Callable[..., Site], certificate: dict[str, Path]
) -> None:
    site = start(tls=certificate)
    context = ssl.create_default_context(cafile=certificate["ca"])
    context.check_hostname = False
    with socket.create_connection(("127.0.0.1", site.receiver.port)):
        assert not _echo_over(context, site.receiver.port)
        context.load_cert_chain(certificate["certificate"], certificate["key"])
        assert _echo_over(context, site.receiver.port)


def _echo_over(context: ssl.SSLContext, port: int) -> bool:
    entity = AE("SCANNER")
    entity.acse_timeout = entity.network_timeout = 5
    entity.add_requested_context(VERIFICATION)
    association = entity.associate("127.0.0.1", port, ae_title="NODE", tls_args=(context, "node"))
    if not association.is_established:
        return False
    status = association.send_c_echo()
    association.release()
    return bool(status.Status == 0x0000)
