"""The kidney cascade as stages: six networks in order, and a vote.

The published program returns six separate masks and combines none. Ours votes over the five second-stage networks,
nested: a voxel belongs to the organ where at least three of five see kidney or tumour, and there it is tumour where at
least three of five see tumour. Sides are told by the plane midway between the vote's two kidneys, found from that
midway between those of the first stage; where that saw no two, each connected part has the side that its centre is on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dicom_node.images import Oriented
from dicom_node.pipeline import Found, Model, Segmentation, Stage, Volume
from pipelines.published.kidney_modes import MODES, Labels
from pipelines.published.runner import Network
from pipelines.published.stages import Batch, Output, Raw, Tell, turned

RIGHT_KIDNEY, LEFT_KIDNEY, RIGHT_TUMOUR, LEFT_TUMOUR = 1, 2, 3, 4  # labels of the vote
MAJORITY: Final = 3  # of the five second-stage networks


class KidneyStage:
    """One network of the cascade; its findings are the earlier stages' masks and its own, uncoded, on the source grid.

    Labels of mode 1: 1 right, 2 left; of the others: 1 kidney, 2 tumour.
    """

    def __init__(self, mode: str, network: Network) -> None:
        """Take a mode of MODES, and a `Runner` of KidneyTumorSeg_`mode` or any function of arrays."""
        self.name, self.mode, self.network = mode, MODES[mode], network

    def prepare(self, image: Volume, previous: Found | None) -> Batch:
        """Cut this network's inputs out of the volume, around the first stage's kidneys."""
        oriented = image.oriented("SPL")
        masks = _masks(previous)
        kidneys = turned(oriented, masks[0]) if masks else None
        inputs, places = self.mode.cut(_int16(oriented), kidneys)
        return Batch(tuple(inputs), (places, previous or ()))

    def infer(self, batch: Batch) -> Output:
        """Run the network on each input."""
        return Output(tuple(self.network(one) for one in batch.inputs), batch.beside)

    def finish(self, output: Output, image: Volume) -> Found:
        """Add this network's mask to those before."""
        oriented = image.oriented("SPL")
        places, previous = output.beside
        labels = self.mode.put(output.outputs, places, oriented.array.shape)
        return (*previous, Segmentation(oriented.restore(labels), ()))

    def raw(self, batch: Batch, output: Output, image: Volume) -> Raw:
        """Return this network's inputs, outputs and mask under the mode's name, in axes (z, y, x) to head and left."""
        inputs = {f"{self.name}/in{k}": one for k, one in enumerate(batch.inputs)}
        outputs = {f"{self.name}/out{k}": one[0] for k, one in enumerate(output.outputs)}
        mask = self.mode.put(output.outputs, output.beside[0], image.oriented("SPL").array.shape)
        return {**inputs, **outputs, f"{self.name}/mask": mask}


@dataclasses.dataclass(frozen=True, slots=True)
class Vote:
    """What the second-stage networks agree on."""

    labels: Labels  # (slices, rows, columns) on the source grid, as named above
    agreement: Mapping[int, float]  # label found -> share of the networks that see it, mean over its voxels


class VoteStage:
    """The cascade's end; the result is a `Vote`."""

    def __init__(self, tell: Tell) -> None:
        self.tell = tell

    def prepare(self, image: Volume, previous: Found | None) -> Batch:  # noqa: ARG002  # the masks are enough
        """Hand on the six masks."""
        return Batch((), _masks(previous))

    def infer(self, batch: Batch) -> Output:
        """Do nothing: no network."""
        return Output((), batch.beside)

    def finish(self, output: Output, image: Volume) -> Found:
        """Vote, and tell right from left."""
        oriented = image.oriented("SPL")
        first, *second = (turned(oriented, mask) for mask in output.beside)
        labels = with_sides(voted(second), first)
        return self.tell(Vote(oriented.restore(labels), agreement(labels, second)), image)


def voted(masks: Sequence[Labels]) -> Labels:
    """Return 1 where at least MAJORITY masks see kidney or tumour, 2 where at least MAJORITY see tumour."""
    organ = sum((mask > 0).astype(np.uint8) for mask in masks)
    tumour = sum((mask == 2).astype(np.uint8) for mask in masks)
    return np.asarray(organ >= np.uint8(MAJORITY), np.uint8) + np.asarray(tumour >= np.uint8(MAJORITY), np.uint8)


def agreement(labels: Labels, masks: Sequence[Labels]) -> dict[int, float]:
    """Return for each label found the mean share of the masks (labels 1 kidney, 2 tumour) that see the same."""
    shares = {}
    for label in (RIGHT_KIDNEY, LEFT_KIDNEY, RIGHT_TUMOUR, LEFT_TUMOUR):
        here = labels == label
        if here.any():
            wanted = 1 if label in (RIGHT_KIDNEY, LEFT_KIDNEY) else 2
            shares[label] = float(np.mean([(mask[here] >= wanted).mean() for mask in masks]))
    return shares


def with_sides(labels: Labels, kidneys: Labels) -> Labels:
    """(z, y, x) labels 1 kidney, 2 tumour -> the four labels, from the first stage's 1 right, 2 left."""
    columns = np.arange(labels.shape[2])
    plane = _between([(kidneys == side).sum(axis=(0, 1)) for side in (1, 2)])
    left = left_parts(labels > 0, (labels.shape[2] - 1) / 2) if plane is None else columns > plane
    organ = (labels == 1).sum(axis=(0, 1))
    while plane is not None:  # each turn moves it on; none of two parts ever loses its last voxel
        plane = _between([np.where(left, 0, organ), np.where(left, organ, 0)])
        if plane is None or np.array_equal(columns > plane, left):
            break
        left = columns > plane
    sides = np.where(labels == 1, RIGHT_KIDNEY, RIGHT_TUMOUR).astype(np.uint8) + left.astype(np.uint8)
    return np.where(labels > 0, sides, 0).astype(np.uint8)


def left_parts(organ: NDArray[np.bool_], middle: float) -> NDArray[np.bool_]:
    """Return the voxels, (z, y, x), of the connected parts whose centre lies beyond the column `middle`."""
    parts, count = ndimage.label(organ)
    centres = ndimage.center_of_mass(organ, parts, range(1, count + 1))
    return np.asarray(np.array([False, *(centre[2] > middle for centre in centres)])[parts])


def _between(organs: Sequence[NDArray[np.int64]]) -> float | None:
    """Return the column midway between two organs' centres, given as voxels per column; None where one is empty."""
    if not all(one.any() for one in organs):
        return None
    return float(np.mean([np.average(np.arange(len(one)), weights=one) for one in organs]))


def cascade(networks: Mapping[str, Network], tell: Tell) -> Model:
    """Return the whole cascade from a network per mode of MODES."""
    stages: list[Stage] = [KidneyStage(mode, networks[mode]) for mode in MODES]
    return Model([*stages, VoteStage(tell)])


def _masks(found: Found | None) -> list[Labels]:
    return [one.labels for one in found or () if isinstance(one, Segmentation)]


def _int16(oriented: Oriented) -> NDArray[np.int16]:
    limits = np.iinfo(np.int16)
    return np.clip(np.rint(oriented.array), limits.min, limits.max).astype(np.int16)
