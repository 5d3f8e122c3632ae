from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from openjpeg.utils import encode_array
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)
from pynetdicom.sop_class import _STORAGE_CLASSES

from dicom_node.config import Config
from dicom_node.deliver import Sent, echo, find_studies, send
from dicom_node.deliver.outcomes import judge
from dicom_node.errors import PeerError
from tests.deliver.pacs import Pacs, archive, our_config, silent_server, unused_port
from tests.support.dicom import ct_slice, data_set_bytes, encoded, series
from tests.support.programs import require


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return our_config(tmp_path)


def saved(folder: Path, datasets: Sequence[Dataset]) -> list[Path]:
    paths = [folder / f"{dataset.SOPInstanceUID}.dcm" for dataset in datasets]
    for path, dataset in zip(paths, datasets, strict=True):
        path.write_bytes(encoded(dataset))
    return paths


def outcomes(sent: Sequence[Sent]) -> list[str]:
    return [one.outcome for one in sent]


def test_many_objects_go_over_one_association(config: Config, tmp_path: Path) -> None:
    datasets = series(10)
    with archive() as pacs:
        sent = list(send(config, pacs.peer(), saved(tmp_path, datasets)))
    assert [(one.sop_instance_uid, one.outcome, one.status) for one in sent] == [
        (dataset.SOPInstanceUID, "stored", 0x0000) for dataset in datasets
    ]
    assert pacs.associations == 1


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian]
)
def test_a_file_goes_out_as_it_lies(config: Config, tmp_path: Path, syntax: str) -> None:
    paths = saved(tmp_path, series(1, transfer_syntax_uid=syntax))
    with archive() as pacs:
        (sent,) = send(config, pacs.peer(), paths)
    assert sent.outcome == "stored"
    assert pacs.received[sent.sop_instance_uid] == (syntax, data_set_bytes(paths[0].read_bytes()))


def test_an_uncompressed_object_is_converted_for_a_peer_that_takes_only_implicit_vr(
    config: Config, tmp_path: Path
) -> None:
    paths = saved(tmp_path, series(1))
    with archive(syntaxes=[ImplicitVRLittleEndian]) as pacs:
        (sent,) = send(config, pacs.peer(), paths)
    assert sent.outcome == "stored"
    syntax, data_set = pacs.received[sent.sop_instance_uid]
    assert syntax == ImplicitVRLittleEndian
    assert data_set.endswith(dcmread(paths[0]).PixelData)


