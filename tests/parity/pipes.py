"""The published models' whole path, from the original's files to its masks, labels and boxes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import cv2
import numpy as np
import pydicom
import SimpleITK as sitk  # noqa: N813  # its usual name
from numpy.typing import NDArray

from dicom_node.imaging import read_plain
from dicom_node.pipeline import Found, Photograph
from dicom_node.weights_store import Weights
from pipelines.published import brain, contrast, lungs, marks, polyp, view, volumes
from pipelines.published.runner import Runner
from pipelines.published.stages import ArrayStage, Batch, Output, StoredPicture, StoredVolume
from tests.parity.oracle import FLOAT, FOLDER, PIXEL, PROBABILITY, RELATIVE, SEED, Figure, figure, share, stored

FILES = FOLDER / SEED / "files"
# The stored values are not exact over 1.3 million voxels: a double-precision evaluation of the network differs from
# them by 1.2e-3 too, and from ours by 1.2e-6.
LIVER_PROBABILITY = 2e-3


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


def read_volume(name: str) -> StoredVolume:
    image: Any = sitk.ReadImage(str(FILES / name))
    z, y, x = reversed(image.GetSpacing())
    return StoredVolume(sitk.GetArrayFromImage(image).astype(np.float32), (z, y, x))


def read_picture(name: str, how: int) -> StoredPicture:
    picture = cv2.imread(str(FILES / name), how)
    assert picture is not None
    return StoredPicture(np.asarray(picture, np.uint8))


def enhance(model: str, entry: Weights) -> Iterator[Figure]:
    dataset = pydicom.dcmread(FILES / "ct.dcm")
    intercept = float(dataset.RescaleIntercept)
    hu = dataset.pixel_array.astype(np.float32) * float(dataset.RescaleSlope) + intercept
    pre, theirs = contrast.prepared(hu, intercept)[None], stored(model)
    yield figure(model, "pipe/pre", pre[:, ::2, ::2], theirs["pipe/pre"], FLOAT)
    yield figure(model, "pipe/probs", Runner(entry)(pre), theirs["pipe/probs"], PROBABILITY)


def viewed(model: str, entry: Weights) -> Iterator[Figure]:
    pre, theirs = view.prepared(pydicom.dcmread(FILES / "cr.dcm").pixel_array)[None], stored(model)
    yield figure(model, "pipe/pre, grey levels", pre[:, ::2, ::2], theirs["pipe/pre"], 1)
    yield share(model, "pipe/pre, share", pre[:, ::2, ::2], theirs["pipe/pre"])
    yield figure(model, "pipe/probs", Runner(entry)(pre.astype(np.float32)), theirs["pipe/probs"], PROBABILITY)


def marked(model: str, entry: Weights) -> Iterator[Figure]:
    theirs, kept = stored(model), Kept()
    picture = read_picture("lr.png", cv2.IMREAD_COLOR)
    batch, _ = run(marks.MarkStage(Runner(entry).outputs, kept), picture)
    yield figure(model, "pipe/pre", batch.inputs[0][0, ::4, ::4], theirs["pipe/pre"], FLOAT)
    for side in marks.SIDES:
        yield figure(model, f"pipe/{side}, boxes", kept.result[side][:, :4], theirs[f"pipe/{side}"][:, :4], PIXEL)
        yield figure(model, f"pipe/{side}, scores", kept.result[side][:, 4], theirs[f"pipe/{side}"][:, 4], PROBABILITY)


def lung_ends(model: str) -> Iterator[Figure]:
    """Preparation and finish, which need no network."""
    theirs = stored(model)
    pre = lungs.prepared(read_picture("lung.png", cv2.IMREAD_GRAYSCALE).picture)[None]
    yield figure(model, "pipe/pre", pre[:, ::8, ::8], theirs["pipe/pre"], FLOAT)
    yield share(
        model, "pipe/mask from pipe/raw_mask", lungs.cleaned(theirs["pipe/raw_mask"]), theirs["pipe/mask"][..., 0]
    )


def lung(model: str, entry: Weights) -> Iterator[Figure]:
    theirs = stored(model)
    yield from lung_ends(model)
    picture = read_picture("lung.png", cv2.IMREAD_GRAYSCALE)
    _, output = run(lungs.LungStage(Runner(entry), Kept()), picture)
    out = output.outputs[0]
    yield figure(model, "pipe/prob", out[:, ::4, ::4], theirs["pipe/prob"], PROBABILITY)
    yield share(model, "pipe/raw_mask", out[0, ..., 0] > 0.5, theirs["pipe/raw_mask"])
    yield share(model, "pipe/mask", lungs.cleaned(out[0, ..., 0] > 0.5), theirs["pipe/mask"][..., 0])


def polyps(model: str, entry: Weights) -> Iterator[Figure]:
    theirs = stored(model)
    batch, output = run(polyp.PolypStage(Runner(entry), Kept()), read_plain(FILES / "polyp.png", Photograph))
    logits, most = output.outputs[0], float(np.abs(theirs["pipe/logits_eval"]).max())
    yield figure(model, "pipe/pre", batch.inputs[0][..., ::4, ::4], theirs["pipe/pre"], FLOAT)
    yield figure(model, "pipe/logits_eval", logits[..., ::2, ::2], theirs["pipe/logits_eval"], RELATIVE * most)
    yield share(model, "pipe/gt0.7_logit_eval", logits[0, 0] > polyp.LOGIT, theirs["pipe/gt0.7_logit_eval"])


def zoomed(model: str, entry: Weights) -> Iterator[Figure]:
    liver = model == "LiverSeg"
    stage, name = (volumes.LiverStage, "liver.nii") if liver else (volumes.BlackBloodStage, "bbb.nii")
    theirs, kept = stored(model), Kept()
    made: ArrayStage = stage(Runner(entry), kept)
    batch, output = run(made, read_volume(name))
    out = output.outputs[0][0]
    yield figure(model, "pipe/pre", batch.inputs[0][:, :, ::2, ::2], theirs["pipe/pre"], FLOAT)
    most = LIVER_PROBABILITY if liver else PROBABILITY
    yield figure(model, "pipe/prob1", out[:, ::2, ::2, 1], theirs["pipe/prob1"], most)
    yield share(model, "pipe/net_mask", out.argmax(-1), theirs["pipe/net_mask"])
    yield share(model, "pipe/mask", kept.result, theirs["pipe/mask"])


def brains(model: str, entry: Weights) -> Iterator[Figure]:
    mra = model.endswith("MRA")
    theirs, kept = stored(model), Kept()
    batch, output = run(brain.BrainStage(Runner(entry), kept, mra=mra), read_volume("mra.nii" if mra else "t1.nii"))
    pre = np.concatenate(batch.inputs).transpose(1, 2, 3, 0)[None]  # (1, 1, x, y, z)
    logits = np.concatenate(output.outputs)[:, 0].transpose(1, 2, 0)
    most = float(np.abs(theirs["pipe/logits"]).max())
    yield figure(model, "pipe/pre", pre, theirs["pipe/pre"], FLOAT)
    yield figure(model, "pipe/logits", logits[::2, ::2], theirs["pipe/logits"], RELATIVE * most)
    yield share(model, "pipe/mask", kept.result.transpose(2, 1, 0), theirs["pipe/mask"])


PIPES: Mapping[str, Callable[[str, Weights], Iterator[Figure]]] = {
    "EnhanceCls": enhance,
    "ViewCls": viewed,
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
