"""What the original program computed, where the development data have it, and how near we come."""

from __future__ import annotations

import dataclasses
import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typer.testing import CliRunner

from dicom_node.cli import app

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "mi2rlnet"
SEED = "dev"
WHY_NOT = "needs the figures of the original program in ../shared/mi2rlnet, which is not part of the repository"

PROBABILITY, RELATIVE, PIXEL, SHARE, FLOAT = 1e-4, 1e-3, 0.01, 1e-4, 1e-5
_BOXES = ("clipped_boxes", "det_boxes")
_PROBABILITIES = ("out", "predictions", "classification", "det_scores", "det_labels")


@dataclasses.dataclass(frozen=True, slots=True)
class Figure:
    """One comparison with the original."""

    model: str
    output: str
    error: float
    tolerance: float

    @property
    def ok(self) -> bool:
        return self.error <= self.tolerance

    def __str__(self) -> str:
        return f"{self.model} {self.output}: error {self.error:.2g}, tolerance {self.tolerance:.2g}"


def figure(model: str, output: str, ours: Any, theirs: Any, tolerance: float) -> Figure:
    """Largest difference; infinite where the shapes differ."""
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    error = float(np.abs(ours - theirs).max(initial=0)) if ours.shape == theirs.shape else float("inf")
    return Figure(model, output, error, tolerance)


def share(model: str, output: str, ours: Any, theirs: Any) -> Figure:
    """Share of elements that differ, masks and labels."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    error = float((ours != theirs).mean()) if ours.shape == theirs.shape else float("inf")
    return Figure(model, output, error, SHARE)


def stored(model: str) -> dict[str, NDArray[Any]]:
    with np.load(FOLDER / SEED / f"{model}.npz") as file:
        return {name: file[name] for name in file.files}


def inputs() -> Any:
    """The module that makes the original's inputs."""
    spec = importlib.util.spec_from_file_location("mi2rlnet_inputs", FOLDER / "inputs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def imported(*models: str) -> Iterator[Path]:
    """Write the original's checkpoints in another process, import each by its own name, and give a configuration."""
    with tempfile.TemporaryDirectory() as folder:
        source, config = Path(folder) / "source", Path(folder) / "config.toml"
        config.touch()
        for model in models:
            making = [sys.executable, str(FOLDER / "make_weights.py"), model, SEED, str(source)]
            subprocess.run(making, check=True, capture_output=True)
            command("weights", "import", source, "--recipe", model, "--as", model, "--config", config)
            source.unlink()
        yield config


def command(*arguments: str | Path) -> None:
    """Run the command line."""
    done = CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output


def probed(config: Path, model: str, array: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Run the bare network by `weights probe`."""
    given, made = config.with_name("input.npy"), config.with_name("output.npz")
    np.save(given, array)
    command("weights", "probe", model, "--input", given, "--output", made, "--config", config)
    with np.load(made) as file:
        return {name: file[name] for name in file.files}


def strided(model: str, case: str, name: str, values: NDArray[Any]) -> NDArray[Any]:
    """Thin a full-size output out as the stored one is."""
    if name in ("conv1_relu", "stem_activation"):
        return values[:, ::16, ::16, ::2]
    if name in ("regression", "classification", "clipped_boxes"):
        return values[:, ::5]
    if name == "features":
        return values[:, ::32, ::32, ::4] if values.ndim == 4 else values[:, ::3, ::3, ::3, ::2]
    if model == "LungSeg":
        return values[:, ::4, ::4]
    return values[..., ::2, ::2] if (model, case) == ("PolypDet", "image") else values


def tolerance(name: str, theirs: NDArray[Any]) -> float:
    if name in _BOXES:
        return PIXEL
    return PROBABILITY if name in _PROBABILITIES else RELATIVE * float(np.abs(theirs).max())


def network_figures(model: str, config: Path, *, full: bool = False) -> Iterator[Figure]:
    """Compare the bare network; where not `full`, the two that take minutes are left to the benchmark."""
    theirs = stored(model)
    for case, array in inputs().raw_cases(model, SEED):
        if model == "LungSeg" and not full:
            yield from _corner(config, case, array, theirs)
        elif full or (model, case) != ("PolypDet", "image"):
            for name, ours in probed(config, model, array).items():
                key = f"raw/{case}/{name}"
                thin = strided(model, case, name, ours)
                yield figure(model, key, thin, theirs[key], tolerance(name, theirs[key]))


def _corner(config: Path, case: str, array: NDArray[Any], theirs: dict[str, NDArray[Any]]) -> Iterator[Figure]:
    """Compare the part of a corner that the cut at 384 pixels cannot reach: the network sees at most 160 around."""
    ours = probed(config, "LungSeg", array[:, :384, :384])
    for name, step, size in (("features", 32, 7), ("out", 4, 56)):
        key = f"raw/{case}/{name}"
        near = theirs[key][:, :size, :size]
        thin = strided("LungSeg", case, name, ours[name])[:, :size, :size]
        yield figure("LungSeg", f"{key} (corner of {size * step})", thin, near, tolerance(name, theirs[key]))
