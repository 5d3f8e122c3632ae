"""Seconds and peak memory of one case of each published model, on the CPU, by the library as a site would call it.

`python -m benchmarks.models [MODEL ..]` prints a Markdown table. Each model runs in a process of its own, so that its
peak memory is its own. Cases are made up in usual sizes; weights are random numbers in the published layout, since
the time does not hang on them, but for the kidney cascade, whose later networks look only at what the first has found.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import SimpleITK
import torch

from dicom_node.config import load_config
from dicom_node.library import load_from
from pipelines.published.importing import import_published
from pipelines.published.kidney_modes import MODES
from pipelines.published.tables import tables
from tests.parity.cascade import write_volume
from tests.parity.oracle import FOLDER, imported
from tests.parity.writer import write

KIDNEY_ROLES = {f"stage{mode}": f"KidneyTumorSeg_{mode}" for mode in MODES}


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """One model, the case that it is given, and what the original took for the same network input."""

    pipeline: str
    weights: str | Mapping[str, str]
    size: tuple[int, ...]  # (slices, rows, columns) of a volume, (rows, columns[, 3]) of a picture
    original: str = ""  # seconds of the forward pass alone, two busy cores, TensorFlow 2.10.1 or PyTorch 2.13.0
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)


CASES: Mapping[str, Case] = {
    "EnhanceCls": Case("contrast_ct", "EnhanceCls", (60, 512, 512), "0.6 a slice (9 are judged)", (5.0, 0.8, 0.8)),
    "ViewCls": Case("view_cxr", "ViewCls", (2500, 2048), "1.1"),
    "LRDet": Case("lr_mark_cxr", "LRDet", (2500, 2048), "3.5"),
    "LungSeg": Case("lung_cxr", "LungSeg", (2500, 2048), "45"),
    "LiverSeg": Case("liver_ct", "LiverSeg", (60, 512, 512), "", (5.0, 0.8, 0.8)),
    "BBBSeg": Case("black_blood_mr", "BBBSeg", (160, 256, 256)),
    "MRIBET_T1": Case("brain_mr", {"t1": "MRIBET_T1"}, (32, 256, 256)),
    "MRIBET_MRA": Case("brain_mr", {"mra": "MRIBET_MRA"}, (32, 256, 256)),
    "PolypDet": Case("polyp_es", "PolypDet", (1080, 1350, 3), "15"),
    "Kidney": Case("kidney_tumor_ct", KIDNEY_ROLES, (80, 250, 400), "856 with preparation and finish"),
}


@contextmanager
def prepared(model: str, case: Case) -> Iterator[tuple[Path, Path]]:
    """Write the case and import its weights; yields the configuration's path and the case's."""
    if model == "Kidney":
        with imported(*KIDNEY_ROLES.values()) as config:
            yield config, write_volume(config.parent)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.toml").touch()
        source = write(tables()[model], folder / "source")
        import_published(source, model, folder / "weights", model)
        yield folder / "config.toml", _written(case, folder)


def _written(case: Case, folder: Path) -> Path:
    noise = np.random.default_rng(0).integers(0, 255, case.size, np.uint8)
    if len(case.size) == 2 or case.size[-1] == 3:
        cv2.imwrite(str(folder / "case.png"), noise)
        return folder / "case.png"
    image = SimpleITK.GetImageFromArray(noise.astype(np.int16))
    image.SetSpacing(case.spacing_mm[::-1])
    SimpleITK.WriteImage(image, str(folder / "case.nii"))
    return folder / "case.nii"


def measure(model: str) -> None:
    """Print one model's figures as JSON."""
    case = CASES[model]
    with prepared(model, case) as (config, path):
        begun = time.perf_counter()
        loaded = load_from(load_config(config), case.pipeline, case.weights)
        ready, started = time.perf_counter(), time.process_time()
        loaded.predict(path)
        done, ended = time.perf_counter(), time.process_time()
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    found = {"load": ready - begun, "seconds": done - ready, "cpu": ended - started, "peak_gb": peak_gb}
    sys.stdout.write(json.dumps(found))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=list(CASES), help=f"of {', '.join(CASES)}; none: all")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        measure(asked.measure)
        return
    sys.stdout.write(f"{os.cpu_count()} cores, torch {torch.__version__}\n\n")
    sys.stdout.write(
        "| model | case | load s | seconds | CPU s | peak GB | the original's seconds |\n" + "|---" * 7 + "|\n"
    )
    for model in asked.models:
        if model != "Kidney" or FOLDER.is_dir():
            _row(model)


def _row(model: str) -> None:
    command = [sys.executable, "-m", "benchmarks.models", "--measure", model]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  # our own command line
    found, case = json.loads(ran.stdout.splitlines()[-1]), CASES[model]
    figures = f"{found['load']:.1f} | {found['seconds']:.1f} | {found['cpu']:.1f} | {found['peak_gb']:.1f}"
    sys.stdout.write(f"| {model} | {' x '.join(map(str, case.size))} | {figures} | {case.original or 'not known'} |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
