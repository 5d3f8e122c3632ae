"""A site's models in TensorFlow by the commands that a person types."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from dicom_node.config import load_config
from dicom_node.demo.studies import radiograph_study
from dicom_node.explain import stacks_at
from dicom_node.findings import Segmentation
from dicom_node.images import Volume
from dicom_node.imaging import read_image
from dicom_node.library import Loaded
from tests.support.dicom import encoded, series

pytestmark = pytest.mark.xdist_group("tensorflow")

CONFIG = """
[pipelines.lung_cxr]
weights = "site_lungs"
on_implausible = "ignore" # this network marks what is dark, not lungs
[pipelines.bright]
use = "bright_site:Bright"
weights = "site_bright"
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with a configuration and the site's own pipeline."""
    (tmp_path / "config.toml").write_text(CONFIG)
    shutil.copy(Path(__file__).parent / "support" / "bright_site.py", tmp_path)
    return tmp_path


def run(site: Path, *words: str | Path) -> str:
    command = [Path(sys.executable).with_name("dicom-node"), *words, "--config", site / "config.toml"]
    environment = {**os.environ, "COLUMNS": "250"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_keras_file_is_imported_listed_probed_and_run(site: Path, models: Path) -> None:
    said = run(site, "weights", "import", models / "lungs.keras", "--as", "site_lungs", "--recipe", "LungSeg")
    assert "recipe LungSeg" in said
    assert "tensorflow" in run(site, "weights", "list")
    batch = np.linspace(-1, 1, 1 << 20, dtype=np.float32).reshape(1, 1024, 1024, 1)
    np.save(site / "in.npy", batch)
    run(site, "weights", "probe", "site_lungs", "--input", site / "in.npy", "--output", site / "out.npz")
    with np.load(site / "out.npz") as found:
        assert np.allclose(found["out"], 1 / (1 + np.exp(12 * (batch + 0.1))), atol=1e-5)
    (image,) = radiograph_study("library", dt.datetime.now(dt.UTC).date())
    image.save_as(site / "chest.dcm", enforce_file_format=True)
    written = run(site, "run", "lung_cxr", site / "chest.dcm", "--out", site / "out").split()
    assert {dcmread(path).Modality for path in written if path.endswith(".dcm")} == {"SEG", "SR"}


def test_a_sites_pipeline_runs_its_own_saved_model(site: Path, models: Path) -> None:
    run(site, "weights", "import", models / "bright", "--as", "site_bright", "--recipe", "bright")
    (site / "ct").mkdir()
    for number, one in enumerate(series(4)):
        (site / "ct" / f"{number}.dcm").write_bytes(encoded(one))
    (stack,) = stacks_at(site / "ct")
    (found,) = Loaded(load_config(site / "config.toml"), "bright").predict(stack).findings.of(Segmentation)
    image = read_image(stack, Volume)
    assert isinstance(image, Volume)
    assert np.array_equal(found.labels > 0, image.array > 150)
