"""Box decoding and non-maximum suppression of an anchor-based detector on a square of 512 pixels."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipelines.networks.anchors import DELTA_STD, IOU_ABOVE, MOST, SCORE_ABOVE, anchors


def decoded(regression: Tensor) -> Tensor:
    """Move the anchors' corners by the regressed shares of their width and height: (n, anchors, 4), pixels."""
    corners = torch.from_numpy(anchors()).to(regression)
    size = (corners[:, 2:] - corners[:, :2]).repeat(1, 2)  # width, height, width, height
    return corners + regression * DELTA_STD * size


def clipped(boxes: Tensor, size: int) -> Tensor:
    """Keep the corners inside 0 .. size - 1."""
    return boxes.clamp(0, size - 1)


def detections(boxes: Tensor, scores: Tensor) -> dict[str, Tensor]:
    """Filter each image's boxes (n, anchors, 4) by their scores (n, anchors, classes).

    Returns:
        boxes (n, 300, 4), scores (n, 300) descending, labels (n, 300); rows past the last detection are -1.
    """
    found = [
        _of_one(one.float().cpu().numpy(), each.float().cpu().numpy()) for one, each in zip(boxes, scores, strict=True)
    ]
    names = ("boxes", "scores", "labels")
    return {
        name: torch.from_numpy(np.stack(values)) for name, values in zip(names, zip(*found, strict=True), strict=True)
    }


def _of_one(
    boxes: NDArray[np.float32], scores: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    kept = [suppressed(boxes, scores[:, label]) for label in range(scores.shape[1])]
    labels = np.repeat(np.arange(len(kept)), [len(one) for one in kept])
    indices = np.concatenate(kept)
    best = np.argsort(-scores[indices, labels], kind="stable")[:MOST]
    indices, labels = indices[best], labels[best]
    padding = MOST - len(best)
    return (
        np.pad(boxes[indices], ((0, padding), (0, 0)), constant_values=-1),
        np.pad(scores[indices, labels], (0, padding), constant_values=-1),
        np.pad(labels.astype(np.float32), (0, padding), constant_values=-1),
    )


def suppressed(boxes: NDArray[np.float32], scores: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return the indices of the boxes that stay, best first: greedy, over SCORE_ABOVE, no two over IOU_ABOVE."""
    candidates = np.flatnonzero(scores > SCORE_ABOVE)
    candidates = candidates[np.argsort(-scores[candidates], kind="stable")]
    kept: list[int] = []
    while candidates.size and len(kept) < MOST:
        kept.append(int(candidates[0]))
        rest = candidates[1:]
        candidates = rest[overlap(boxes[kept[-1]], boxes[rest]) <= IOU_ABOVE]
    return np.array(kept, np.intp)


def overlap(box: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the intersection over union of one box (4,) with each of the others (n, 4)."""
    shared = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    common: NDArray[np.float32] = np.clip(shared, 0, None).prod(1)
    areas = np.clip(others[:, 2:] - others[:, :2], 0, None).prod(1)
    area = np.clip(box[2:] - box[:2], 0, None).prod()
    either = area + areas - common
    shares = np.zeros_like(common)
    np.divide(common, either, out=shares, where=(areas > 0) & (area > 0) & (either > 0))
    return shares
