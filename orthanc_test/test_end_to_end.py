"""The whole way: storescu sends, the node decides and runs, Orthanc gives the results back."""

from __future__ import annotations

import datetime as dt
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.pixels.utils import pixel_array
from sqlalchemy import select

from dicom_node.catalog import Run, StackState
from dicom_node.deliver import send
from dicom_node.demo.orthanc import Orthanc, free_port
from dicom_node.demo.pacs import SmallPacs
from dicom_node.demo.studies import radiograph_study, write_studies
from dicom_node.imaging import dicom_files
from dicom_node.weights_import import keep_model
from orthanc_test.real_data import REAL_DATA, wrapped_radiographs
from orthanc_test.running import PROGRAM, RunningNode
from orthanc_test.validity import errors_of_ours
from pipelines.published.importing import keep_published
from pipelines.published.tables import tables
from tests.parity.writer import write
from tests.support.dicom import PATIENT_ID, PATIENT_NAME, encoded, radiograph, series
from tests.support.programs import require

REPOSITORY = Path(__file__).parents[1]
ENDS = {StackState.DELIVERED, StackState.NOTHING, StackState.REFUSED}
SHIPPED = '[pipelines.lung_cxr]\nweights = "lung_cxr_small"\n'
Start = Callable[..., RunningNode]


@pytest.fixture
def start(tmp_path: Path, orthanc: Orthanc) -> Iterator[Start]:
    """Start a node on the default configuration with folders, ports and a PACS of the test's own."""
    started: list[RunningNode] = []

    def on(changes: Sequence[tuple[str, str]] = ()) -> RunningNode:
        path = tmp_path / "config.toml"
        path.write_text(_configured(orthanc, changes))
        shutil.copy(REPOSITORY / "tests" / "support" / "stand_in.py", tmp_path)
        started.append(RunningNode(path).__enter__())
        return started[-1]

    orthanc.clear()
    yield on
    for node in started:
        node.__exit__(None, None, None)


def _configured(orthanc: Orthanc, changes: Sequence[tuple[str, str]]) -> str:
    text = (REPOSITORY / "config.toml").read_text()
    for old, new in [
        ("[node]", f'weights = "{REPOSITORY / "weights"}"\n[node]'),
        ("port = 11112", f"port = {free_port()}"),
        ("receivers = 0 ", "receivers = 1 "),
        ("port = 4242", f"port = {orthanc.dicom_port}"),
        ("port = 4243", f"port = {orthanc.dicom_port}"),
        ('ae_title = "RESEARCH"', 'ae_title = "ORTHANC"'),
        ("series_quiet_s = 10 ", "series_quiet_s = 2 "),
        ("regeneration_s = 300 ", "regeneration_s = 2 "),
        ("max_study_age_days = 14", "max_study_age_days = 100000"),
        ("min_free_gb = 5 ", "min_free_gb = 0 "),
        *changes,
    ]:
        assert old in text, f"the default configuration has no {old!r}"
        text = text.replace(old, new, 1)
    return text


def stand_in(seconds: float) -> tuple[str, str]:
    """Put a pipeline that only waits in the lungs' place; it is found next to config.toml."""
    return SHIPPED, f'[pipelines.lung_cxr]\nuse = "stand_in:StandIn"\nseconds = {seconds}\n'


def storescu(node: RunningNode, *paths: Path) -> None:
    """Send by dcmtk, as a modality would, compressed objects as they are."""
    require("storescu")
    where = [node.peer.host, str(node.peer.port)]
    command = ["storescu", "-aec", node.peer.ae_title, "-aet", "SCANNER", "+sd", "+r", *where]
    for proposal in ("-xe", "-xs", "-xt", "-xv"):  # explicit VR, JPEG lossless, JPEG-LS, JPEG 2000
        files = [path for path in paths if _proposal(path) == proposal]
        if files:
            subprocess.run([*command, proposal, *map(str, files)], check=True, capture_output=True, timeout=300)


def _proposal(path: Path) -> str:
    syntax = dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID
    return {"1.2.840.10008.1.2.4.80": "-xt", "1.2.840.10008.1.2.4.90": "-xv"}.get(str(syntax), "-xe")


def test_the_demonstrations_studies_end_with_their_results_in_the_pacs(
    start: Start, orthanc: Orthanc, tmp_path: Path
) -> None:
    files = write_studies(tmp_path / "sent", day=dt.datetime.now(dt.UTC).date())
    node = start()
    storescu(node, *files)
    stacks = node.settle(len(files))
    assert {stack.state for stack in stacks} <= ENDS
    assert len([stack for stack in stacks if stack.decision]) == len(stacks)
    assert {one.modality for one in orthanc.instances()} == {"SEG", "SR", "OT"}
    _the_seg_lies_on_the_lungs(orthanc)
    _the_erased_image_is_the_source_but_for_the_mark(orthanc)
    _the_log_names_nobody(node, files)


