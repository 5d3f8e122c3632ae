"""Left and right of a SEG's segments, held against the patient's axis."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dicom_node.errors import ProofError
from dicom_node.findings import Segment
from dicom_node.results.concepts import LEFT, RIGHT
from dicom_node.results.sources import Sources


def prove_sides(
    uid: str, segments: tuple[Segment, ...], centroids: Sequence[NDArray[np.float64]], sources: Sources
) -> None:
    """Check that of two segments of one kind the left one lies to the patient's left.

    One alone must lie on its own side of the middle between such two, or of the images' middle where there are none.
    `centroids` are LPS mm, or column, row, 0 where there is no frame of reference.

    Raises:
        ProofError: naming the segment, or that PatientOrientation does not say where left is.
    """
    sided = list(zip(segments, centroids, strict=True))
    lefts = [pair for pair in sided if _side(pair[0]) == LEFT]
    rights = [pair for pair in sided if _side(pair[0]) == RIGHT]
    if not lefts and not rights:
        return
    leftward = _leftward(uid, sources)
    middles = []
    for (left, here), (right, there) in itertools.product(lefts, rights):
        if left.type == right.type:
            middles.append((here[0] + there[0]) / 2)
            if (here[0] - there[0]) * leftward <= 0:
                raise ProofError(f"{uid}: {left.name} does not lie to the patient's left of {right.name}")
    middle = float(np.mean(middles)) if middles else _images_middle(sources)
    for side, sign, pairs in (("left", leftward, lefts), ("right", -leftward, rights)):
        for segment, here in pairs:
            if (here[0] - middle) * sign <= 0:
                raise ProofError(f"{uid}: {segment.name} does not lie to the patient's {side} of the middle")


def _images_middle(sources: Sources) -> float:
    """Return the first coordinate of the middle of all frames."""
    row, column = (sources.first.Rows - 1) / 2, (sources.first.Columns - 1) / 2
    if sources.planes is None:
        return float(column)
    return float(np.mean([plane.point(row, column)[0] for plane in sources.planes]))


def _side(segment: Segment) -> str:
    return segment.laterality.value if segment.laterality else ""


def _leftward(uid: str, sources: Sources) -> float:
    """Return 1.0 where the first coordinate grows to the patient's left, -1.0 where it grows to the right."""
    if sources.planes is not None:
        return 1.0
    row = str((sources.first.get("PatientOrientation") or [""])[0])
    if ("L" in row) == ("R" in row):
        raise ProofError(f"{uid}: names left and right, but PatientOrientation does not say where they are")
    return 1.0 if "L" in row else -1.0
