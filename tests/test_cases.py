"""Real inputs that once failed, sent to a whole node on the default configuration, have the end that is right for them.

The files are personal-detail-free development data beside the checkout; without them these tests are skipped.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydicom import dcmread
from sqlalchemy import select

from dicom_node.catalog import Series, Stack
from dicom_node.deliver import send
from dicom_node.demo.orthanc import free_port
from dicom_node.demo.pacs import SmallPacs
from orthanc_test.running import PROGRAM, RunningNode

REPOSITORY = Path(__file__).parents[1]
CASES = REPOSITORY.parent / "shared" / "cases"

pytestmark = [
    pytest.mark.xdist_group("cases"),
    pytest.mark.skipif(not CASES.is_dir(), reason="the failed inputs are not beside the checkout"),
]


@dataclass(frozen=True)
class Case:
    """A file or folder, and how its stacks must end: state, and words of the sentence that a user reads."""

    name: str
    stacks: int
    state: str
    sentence: str  # a regular expression


CASE_TABLE = [
    Case("01_xa30_T1_unnormalised_tongue.dcm", 1, "refused", "brain"),
    Case("02_phantom_as_brain", 1, "refused", "brain"),
    Case("03_enhanced_run_crash.dcm", 1, "delivered", ""),
    Case("04_jpegls_MR1_JLSL.dcm", 1, "nothing to run", "brain on T1"),
    Case("05_htj2k_CT1_JPH.dcm", 1, "delivered", "contrast_ct to pacs"),
    Case("06_truncated_encapsulated.dcm", 1, "nothing to run", "slices"),
    Case("07_empty_pixel_data_GH1146.dcm", 1, "nothing to run", "slices"),
    Case("08_ge_fmri_not_split", 3, "nothing to run", "slices"),
    Case("09_siemens_mosaic.dcm", 1, "nothing to run", "mosaic"),
    Case("10_metabolite_map_is_volume.dcm", 1, "nothing to run", "map"),
    Case("12_retired_us_class.dcm", 1, "nothing to run", ""),
    Case("13_ct_without_rescale.dcm", 1, "nothing to run", "no route matches"),
    Case("14_explain_aborts", 1, "delivered", ""),
    Case("15_spectroscopy_is_capture.dcm", 1, "nothing to run", "not an image"),
    Case("16_ge_mprage_refused", 1, "delivered", ""),
]
WITHOUT_STUDY = "1.2.840.113704.7.1.1.1096.1405167825.3"  # an object without Study Instance UID: answered C000


def files_of(case: Case) -> list[Path]:
    """Return the case's files."""
    path = CASES / case.name
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    """A node that has received every case and brought every stack to its end."""
    folder = tmp_path_factory.mktemp("cases")
    with ExitStack() as stack:
        pacs = stack.enter_context(SmallPacs(folder / "pacs"))
        path = folder / "config.toml"
        path.write_text(configured(pacs))
        running = stack.enter_context(RunningNode(path))
        files = [prepare(file, folder) for case in CASE_TABLE for file in files_of(case)]
        refused = [sent for sent in send(running.config, running.peer, files) if sent.outcome != "stored"]
        assert [sent.sop_instance_uid for sent in refused] == [WITHOUT_STUDY], list(map(str, refused))
        running.settle(len(files) - len(refused), 280)
        yield running


def prepare(file: Path, folder: Path) -> Path:
    """Return the file, or a copy of one in which something else than what is tried would decide.

    Two cases are series of one study, of which a route picks the best: each gets a study of its own. One names another
    SOP instance in its file meta information, and the patient's number was replaced by two values inside one series.
    """
    dataset = dcmread(file, force=True)
    named = dataset.get("SOPInstanceUID", dataset.file_meta.MediaStorageSOPInstanceUID)
    if dataset.file_meta.MediaStorageSOPInstanceUID == named and not file.name.startswith("03_"):
        if dataset.get("PatientID") != "ZOO":
            return file
        dataset.PatientID = dataset.PatientName = "CASE"
    else:
        dataset.file_meta.MediaStorageSOPInstanceUID = named
        dataset.StudyInstanceUID += ".3"
    copy = folder / f"{file.parent.name}-{file.name}"
    dataset.save_as(copy)
    return copy


def configured(pacs: SmallPacs) -> str:
    """Return the default configuration with the ports, folders and times of a test."""
    text = (REPOSITORY / "config.toml").read_text()
    for old, new in [
        ("[node]", f'weights = "{REPOSITORY / "weights"}"\n[node]'),
        ("port = 11112", f"port = {free_port()}"),
        ("receivers = 0 ", "receivers = 1 "),
        ("port = 4242", f"port = {pacs.port}"),
        ("port = 4243", f"port = {pacs.port}"),
        ("series_quiet_s = 10 ", "series_quiet_s = 2 "),
        ("study_quiet_s = 30 ", "study_quiet_s = 3 "),
        ("max_study_age_days = 14", "max_study_age_days = 100000"),
        ("min_free_gb = 5 ", "min_free_gb = 0 "),
    ]:
        assert old in text, f"the default configuration has no {old!r}"
        text = text.replace(old, new, 1)
    return text


@pytest.mark.timeout(600)
@pytest.mark.parametrize("case", CASE_TABLE, ids=lambda case: case.name[:2])
def test_an_input_that_failed_has_the_end_that_is_right_for_it(case: Case, node: RunningNode) -> None:
    headers = [dcmread(file, stop_before_pixels=True, force=True) for file in files_of(case)]
    series = {str(header.get("SeriesInstanceUID", "")) for header in headers}
    with node.catalog.read() as session:
        query = select(Stack).join(Series, Stack.series_uid == Series.uid).where(Series.uid.in_(series))
        ends = [(str(stack.state), stack.reason) for stack in session.scalars(query)]
    assert [state for state, _ in ends] == [case.state] * case.stacks, ends
    assert all(re.search(case.sentence, reason) for _, reason in ends), ends


def test_explain_goes_on_after_an_object_that_cannot_be_read() -> None:
    command: list[str | Path] = [
        PROGRAM,
        "explain",
        CASES / "14_explain_aborts",
        "--config",
        REPOSITORY / "config.toml",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert "Traceback" not in done.stderr + done.stdout
    assert "lungs on chest radiographs" in done.stdout
    assert re.search(r"b_no_study_uid\.dcm: .*Study or Series Instance UID", done.stderr)


def test_run_gives_results_of_an_enhanced_object_without_the_suffix_dcm(tmp_path: Path) -> None:
    shutil.copy(CASES / "03_enhanced_run_crash.dcm", tmp_path / "IM0001")
    command: list[str | Path] = [PROGRAM, "run", "brain_mr", tmp_path / "IM0001", "--out", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    assert {dcmread(file).Modality for file in (tmp_path / "out").rglob("*.dcm")} >= {"SEG", "SR"}


@pytest.mark.parametrize(
    ("case", "pipeline", "sentence"),
    [
        ("06_truncated_encapsulated.dcm", "brain_mr", "slices|frame"),
        ("07_empty_pixel_data_GH1146.dcm", "brain_mr", "slice|PixelData"),
        ("13_ct_without_rescale.dcm", "liver_ct", "Rescale"),
    ],
)
def test_run_says_in_a_sentence_why_an_object_cannot_be_used(
    case: str, pipeline: str, sentence: str, tmp_path: Path
) -> None:
    command: list[str | Path] = [PROGRAM, "run", pipeline, CASES / case, "--out", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=REPOSITORY)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert re.search(sentence, done.stderr), done.stderr
