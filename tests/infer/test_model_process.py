from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from pydicom import Dataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLosslessSV1

from dicom_node.config import Config, load_config
from dicom_node.errors import ModelError
from dicom_node.findings import Remark, Segmentation, load_findings
from dicom_node.images import Stack
from dicom_node.imaging import split
from dicom_node.infer.process import ModelProcess
from tests.faults.hostile.pixel_bombs import tiled_jpeg_2000
from tests.support.dicom import encoded, radiograph
from tests.support.syntaxes import in_syntax

Start = Callable[[str], ModelProcess]


def configured(folder: Path, section: str) -> Config:
    path = folder / "config.toml"
    path.write_text(section)
    return load_config(path)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[ModelProcess] = []

    def with_settings(settings: str) -> ModelProcess:
        text = f'[pipelines.one]\nuse = "tests.support.stand_in:StandIn"\n{settings}\n'
        started.append(ModelProcess(configured(tmp_path, text)))
        return started[-1]

    yield with_settings
    for process in started:
        process.close()


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return stack_of(radiograph("1.2.3", "1.2.3.4"), tmp_path)


def stack_of(dataset: Dataset, folder: Path) -> Stack:
    path = folder / "image.dcm"
    path.write_bytes(encoded(dataset))
    (found,) = split("1.2.3", "1.2.3.4", [(str(path), "SCANNER")]).stacks
    return found


def test_findings_are_on_disk_when_it_answers(start: Start, stack: Stack, tmp_path: Path) -> None:
    answer = start("").run("one", stack, tmp_path / "findings.npz")
    assert (answer.refused, answer.problem, answer.title) == ("", "", "Stand-in")
    assert load_findings(tmp_path / "findings.npz").of(Segmentation)[0].labels.any()


def test_a_refusal_is_an_answer(start: Start, stack: Stack, tmp_path: Path) -> None:
    models = start('declines = "too dark"')
    assert models.run("one", stack, tmp_path / "findings.npz").refused == "too dark"
    assert models.refusals(stack) == {"one": "too dark"}


