"""The published models' whole path by the command line, from the original's files to its masks, labels and boxes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicom_node.imaging import read_plain
from dicom_node.pipeline import Found, Radiograph
from pipelines.published import lungs, polyp
from pipelines.published.kidney_modes import MODES
from pipelines.published.stages import Batch, Output
from tests.parity.cascade import cascade_figures, write_volume
from tests.parity.oracle import (
    FLOAT,
    FOLDER,
    PIXEL,
    PROBABILITY,
    RELATIVE,
    SEED,
    Figure,
    command,
    figure,
    share,
    stored,
)

FILES = FOLDER / SEED / "files"

Arrays = dict[str, NDArray[Any]]
RUNS: Mapping[str, tuple[str, str, str]] = {  # model -> pipeline, role, file
    "EnhanceCls": ("contrast_ct", "", "ct.dcm"),
    "ViewCls": ("view_cxr", "", "cr.dcm"),
    "LRDet": ("lr_mark_cxr", "", "lr.png"),
    "LungSeg": ("lung_cxr", "", "lung.png"),
    "LiverSeg": ("liver_ct", "", "liver.nii"),
    "BBBSeg": ("black_blood_mr", "", "bbb.nii"),
    "MRIBET_T1": ("brain_mr", "t1=", "t1.nii"),
    "MRIBET_MRA": ("brain_mr", "mra=", "mra.nii"),
    "PolypDet": ("polyp_es", "", "polyp.png"),
}


class Kept:
    """A `tell` that keeps the plain result."""

    def __init__(self) -> None:
        self.result: Any = None

    def __call__(self, result: Any, _image: Any) -> Found:
        self.result = result
        return ()


def run(stage: Any, image: Any) -> tuple[Batch, Output]:
    batch = stage.prepare(image, None)
    output = stage.infer(batch)
    stage.finish(output, image)
    return batch, output


def raw(config: Path, pipeline: str, file: Path, *entries: str) -> Arrays:
    """Run `dicom-node run PIPELINE FILE --raw` with weights entries."""
    out, chosen = config.parent / "out", [word for one in entries for word in ("--weights", one)]
    command("run", pipeline, file, "--out", out, "--raw", "--config", config, *chosen)
    with np.load(out / "raw.npz") as shown:
        return {name: shown[name] for name in shown.files}


def pipe_figures(model: str, config: Path) -> Iterator[Figure]:
    """Compare `pre`, `out` and `mask` of the original's own file."""
    pipeline, role, file = RUNS[model]
    yield from COMPARED[model](model, raw(config, pipeline, FILES / file, role + model), stored(model))


def kidney_figures(config: Path) -> Iterator[Figure]:
    """Compare the whole cascade with its real networks; `config` knows all six by their recipes' names."""
    file = write_volume(config.parent)
    roles = [f"stage{mode}=KidneyTumorSeg_{mode}" for mode in MODES]
    yield from cascade_figures("Kidney", raw(config, "kidney_tumor_ct", file, *roles))


def classified(model: str, ours: Arrays, theirs: Arrays) -> Iterator[Figure]:
    pre = ours["pre"][:, ::2, ::2]
    if pre.dtype == np.uint8:
        yield share(model, "pipe/pre, share", pre, theirs["pipe/pre"])
    yield figure(model, "pipe/pre", pre, theirs["pipe/pre"], 1 if pre.dtype == np.uint8 else FLOAT)
    yield figure(model, "pipe/probs", ours["out"], theirs["pipe/probs"], PROBABILITY)


def marked(model: str, ours: Arrays, theirs: Arrays) -> Iterator[Figure]:
    yield figure(model, "pipe/pre", ours["pre"][::4, ::4], theirs["pipe/pre"], FLOAT)
    for side in ("left", "right"):
        yield figure(model, f"pipe/{side}, boxes", ours[side][:, :4], theirs[f"pipe/{side}"][:, :4], PIXEL)
        yield figure(model, f"pipe/{side}, scores", ours[side][:, 4], theirs[f"pipe/{side}"][:, 4], PROBABILITY)


def lung_ends(model: str) -> Iterator[Figure]:
    """Preparation and finish, which need no network."""
    theirs, image = stored(model), read_plain(FILES / "lung.png", Radiograph)
    assert isinstance(image, Radiograph)
    pre = lungs.prepared(image.picture)[None]
    yield figure(model, "pipe/pre", pre[:, ::8, ::8], theirs["pipe/pre"], FLOAT)
    cleaned = lungs.cleaned(theirs["pipe/raw_mask"])
    yield share(model, "pipe/mask from pipe/raw_mask", cleaned, theirs["pipe/mask"][..., 0])


def lung(model: str, ours: Arrays, theirs: Arrays) -> Iterator[Figure]:
    yield figure(model, "pipe/pre", ours["pre"][:, ::8, ::8], theirs["pipe/pre"], FLOAT)
    yield figure(model, "pipe/prob", ours["out"][:, ::4, ::4], theirs["pipe/prob"], PROBABILITY)
    yield share(model, "pipe/raw_mask", ours["out"][0, ..., 0] > 0.5, theirs["pipe/raw_mask"])
    yield share(model, "pipe/mask", ours["mask"], theirs["pipe/mask"])


def polyps(model: str, ours: Arrays, theirs: Arrays) -> Iterator[Figure]:
    most = float(np.abs(theirs["pipe/logits_eval"]).max())
    yield figure(model, "pipe/pre", ours["pre"][..., ::4, ::4], theirs["pipe/pre"], FLOAT)
    yield figure(model, "pipe/logits_eval", ours["out"][..., ::2, ::2], theirs["pipe/logits_eval"], RELATIVE * most)
    yield share(model, "pipe/gt0.7_logit_eval", ours["out"][0, 0] > polyp.LOGIT, theirs["pipe/gt0.7_logit_eval"])
    yield share(model, "pipe/gt0.7_logit_eval as mask", ours["mask"][0], theirs["pipe/gt0.7_logit_eval"])


def zoomed(model: str, ours: Arrays, theirs: Arrays) -> Iterator[Figure]:
    yield figure(model, "pipe/pre", ours["pre"][:, :, ::2, ::2], theirs["pipe/pre"], FLOAT)
    yield figure(model, "pipe/prob1", ours["out"][0, :, ::2, ::2, 1], theirs["pipe/prob1"], PROBABILITY)
    yield share(model, "pipe/net_mask", ours["net_mask"], theirs["pipe/net_mask"])
    yield share(model, "pipe/mask", ours["mask"], theirs["pipe/mask"])


def brains(model: str, ours: Arrays, theirs: Arrays) -> Iterator[Figure]:
    most = float(np.abs(theirs["pipe/logits"]).max())
    yield figure(model, "pipe/pre", ours["pre"], theirs["pipe/pre"], FLOAT)
    yield figure(model, "pipe/logits", ours["out"][::2, ::2], theirs["pipe/logits"], RELATIVE * most)
    yield share(model, "pipe/mask", ours["mask"], theirs["pipe/mask"])


COMPARED: Mapping[str, Callable[[str, Arrays, Arrays], Iterator[Figure]]] = {
    "EnhanceCls": classified,
    "ViewCls": classified,
    "LRDet": marked,
    "LungSeg": lung,
    "LiverSeg": zoomed,
    "BBBSeg": zoomed,
    "MRIBET_T1": brains,
    "MRIBET_MRA": brains,
    "PolypDet": polyps,
}


def mask_on(shape: tuple[int, ...], low: tuple[int, ...], high: tuple[int, ...]) -> NDArray[np.bool_]:
    """A box of True."""
    mask = np.zeros(shape, bool)
    mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return mask
