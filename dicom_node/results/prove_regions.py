"""Read the outlines of a report back: those of each segment of an image enclose what was found, on that image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from scipy.ndimage import binary_fill_holes

from dicom_node.errors import ProofError
from dicom_node.findings import Segmentation
from dicom_node.results.outlines import Polygon, filled, parts
from dicom_node.results.request import Request
from dicom_node.results.seg import present
from dicom_node.results.segment_groups import MOST_PARTS, frame_label, part_names
from dicom_node.results.sources import Sources

_LEAST_DICE = 0.99  # of an outline filled again: one that is too long for an element is thinned
_TRACKING_UID = "112040"  # DCM


def prove_regions(dataset: Dataset, request: Request, sources: Sources) -> None:
    """Check the outlines of every segment; segments of a volume are cited instead.

    Raises:
        ProofError: an outline is missing, is of another image, or encloses something else.
    """
    if sources.planes is not None:
        return
    regions = dict(_regions(dataset))
    for segmentation in request.findings.of(Segmentation):
        for segment in present(segmentation):
            marked = segmentation.labels == segment.label
            for k in np.flatnonzero(marked.any(axis=(1, 2))):
                names = part_names(segment, len(parts(marked[k])), frame_label(sources, int(k)))
                where = f"{dataset.SOPInstanceUID}: the outline of {segment.name} on image {k + 1}"
                outlines = [
                    _of_frame(where, regions.get(request.tracking_uid(name)), int(k), sources) for name in names
                ]
                _prove_enclosed(where, outlines, marked[k], is_all=len(names) < MOST_PARTS)


def _regions(dataset: Dataset) -> Iterator[tuple[str, Dataset]]:
    """Yield the Image Region of each measurement group by the group's Tracking Unique Identifier."""
    for container in dataset.ContentSequence:
        for group in container.get("ContentSequence", ()):
            items = group.get("ContentSequence", ())
            regions = [item for item in items if item.ValueType == "SCOORD"]
            uids = [item.UID for item in items if item.ConceptNameCodeSequence[0].get("CodeValue") == _TRACKING_UID]
            if regions and uids:
                yield str(uids[0]), regions[0]


def _of_frame(where: str, region: Dataset | None, k: int, sources: Sources) -> Polygon:
    if region is None:
        raise ProofError(f"{where} is missing")
    cited, frame = region.ContentSequence[0].ReferencedSOPSequence[0], sources.stack.frames[k]
    if (cited.ReferencedSOPInstanceUID, cited.get("ReferencedFrameNumber")) != (frame.sop_instance_uid, frame.number):
        raise ProofError(f"{where} cites another image")
    return np.array(region.GraphicData, np.float64).reshape(-1, 2)


def _prove_enclosed(where: str, outlines: list[Polygon], mask: NDArray[np.bool_], *, is_all: bool) -> None:
    """Hold the outlines of one mask (rows, columns), or of its largest parts, against the mask, its holes filled."""
    shape = (mask.shape[0], mask.shape[1])
    written = np.any([filled((outline,), shape) for outline in outlines], axis=0)
    found = binary_fill_holes(mask) & (is_all | written)
    dice = 2 * np.count_nonzero(written & found) / (np.count_nonzero(written) + np.count_nonzero(found))
    if dice < _LEAST_DICE:
        raise ProofError(f"{where} has Dice {dice:.6f} with what was found")