def test_a_jpeg_stream_whose_decoder_warns_is_refused_and_a_whole_one_is_not(start: Start, tmp_path: Path) -> None:
    models = start("")
    for syntax in (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLosslessSV1):
        dataset = in_syntax(syntax, tmp_path)
        whole = models.run("one", stack_of(dataset, tmp_path), tmp_path / "findings.npz").refused
        stream = get_frame(dataset.PixelData, 0, number_of_frames=1)
        dataset.PixelData = encapsulate([stream[: len(stream) * 3 // 4] + b"\xff\xd9"])  # ends as if it were whole
        cut = models.run("one", stack_of(dataset, tmp_path), tmp_path / "findings.npz").refused
        why = "its pixel data cannot be trusted: Corrupt JPEG data: premature end of data segment"
        assert (whole, cut) == ("", f"{dataset.SOPInstanceUID}: {why}")


def test_one_without_weights_declines_before_anything_is_run(tmp_path: Path, stack: Stack) -> None:
    section = "[pipelines.one]\nuse = 'pipelines.lung_cxr:LungCXR'\nmin_pixels = 16"
    models = ModelProcess(configured(tmp_path, section))
    try:
        assert models.refusals(stack)["one"].startswith("not run: no weights for one")
    finally:
        models.close()


def test_a_process_that_is_killed_once_costs_no_run(start: Start, stack: Stack, tmp_path: Path) -> None:
    switch = tmp_path / "die"
    switch.touch()
    assert not start(f'dies_once = "{switch}"').run("one", stack, tmp_path / "findings.npz").problem
    assert not switch.exists()


def test_one_that_dies_twice_fails_the_run_and_the_next_one_runs(start: Start, stack: Stack, tmp_path: Path) -> None:
    switch = tmp_path / "die"
    switch.touch()
    models = start(f'dies_while = "{switch}"')
    with pytest.raises(ModelError, match="one: the model process was ended by SIGKILL"):
        models.run("one", stack, tmp_path / "findings.npz")
    switch.unlink()
    assert not models.run("one", stack, tmp_path / "findings.npz").problem


def test_one_that_takes_too_long_is_ended(start: Start, stack: Stack, tmp_path: Path) -> None:
    models = start("seconds = 60\ntimeout_s = 0.5")
    with pytest.raises(ModelError, match=r"no answer within 0\.5 s"):
        models.run("one", stack, tmp_path / "findings.npz")


def with_organ(folder: Path, setting: str) -> Config:
    return configured(folder, f'[pipelines.one]\nuse = "tests.support.organ_site:SmallOrgan"\n{setting}\n')


def test_what_a_sites_own_pipeline_says_no_organ_can_be_is_not_delivered(tmp_path: Path, stack: Stack) -> None:
    models = ModelProcess(with_organ(tmp_path, ""))
    try:
        refused = models.run("one", stack, tmp_path / "findings.npz").refused
    finally:
        models.close()
    assert refused == "not delivered, because the middle found takes 6% of the picture; at most 1% is possible"
    assert not (tmp_path / "findings.npz").exists()


@pytest.mark.parametrize(("outcome", "remarks"), [("remark", 1), ("ignore", 0)])
def test_a_site_may_have_it_delivered_and_the_result_has_uids_of_its_own(
    tmp_path: Path, stack: Stack, outcome: str, remarks: int
) -> None:
    models = ModelProcess(with_organ(tmp_path, f'on_implausible = "{outcome}"'))
    try:
        models.run("one", stack, tmp_path / "findings.npz")
    finally:
        models.close()
    findings = load_findings(tmp_path / "findings.npz")
    assert len(findings.of(Remark)) == remarks
    assert findings.settings["on_implausible"]["shape"] == outcome


SECTIONS: Final = {  # a section -> what is wrong with it
    "absent": ("use = 'nowhere:Nothing'", "cannot import 'nowhere'"),
    "misspelt": (
        "use = 'tests.support.stand_in:StandIn'\nsecnds = 3",
        "secnds: unknown keyword; did you mean 'seconds'?",
    ),
    "two": ("use = 'tests.support.stand_in'", "has 3 pipelines"),
    "bare": ("use = 'pipelines.lung_cxr:LungCXR'", "no weights for bare"),
    "lost": ("use = 'pipelines.lung_cxr:LungCXR'\nweights = 'gone'", "'gone' is not among"),
    "right": ("use = 'tests.support.stand_in:StandIn'", ""),
}


def test_check_says_what_is_wrong_with_each_section(tmp_path: Path) -> None:
    text = "\n".join(f"[pipelines.{name}]\n{section}" for name, (section, _) in SECTIONS.items())
    models = ModelProcess(configured(tmp_path, text))
    try:
        found = {name: models.check(name) for name in SECTIONS}
    finally:
        models.close()
    for name, (_, problem) in SECTIONS.items():
        assert problem in found[name]
        assert bool(problem) == bool(found[name])


def test_a_run_that_needs_more_memory_than_allowed_fails_and_the_next_is_served(
    start: Start, stack: Stack, tmp_path: Path
) -> None:
    models = start(
        "megabytes = 4000\n[pipelines.two]\nuse = 'tests.support.stand_in:StandIn'\n[workers]\nmax_memory_gb = 2"
    )
    with pytest.raises(ModelError, match=r"more memory was needed than .workers. max_memory_gb allows"):
        models.run("one", stack, tmp_path / "findings.npz")
    assert models.run("two", stack, tmp_path / "findings.npz").problem == ""


def test_pixels_that_take_too_long_to_decode_fail_the_run_and_the_next_is_served(
    start: Start, stack: Stack, tmp_path: Path
) -> None:
    (tmp_path / "slow.dcm").write_bytes(encoded(tiled_jpeg_2000(32_768)))  # would take a minute
    (large,) = split("1.2.4", "1.2.4.1", [(str(tmp_path / "slow.dcm"), "SCANNER")]).stacks
    models = start("[workers]\ndecode_timeout_s = 2\nmax_frame_megapixels = 2000\nmax_stack_megapixels = 2000")
    with pytest.raises(ModelError, match=r"the pixels were not read within .workers. decode_timeout_s"):
        models.run("one", large, tmp_path / "findings.npz")
    assert models.run("one", stack, tmp_path / "findings.npz").problem == ""


def test_an_image_larger_than_the_limit_is_refused_before_it_is_decoded(
    start: Start, stack: Stack, tmp_path: Path
) -> None:
    answer = start("[workers]\nmax_frame_megapixels = 0.001").run("one", stack, tmp_path / "findings.npz")
    assert f"{stack.frames[0].sop_instance_uid}: Rows x Columns are 32 x 32 pixels, more than" in answer.refused
