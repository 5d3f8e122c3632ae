"""What each of the nine pipelines finds, by its own words for it, in images and label maps made for the purpose."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import EnhancedMRImageStorage

from dicom_node.findings import Classification, Finding, Segmentation
from dicom_node.images import Stack, Volume
from dicom_node.imaging import read_volume
from pipelines import black_blood_mr, brain_mr, contrast_ct, kidney_tumor_ct, liver_ct, polyp_es, view_cxr
from pipelines.published.kidney import LEFT_KIDNEY, LEFT_TUMOUR, RIGHT_KIDNEY
from pipelines.volumetry import ABNORMALITY, told
from tests.results import builders, phantom

EVERY_KIND = ("SEG", "SC", "PR", "KO", "PAGE", "PDF", "SR")
TOLD = {"PAGE", "PDF", "SR"}  # of whatever was found
Case = tuple[Stack, tuple[Finding, ...]]


def volume_case(stack: Stack, findings: Callable[[NDArray[np.uint8], Volume], tuple[Finding, ...]]) -> Case:
    image = read_volume(stack)
    return stack, findings(builders.organs(image.array.shape).labels, image)


def contrast(folder: Path) -> Case:
    answer = contrast_ct.ANSWERS["enhanced"]
    return builders.ct_series(folder), (Classification("contrast", contrast_ct.QUESTION, "enhanced", answer, 0.9),)


def view(folder: Path) -> Case:
    answer = view_cxr.ANSWERS["frontal"]
    return builders.radiograph(folder), (Classification("view", view_cxr.QUESTION, "frontal", answer, 0.9),)


def lung(folder: Path) -> Case:
    return builders.radiograph(folder), (builders.sided_lungs(),)


def marks(folder: Path) -> Case:
    stack = builders.radiograph(folder)
    return stack, (builders.marks(), builders.erased(stack))


def liver(folder: Path) -> Case:
    return volume_case(
        builders.ct_series(folder), lambda labels, image: liver_ct.liver_told((labels == 1).astype(np.uint8), image)
    )


def kidney(folder: Path) -> Case:
    def of(labels: NDArray[np.uint8], image: Volume) -> tuple[Finding, ...]:
        sides = np.choose(labels, [0, 0, LEFT_KIDNEY, RIGHT_KIDNEY]).astype(np.uint8)
        sides[2, 11:13, 16:18] = LEFT_TUMOUR
        return told(sides, image, kidney_tumor_ct.SEGMENTS, mean_hu=True)

    return volume_case(builders.ct_series(folder), of)


def brain(folder: Path) -> Case:
    made = phantom.multi_frame(folder / "series", EnhancedMRImageStorage)
    return volume_case(made.stack, lambda labels, image: brain_mr.brain_told((labels == 1).astype(np.uint8), image))


def black_blood(folder: Path) -> Case:
    made = phantom.multi_frame(folder / "series", EnhancedMRImageStorage)
    segment = builders.renamed(builders.lungs().segments[0], 1)
    assert black_blood_mr.CATEGORIES["abnormality"] == ABNORMALITY
    return volume_case(made.stack, lambda labels, image: told((labels == 1).astype(np.uint8), image, (segment,)))


def polyp(folder: Path) -> Case:
    return builders.endoscopy(folder), (Segmentation(builders.lungs().labels, (polyp_es.POLYP,)),)


PIPELINES: dict[str, tuple[Callable[[Path], Case], set[str]]] = {
    "contrast": (contrast, TOLD),
    "view": (view, TOLD),
    "lung": (lung, {*EVERY_KIND}),
    "marks": (marks, {"SC", "PR", "KO", *TOLD}),
    "liver": (liver, {*EVERY_KIND}),
    "kidney": (kidney, {*EVERY_KIND}),
    "brain": (brain, {*EVERY_KIND}),
    "black_blood": (black_blood, {*EVERY_KIND}),
    "polyp": (polyp, {*EVERY_KIND}),
}
"""Name -> what makes its case, and the kinds of objects that this gives."""
