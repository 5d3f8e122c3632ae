"""CT slice by slice: each slice in the network's square, its labels back on the source grid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dicom_node.pipeline import Found, Volume
from pipelines.compact import probabilities
from pipelines.pictures import Letterbox
from pipelines.published.runner import Floats, Network

SIZE: Final = 256  # pixels of the network's square
WINDOW_HU: Final = (0.0, 250.0)  # what the training pictures seem to show: fat black, the cortex of bone white
_PICTURE: Final = (0.0, 255.0)  # a picture's window has been applied by whoever made it
_THRESHOLD: Final = 0.5
Labels: TypeAlias = NDArray[np.uint8]


class SliceStage:
    """One CT volume, or one slice as a picture; the result is the labels (slices, rows, columns), axes SPL."""

    def __init__(self, network: Network, tell: Callable[[Labels, Volume], Found]) -> None:
        """Take a network with one logit per label, and what puts labels on the source grid into findings."""
        self.network = network
        self.tell = tell

    def prepare(self, image: Volume, previous: Found | None) -> Floats:  # noqa: ARG002  # the only stage
        """Return every slice, windowed, in its square: (slices, 1, SIZE, SIZE), -1 .. 1."""
        return squares(image)[:, None] * np.float32(2) - np.float32(1)

    def infer(self, batch: Floats) -> Floats:
        """Return the logits, (slices, labels, SIZE, SIZE)."""
        return self.network(batch)

    def finish(self, output: Floats, image: Volume) -> Found:
        """Bring each slice's probabilities to the source grid and cut them there."""
        oriented = image.oriented("SPL")
        box = boxed(oriented.array)
        labels = np.stack([_labels([box.take(one) for one in probabilities(slices)]) for slices in output])
        return self.tell(oriented.restore(labels), image)


def squares(image: Volume) -> Floats:
    """Return every slice, axes SPL, windowed, in the network's square: (slices, SIZE, SIZE), 0 .. 1."""
    array = image.oriented("SPL").array
    low, high = _PICTURE if image.stack.text("windowed") else WINDOW_HU
    box = boxed(array)
    return np.stack([box.put(np.clip((one - low) / (high - low), 0, 1)) for one in array])


def boxed(array: NDArray[Any]) -> Letterbox:
    """Return how slices (slices, rows, columns) lie in the square."""
    _, rows, columns = array.shape
    return Letterbox(rows, columns, SIZE)


def _labels(likely: list[Floats]) -> Labels:
    """Return the likeliest label, k + 1 of likely[k], where its probability is at least a half."""
    stacked = np.stack(likely)
    best = stacked.argmax(axis=0).astype(np.uint8) + np.uint8(1)
    return np.where(stacked.max(axis=0) >= _THRESHOLD, best, 0).astype(np.uint8)


def largest_parts(labels: Labels, count: int, share: float = 0.0) -> Labels:
    """Keep the `count` largest connected parts, each at least `share` of the largest; a single slice stays as it is.

    An organ is one piece in a volume, and may be several in a slice.
    """
    if len(labels) == 1:
        return labels
    parts, found = ndimage.label(labels > 0)
    if found <= 1:
        return labels
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    kept = [part for part in np.argsort(sizes)[::-1][:count] if sizes[part] >= max(share * sizes.max(), 1)]
    return np.where(np.isin(parts, kept), labels, 0).astype(np.uint8)