def _the_seg_lies_on_the_lungs(orthanc: Orthanc) -> None:
    (found,) = orthanc.instances("SEG")
    buffer = BytesIO()
    orthanc.download(found.sop_uid).save_as(buffer, enforce_file_format=True)
    seg = hd.seg.segread(BytesIO(buffer.getvalue()))
    (source,) = radiograph_study("demo", dt.datetime.now(dt.UTC).date())
    labels = seg.get_pixels_by_source_instance(
        [source.SOPInstanceUID], combine_segments=True, ignore_spatial_locations=True
    )[0]
    assert {str(seg.get_segment_description(k).segment_label) for k in seg.segment_numbers} == {
        "right lung",
        "left lung",
    }
    columns = {k: np.nonzero(labels == k)[1].mean() for k in seg.segment_numbers}
    names = {str(seg.get_segment_description(k).segment_label): columns[k] for k in seg.segment_numbers}
    assert names["right lung"] < source.Columns / 2 < names["left lung"]
    assert 0.1 < np.count_nonzero(labels) / labels.size < 0.5


def _the_erased_image_is_the_source_but_for_the_mark(orthanc: Orthanc) -> None:
    (found,) = orthanc.instances("OT")
    (source,) = radiograph_study("demo", dt.datetime.now(dt.UTC).date())
    erased = orthanc.download(found.sop_uid)
    differs = pixel_array(erased) != pixel_array(source)
    assert 0 < differs.mean() < 0.02
    assert (erased.BitsStored, erased.PhotometricInterpretation) == (
        source.BitsStored,
        source.PhotometricInterpretation,
    )
    assert erased.SeriesInstanceUID != source.SeriesInstanceUID


def _the_log_names_nobody(node: RunningNode, files: Sequence[Path]) -> None:
    headers = [dcmread(path, stop_before_pixels=True) for path in files]
    secret = {str(one.get(word, "")) for one in headers for word in ("PatientName", "PatientID", "PatientBirthDate")}
    said = node.log()
    assert said
    assert not [word for word in secret if word and word in said]


