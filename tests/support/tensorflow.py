"""What tests of the TensorFlow process share: the process, and model files that a program of its own writes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_node.config import Config
from dicom_node.infer.tensorflow_process import NOT_INSTALLED, TensorFlowProcess, is_installed
from dicom_node.weights_store import Weights, sha256_of
from tests.support.programs import give_up

ROOT = Path(__file__).parents[2]


def require_tensorflow() -> None:
    """Give the test up where TensorFlow is not installed."""
    if not is_installed():
        give_up(NOT_INSTALLED)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the files that tests/support/keras_models.py writes."""
    require_tensorflow()
    folder = tmp_path_factory.mktemp("models")
    subprocess.run([sys.executable, "-m", "tests.support.keras_models", folder], check=True, cwd=ROOT, timeout=200)
    return folder


@pytest.fixture(scope="session")
def tensorflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TensorFlowProcess]:
    """One process for all tests that leave it alive."""
    require_tensorflow()
    process = TensorFlowProcess(Config(folder=tmp_path_factory.mktemp("tensorflow")))
    yield process
    process.close()


def entry(path: Path, recipe: str = "any") -> Weights:
    """A catalogue entry that states what is there."""
    return Weights("mine", path, sha256_of(path), recipe, {})


def descendant(module: str, above: int) -> int:
    """Return the process that runs a module somewhere below another process, 0 while there is none."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if module.encode() in (folder / "cmdline").read_bytes().split(b"\0") and above in _above(folder.name):
                return int(folder.name)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
    return 0


def cpu_ticks(process: int) -> int:
    """The hundredths of a second that a process has computed."""
    fields = (Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _above(process: str) -> list[int]:
    """The processes above one, its parent first."""
    found: list[int] = []
    while int(process) > 1:
        process = (Path("/proc") / process / "stat").read_text().rpartition(")")[2].split()[1]
        found.append(int(process))
    return found