@pytest.mark.parametrize("compressed", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize("taken", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_a_compressed_object_is_decompressed_for_a_peer_that_refuses_its_syntax(
    config: Config, tmp_path: Path, compressed: str, taken: str
) -> None:
    (image,) = series(1, shape=(64, 64))
    pixels = image.PixelData
    if compressed == JPEG2000Lossless:  # pydicom has no encoder for it here
        image.PixelData = encapsulate([bytes(encode_array(image.pixel_array, bits_stored=12, use_mct=False))])
        image["PixelData"].VR, image["PixelData"].is_undefined_length = "OB", True
        image.file_meta.TransferSyntaxUID = JPEG2000Lossless
    else:
        image.compress(compressed, generate_instance_uid=False)
    paths = saved(tmp_path, [image])
    with archive(syntaxes=[taken]) as pacs:
        (sent,) = send(config, pacs.peer(), paths)
    assert (sent.outcome, sent.sop_instance_uid) == ("stored", image.SOPInstanceUID)
    syntax, data_set = pacs.received[sent.sop_instance_uid]
    assert syntax == taken
    assert data_set.endswith(pixels)


def test_an_object_in_a_syntax_that_the_peer_does_not_take_is_parked(config: Config, tmp_path: Path) -> None:
    big, little = ct_slice("1.2.3", "1.2.4", transfer_syntax_uid=ExplicitVRBigEndian), ct_slice("1.2.3", "1.2.5")
    with archive(syntaxes=[ExplicitVRLittleEndian]) as pacs:
        sent = list(send(config, pacs.peer(), saved(tmp_path, [big, little])))
    assert outcomes(sent) == ["park", "stored"]


def test_objects_of_more_kinds_than_one_association_can_carry_take_several(config: Config, tmp_path: Path) -> None:
    datasets = []
    for sop_class in list(_STORAGE_CLASSES.values())[:70]:  # three contexts each
        dataset = ct_slice("1.2.3", "1.2.4")
        dataset.SOPClassUID = sop_class
        dataset.SOPInstanceUID = generate_uid()
        datasets.append(dataset)
    with archive() as pacs:
        sent = list(send(config, pacs.peer(), saved(tmp_path, datasets)))
    assert set(outcomes(sent)) == {"stored"}
    assert 1 < pacs.associations < 5


def test_a_file_that_cannot_be_read_is_parked_and_the_others_go_out(config: Config, tmp_path: Path) -> None:
    (tmp_path / "1.2.3.dcm").write_bytes(b"no DICOM")
    with archive() as pacs:
        paths = [tmp_path / "1.2.3.dcm", tmp_path / "1.2.4.dcm", *saved(tmp_path, series(1))]
        sent = list(send(config, pacs.peer(), paths))
    assert outcomes(sent) == ["park", "park", "stored"]
    assert [one.sop_instance_uid for one in sent[:2]] == ["1.2.3", "1.2.4"]


STATUSES = {
    0x0000: "stored",
    0xB000: "stored",
    0xB006: "stored",
    0xB007: "stored",
    0x0107: "stored",
    0x0116: "stored",
    0xA700: "retry",
    0xA7FF: "retry",
    0x0110: "retry",
    0x0213: "retry",
    0xFE00: "retry",
    0x0122: "park",
    0x0124: "park",
    0x0117: "park",
    0xA900: "park",
    0xC000: "park",
    0xC211: "park",
}


def test_each_status_has_its_outcome(config: Config, tmp_path: Path) -> None:
    with archive(Pacs(status=lambda number: list(STATUSES)[number - 1])) as pacs:
        sent = list(send(config, pacs.peer(), saved(tmp_path, series(len(STATUSES)))))
    assert {one.status: one.outcome for one in sent} == STATUSES
    assert all(one.reason or one.status == 0x0000 for one in sent)


def test_a_status_that_nobody_knows_is_tried_again() -> None:
    assert judge(0x1234).outcome == "retry"


@pytest.mark.parametrize(("answers_queries", "outcome"), [(True, "stored"), (False, "retry")])
def test_a_duplicate_counts_as_stored_only_if_a_query_finds_it(
    config: Config, tmp_path: Path, answers_queries: bool, outcome: str
) -> None:
    with archive(Pacs(status=lambda _number: 0x0111, answers_queries=answers_queries)) as pacs:
        sent = list(send(config, pacs.peer(), saved(tmp_path, series(2))))
    assert outcomes(sent) == [outcome, outcome]
    assert pacs.associations == 1


def test_a_query_that_would_go_on_for_ever_is_cut(config: Config, tmp_path: Path) -> None:
    with archive(Pacs(status=lambda _number: 0x0111, query_s=60.0)) as pacs, ThreadPoolExecutor() as threads:
        peer = pacs.peer(timeout_s=1.0)
        started = time.monotonic()
        sending = threads.submit(lambda: list(send(config, peer, saved(tmp_path, series(1)))))
        with pytest.raises(PeerError, match="answered for 10 s without an end"):
            find_studies(config, peer, {"AccessionNumber": "1"})
        (sent,) = sending.result()
        assert time.monotonic() - started < 20
    assert sent.outcome == "retry"


def test_a_peer_that_nobody_runs_is_tried_again(config: Config, tmp_path: Path) -> None:
    peer = Pacs(port=unused_port()).peer()
    (sent,) = send(config, peer, saved(tmp_path, series(1)))
    assert sent.outcome == "unreached"
    assert "refused the connection" in sent.reason
    with pytest.raises(PeerError, match="check that it runs, and its port"):
        echo(config, peer)


def test_a_peer_that_does_not_know_us_parks_and_says_what_to_do(config: Config, tmp_path: Path) -> None:
    with archive(callers=["ANOTHER"]) as pacs:
        (sent,) = send(config, pacs.peer(), saved(tmp_path, series(1)))
        assert sent.outcome == "park"
        with pytest.raises(PeerError, match="does not know our AE title 'NODE'"):
            echo(config, pacs.peer())


def test_a_peer_by_another_name_says_so(config: Config) -> None:
    with archive() as pacs, pytest.raises(PeerError, match="is not called 'OTHER'"):
        echo(config, pacs.peer(ae_title="OTHER"))


def test_a_peer_whose_host_does_not_exist_says_so(config: Config) -> None:
    with pytest.raises(PeerError, match="cannot be found"):
        echo(config, Pacs(port=1).peer(host="no-such-host.invalid"))


def test_a_peer_that_is_there_answers_echo(config: Config) -> None:
    with archive() as pacs:
        echo(config, pacs.peer())


def test_a_silent_peer_is_cut(config: Config, tmp_path: Path) -> None:
    with silent_server() as pacs:
        started = time.monotonic()
        (sent,) = send(config, pacs.peer(timeout_s=0.5), saved(tmp_path, series(1)))
    assert sent.outcome == "unreached"
    assert "gave no DICOM answer" in sent.reason
    assert time.monotonic() - started < 5


def test_a_peer_that_hangs_over_an_object_is_cut_and_the_rest_is_kept_for_later(config: Config, tmp_path: Path) -> None:
    let_go = threading.Event()

    def hang_at_the_second(number: int) -> int:
        if number == 2:
            let_go.wait(20)
        return 0x0000

    with archive(Pacs(status=hang_at_the_second)) as pacs:
        started = time.monotonic()
        sent = list(send(config, pacs.peer(timeout_s=1.0), saved(tmp_path, series(4))))
        taken_s = time.monotonic() - started
        let_go.set()
    assert outcomes(sent) == ["stored", "retry", "unreached", "unreached"]
    assert taken_s < 5


def test_a_peer_that_stops_reading_is_cut(config: Config, tmp_path: Path) -> None:
    def stop_reading_after_the_first(_number: int) -> int:
        pacs.reads.clear()
        return 0x0000

    with archive(Pacs(status=stop_reading_after_the_first)) as pacs:
        paths = saved(tmp_path, [*series(1), *series(1, shape=(4096, 4096))])
        started = time.monotonic()
        sent = list(send(config, pacs.peer(timeout_s=1.0), paths))
        taken_s = time.monotonic() - started
        pacs.reads.set()
    assert outcomes(sent) == ["stored", "retry"]
    assert taken_s < 10


@pytest.mark.parametrize(("hours", "least_s"), [(["00:00:00", "23:59:59.999999"], 0.5), (["00:00:00", "00:00:00"], 0)])
def test_a_peer_with_a_limit_is_sent_no_more_than_that_in_its_hours(
    config: Config, tmp_path: Path, hours: Sequence[str], least_s: float
) -> None:
    paths = saved(tmp_path, series(1, shape=(256, 256)))  # a megabit
    with archive() as pacs:
        started = time.monotonic()
        sent = list(send(config, pacs.peer(max_mbit=2, max_mbit_hours=hours), paths))
    assert outcomes(sent) == ["stored"]
    assert time.monotonic() - started >= least_s


def test_a_plain_peer_that_is_called_over_tls_says_so(config: Config, tmp_path: Path) -> None:
    require("openssl")
    files = {"certificate": str(tmp_path / "certificate.pem"), "key": str(tmp_path / "key.pem")}
    subject = ["-subj", "/CN=node", "-days", "2", "-nodes", "-newkey", "rsa:2048"]
    command = ["openssl", "req", "-x509", *subject, "-keyout", files["key"], "-out", files["certificate"]]
    subprocess.run(command, check=True, capture_output=True, timeout=20)
    with archive() as pacs, pytest.raises(PeerError, match="TLS"):
        echo(config, pacs.peer(tls={**files, "ca": files["certificate"]}, timeout_s=1.0))
    with archive() as pacs, pytest.raises(PeerError, match=r"ca: there is no file .*absent.pem"):
        echo(config, pacs.peer(tls={**files, "ca": str(tmp_path / "absent.pem")}))


def test_storescp_takes_our_objects(config: Config, tmp_path: Path) -> None:
    require("storescp")
    port = unused_port()
    folder = tmp_path / "archive"
    folder.mkdir()
    paths = saved(tmp_path, series(3))
    with subprocess.Popen(["storescp", "-aet", "PACS", "-od", str(folder), str(port)]) as process:
        try:
            deadline = time.monotonic() + 10
            peer = Pacs(port=port).peer()
            while outcomes(sent := list(send(config, peer, paths))) != ["stored"] * 3:
                assert time.monotonic() < deadline, sent
        finally:
            process.terminate()
    assert len(list(folder.iterdir())) == 3
