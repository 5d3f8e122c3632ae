"""Mistakes in a site's own pipeline and section: one sentence with its name, file and line, wherever they show."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_node.config import load_config
from dicom_node.errors import ConfigError, ModelError
from dicom_node.explain import stacks_at
from dicom_node.images import Stack
from dicom_node.infer.process import ModelProcess
from tests.support.dicom import encoded, radiograph

STEPS = ("refuse", "load", "prepare", "infer", "finish", "refuse returns", "load returns", "finish returns")
USE = "use = 'tests.support.faulty_site:Faulty'\n"
TEXT = "".join(f"[pipelines.'{step}']\n{USE}in = '{step}'\n" for step in STEPS) + (
    f"[pipelines.cuda]\n{USE}device = 'cuda:99'\n[pipelines.cuad]\n{USE}device = 'cuad'\n"
    "[pipelines.gate]\nuse = 'tests.support.stand_in:StandInGate'\n[gates.contrast]\npipeline = 'gate'\n"
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    path = tmp_path_factory.mktemp("image") / "image.dcm"
    path.write_bytes(encoded(radiograph("1.2.1", "1.2.1.1")))
    (found,) = stacks_at(path)
    return found


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelProcess]:
    path = tmp_path_factory.mktemp("config") / "config.toml"
    path.write_text(TEXT)
    process = ModelProcess(load_config(path))
    yield process
    process.close()


@pytest.mark.parametrize("step", ["refuse", "prepare", "infer", "finish", "load"])
def test_an_exception_of_a_sites_code_is_a_sentence_with_name_file_and_line(
    models: ModelProcess, stack: Stack, tmp_path: Path, step: str
) -> None:
    with pytest.raises(ModelError) as error:
        models.run(step, stack, tmp_path / "found.npz")
    assert f": {step} raised ZeroDivisionError: integer division or modulo by zero (" in str(error.value)
    assert "faulty_site.py:" in str(error.value)


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("refuse returns", "refuse returned 7, not a sentence or None"),
        ("load returns", "load returned int, not a Model"),
        ("finish returns", "finish returned int, not a tuple of findings"),
    ],
)
def test_what_a_sites_code_returns_must_be_what_it_promises(
    models: ModelProcess, stack: Stack, tmp_path: Path, step: str, said: str
) -> None:
    with pytest.raises(ModelError, match=said):
        models.run(step, stack, tmp_path / "found.npz")


def test_check_says_it_for_each_pipeline_and_goes_on(models: ModelProcess) -> None:
    assert "load raised ZeroDivisionError" in models.check("load")
    assert models.check("finish") == ""


def test_a_device_that_is_not_there_is_a_sentence_with_what_to_write(models: ModelProcess) -> None:
    assert '[pipelines.cuda] device = "cuda:99", but torch sees' in models.check("cuda")
    assert '[pipelines.cuad] device = "cuad" is no device of torch' in models.check("cuad")


def test_a_gate_declares_its_answers(models: ModelProcess) -> None:
    assert models.answers() == {"contrast": ("enhanced", "non-enhanced")}


def test_a_gate_whose_pipeline_answers_another_question_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(TEXT.replace("[gates.contrast]", "[gates.contrats]"))
    models = ModelProcess(load_config(path))
    try:
        with pytest.raises(
            ConfigError, match="does not answer 'contrats': it answers contrast; did you mean 'contrast'"
        ):
            models.answers()
    finally:
        models.close()