def test_a_published_weights_file_runs_once_it_is_imported(start: Start, orthanc: Orthanc, tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    (tmp_path / "importing.toml").write_text(f'weights = "{weights}"')
    published = write(tables()["EnhanceCls"], tmp_path / "EnhanceCls.h5")
    command = ["weights", "import", str(published), "--as", "published", "--config", str(tmp_path / "importing.toml")]
    subprocess.run([PROGRAM, *command], check=True, capture_output=True, timeout=120)
    node = start([(str(REPOSITORY / "weights"), str(weights)), ('"contrast_ct_small"', '"published"')])
    files = [path for path in write_studies(tmp_path / "sent") if path.parts[-3:-1] == ("CT", "3")]
    storescu(node, *files)
    (stack,) = node.settle(len(files))
    assert stack.state == StackState.DELIVERED, stack.reason
    with node.catalog.read() as session:
        (run,) = session.scalars(select(Run)).all()
    assert list(run.weights) == ["published"]
    assert len(orthanc.instances("SR")) == 1


def test_models_that_tensorflow_runs_answer_behind_the_node(
    start: Start, orthanc: Orthanc, tmp_path: Path, models: Path
) -> None:
    weights = tmp_path / "weights"
    keep_model(models / "lungs.keras", "lungs", weights, "LungSeg")
    keep_published(write(tables()["EnhanceCls"], tmp_path / "EnhanceCls.h5"), "contrast", weights)
    lungs = '"lungs"\non_implausible = "ignore"'  # this network marks what is dark, not lungs
    entries = [('"contrast_ct_small"', '"contrast"'), ('"lung_cxr_small"', lungs)]
    node = start([(str(REPOSITORY / "weights"), str(weights)), *entries])
    files = [path for path in write_studies(tmp_path / "sent") if path.parts[-3:-1] in {("CT", "3"), ("DX", "1")}]
    storescu(node, *files)
    assert {stack.state for stack in node.settle(len(files))} == {StackState.DELIVERED}
    with node.catalog.read() as session:
        ran = {run.pipeline: list(run.weights) for run in session.scalars(select(Run)).all()}
    assert (ran["contrast_ct"], ran["lung_cxr"]) == (["contrast"], ["lungs"])
    assert Counter(one.modality for one in orthanc.instances()) == {"SEG": 1, "SR": 3, "OT": 1}  # the marks' run too


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the real development images are not beside this checkout")
@pytest.mark.timeout(900)
def test_real_series_and_radiographs_all_end_with_a_reason_and_valid_results(
    start: Start, orthanc: Orthanc, tmp_path: Path
) -> None:
    folders = [REAL_DATA / name for name in ("ct_contrast", "ct_chest_dicom_jpegls", "ct_abdomen_dicom")]
    files = [path for folder in folders for path in dicom_files(folder)]
    files += wrapped_radiographs(tmp_path / "dx", count=10)
    node = start()
    storescu(node, *files)
    stacks = node.settle(len({str(dcmread(path, stop_before_pixels=True).SOPInstanceUID) for path in files}), 800)
    assert {stack.state for stack in stacks} <= ENDS
    assert all(stack.reason for stack in stacks)
    kinds = Counter(one.modality for one in orthanc.instances())
    assert min(kinds["SEG"], kinds["SR"], kinds["OT"]) > 0
    assert errors_of_ours(orthanc, files, tmp_path) == []


def test_what_was_acknowledged_survives_a_killed_receiver(start: Start, tmp_path: Path) -> None:
    node = start()
    images = series(200)
    paths = _written(images, tmp_path / "sent")
    acknowledged = set()
    for number, sent in enumerate(send(node.config, node.peer, paths)):
        if number == 20:
            node.kill("receiver")
        if sent.outcome == "stored":
            acknowledged.add(sent.sop_instance_uid)
    assert 0 < len(acknowledged) < 200
    node.wait(lambda: node.times_up("receiver") == 2, 60, "the receiver to come back")
    node.wait(lambda: node.instances() >= acknowledged, 60, "what was acknowledged")
    assert all(sent.outcome == "stored" for sent in send(node.config, node.peer, paths))
    stacks = node.settle(200)
    assert {stack.state for stack in stacks} <= ENDS
    assert max(len(stack.content["frames"]) for stack in stacks) == 200


def test_a_worker_killed_during_inference_gives_each_result_once(
    start: Start, orthanc: Orthanc, tmp_path: Path
) -> None:
    node = start([stand_in(seconds=3.0)])
    paths = _written([radiograph(f"1.2.3.{k}", f"1.2.3.{k}.1", shape=(64, 64)) for k in range(3)], tmp_path / "sent")
    list(send(node.config, node.peer, paths))
    for times in (2, 3):
        node.wait(lambda: any(stack.state == StackState.ROUTED for stack in node.stacks()), 60, "an inference")
        node.kill("worker")
        node.wait(lambda times=times: node.times_up("worker") == times, 60, "the worker to come back")  # type: ignore[misc]
    stacks = node.settle(3)
    assert [stack.state for stack in stacks] == [StackState.DELIVERED] * 3
    assert Counter(one.modality for one in orthanc.instances()) == {"SEG": 3, "SR": 3}
    assert PATIENT_NAME not in node.log()
    assert PATIENT_ID not in node.log()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_node_stopped_during_inference_goes_on_at_its_next_start(
    start: Start, orthanc: Orthanc, tmp_path: Path, end: signal.Signals
) -> None:
    node = start([stand_in(seconds=3.0)])
    list(send(node.config, node.peer, _written([radiograph("1.2.8", "1.2.8.1", shape=(64, 64))], tmp_path / "sent")))
    node.wait(lambda: any(stack.state == StackState.ROUTED for stack in node.stacks()), 60, "an inference")
    node.end(end)
    assert [stack.state for stack in node.stacks()] == [StackState.ROUTED]
    with node:
        assert [stack.state for stack in node.settle(1)] == [StackState.DELIVERED]
    assert Counter(one.modality for one in orthanc.instances()) == {"SEG": 1, "SR": 1}


def test_results_reach_a_pacs_that_comes_up_later(start: Start, orthanc: Orthanc, tmp_path: Path) -> None:
    port = free_port()
    node = start(
        [(f"port = {orthanc.dicom_port}\n", f"port = {port}\nretry_s = 0.5\nretry_max_s = 1\n"), stand_in(seconds=0.0)]
    )
    list(send(node.config, node.peer, _written([radiograph("1.2.9", "1.2.9.1")], tmp_path / "sent")))
    node.wait(lambda: [one.state for one in node.stacks()] == [StackState.DELIVERING], 60, "a delivery")
    with SmallPacs(tmp_path / "late", ae_title="ORTHANC", port=port) as late:
        (stack,) = node.settle(1)
        assert stack.state == StackState.DELIVERED
        assert len(late.instances()) == 2


def _written(images: Sequence[Dataset], folder: Path) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"{image.SOPInstanceUID}.dcm" for image in images]
    for path, image in zip(paths, images, strict=True):
        path.write_bytes(encoded(image))
    return paths
