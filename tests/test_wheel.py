"""The wheel, in an environment that knows nothing of the source tree: only its dependencies are shared with ours."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from zipfile import ZipFile

import pytest

from dicom_node.demo.studies import radiograph_study

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("dicom_node", "pipelines", "weights", "config.toml", "pyproject.toml", "setup.py", "README.md", "LICENSE")

pytestmark = pytest.mark.xdist_group("wheel")  # built once


@dataclass(frozen=True)
class Installed:
    """An environment that the wheel was installed into, and an empty folder."""

    environment: Path
    folder: Path

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.environment / "bin" / words[0]), *words[1:]]
        surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(
            command, check=False, cwd=self.folder, env=surroundings, capture_output=True, text=True, timeout=300
        )

    def say(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build from a copy of the sources, so that nothing is left in the tree."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, source / name)
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source)]
    subprocess.run([sys.executable, "-m", "pip", *build], check=True, timeout=300)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("installed")
    environment = folder / "environment"
    venv.create(environment, with_pip=False, symlinks=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    options = ["--quiet", "--no-deps", "--force-reinstall"]
    install = ["--python", str(environment / "bin" / "python"), "install", *options, str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", *install], check=True, timeout=300)
    (folder / "empty").mkdir()
    return Installed(environment, folder / "empty")


def test_it_holds_code_configuration_and_weights_and_no_tests(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"dicom_node", "pipelines"}
    assert {
        *("shipped/config.toml", "shipped/weights/catalog.toml", "catalog/migrations/script.py.mako", "py.typed"),
        *("results/page/fonts/NotoSansKR-Regular-subset.ttf", "results/page/fonts/OFL.txt"),
    } <= {name.removeprefix("dicom_node/") for name in names}
    assert "pipelines/training/real_marks.csv" in names
    shipped = {path.name for path in (ROOT / "weights").glob("*.safetensors")}
    assert {Path(name).name for name in names if name.endswith(".safetensors")} == shipped


def test_it_starts_a_node_of_its_own_in_an_empty_folder(installed: Installed) -> None:
    assert installed.say("dicom-node", "--version") == f"dicom-node {version('dicom-node')}\n"
    assert "dicom-node check" in installed.say("dicom-node", "init", "node")
    node = installed.folder / "node"
    assert (node / "config.toml").read_bytes() == (ROOT / "config.toml").read_bytes()
    assert (node / "data" / "weights").is_dir()
    again = installed.run("dicom-node", "init", "node")
    assert again.returncode == 1
    assert "is there already; nothing was changed" in again.stderr
    checked = installed.run("dicom-node", "check", "--config", "node/config.toml").stdout
    assert "ok pipeline lung_cxr: weights are the catalogue's, and load" in " ".join(checked.split())


def test_its_models_run_without_a_configuration(installed: Installed) -> None:
    (image,) = radiograph_study("wheel", dt.datetime.now(dt.UTC).date())
    image.save_as(installed.folder / "chest.dcm", enforce_file_format=True)
    written = installed.say("dicom-node", "run", "lung_cxr", "chest.dcm").splitlines()
    assert {Path(name).suffix for name in written} == {".dcm", ".png"}
    program = "from dicom_node import load; print(load('lung_cxr').predict('chest.dcm').findings.pipeline)"
    assert installed.say("python", "-c", program) == "lung_cxr\n"


def test_importing_it_imports_no_framework(installed: Installed) -> None:
    program = "import dicom_node, sys; print({'numpy', 'pydicom', 'torch'} & {*sys.modules}, dicom_node.__file__)"
    said = installed.say("python", "-c", program)
    assert said.startswith(f"set() {installed.environment}")
