"""Brain of 3D T1 and of time-of-flight MR angiography, each by its own network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dicom_node.pipeline import (
    Code,
    Found,
    Model,
    Organ,
    Pipeline,
    RefusalError,
    Segment,
    Settings,
    Stack,
    Stage,
    Volume,
    Weights,
    WeightsError,
    blanked,
    search,
)
from pipelines.compact import Compact
from pipelines.headers import texts
from pipelines.networks.unet import CompactUNet
from pipelines.organs import brain
from pipelines.published.brain import BrainStage
from pipelines.published.runner import Network, network_of
from pipelines.published.stages import Raw
from pipelines.slabs import SLABS, SlabStage
from pipelines.volumetry import SAME, STRUCTURE, refuse_few, refuse_mr, told

Sequence: TypeAlias = Literal["t1", "mra"]
RECIPES: Final[Mapping[str, Sequence]] = {"brain-mr-small": "t1", "MRIBET_T1": "t1", "MRIBET_MRA": "mra"}
SMALL: Final = "brain-mr-small"
BRAIN: Final = Segment(1, "brain", STRUCTURE, Code("12738006", "SCT", "Brain"), (220, 180, 150))
DERIVED: Final = ("MIP", "PROJECTION IMAGE", "MPR", "PHASE", "P", "ADC", "PERFUSION", "SUBTRACTION")

T1_WORDS: Final = r"(?i)mp2?rage|bravo|fspgr|\bt?tfe\b|\bt1|flash|spgr"
NO_T1_WORDS: Final = r"(?i)flair|\bt2|\btof\b|mra\b|swi|space|cube|vista|inv ?2|\buni\b"
MRA_WORDS: Final = r"(?i)\btof\b|mra\b|angio|fl3d\d?r"
TOF_SEQUENCE: Final = r"(?i)fl3d\d?r_t"  # Siemens: 3D FLASH with a pulse that varies over the slab
NO_MRA_WORDS: Final = r"(?i)neck|carotid|\bpc\b|phase|venog|mrv|ce ?mra|mip"


class BrainSettings(Settings):
    """`[pipelines.brain_mr]`."""

    min_slices: int = Field(60, ge=1)  # a whole head; fewer is a slab or a 2D sequence


class BrainMR(Pipeline):
    """Segments the brain and measures its volume; the header says which network must be asked."""

    name: ClassVar[str] = "brain_mr"
    version: ClassVar[str] = "1.1.0"
    title: ClassVar[str] = "Brain of T1 MR and MR angiography"
    takes = Volume
    settings_type = BrainSettings
    settings: BrainSettings

    def refuse(self, stack: Stack) -> str | None:
        """Refuse what is neither 3D T1 nor time-of-flight MRA of a whole head."""
        reason = refuse_mr(stack, DERIVED) or refuse_few(stack, "slices", self.settings.min_slices)
        return reason or sequence_of(stack)[1] or None

    def organs(self) -> tuple[Organ, ...]:
        """Return the bounds of a brain in a head."""
        return (brain(BRAIN.type),)

    def load(self, weights: Mapping[str, Weights], device: str) -> Model:
        """Build from the roles `t1` and `mra`, either or both, or from one entry whose recipe says which it is."""
        stages: dict[Sequence, Stage] = {}
        for role, entry in weights.items():
            sequence = RECIPES.get(entry.recipe)
            if sequence is None:
                offered = ", ".join(sorted(RECIPES))
                raise WeightsError(
                    f"weights {entry.name!r}: recipe {entry.recipe!r} is none of {self.name}'s ({offered})"
                )
            if role not in ("", sequence):
                raise WeightsError(f"weights {entry.name!r}: recipe {entry.recipe} is for role {sequence}, not {role}")
            stages[sequence] = loaded_stage(entry, sequence, device)
        return Model([BySequence(stages)])


def loaded_stage(entry: Weights, sequence: Sequence, device: str) -> Stage:
    """Build an entry's stage."""
    if entry.recipe == SMALL:
        return SlabStage(Compact(CompactUNet(inputs=SLABS, outputs=1), entry, device), brain_told)
    return brain_stage(network_of(entry, device), sequence)


def brain_stage(network: Network, sequence: Sequence) -> Stage:
    """Recipes MRIBET_T1 and MRIBET_MRA: slice by slice."""
    return BrainStage(network, brain_told, mra=sequence == "mra")


def brain_told(mask: NDArray[np.uint8], image: Volume) -> Found:
    """Name and measure the brain."""
    return told(mask, image, (BRAIN,))


class BySequence:
    """The stage of whichever sequence the header names."""

    def __init__(self, stages: Mapping[Sequence, Stage]) -> None:
        self.stages = stages

    def prepare(self, image: Volume, previous: Found | None) -> tuple[Stage, Any]:
        """Return the stage and its batch; WeightsError where the sequence has no weights."""
        sequence, reason = sequence_of(image.stack)
        if not image.stack.frames and len(self.stages) == 1:
            sequence = next(iter(self.stages))  # a file without a DICOM header, given to one network
        elif not image.stack.frames:
            sequence, reason = named_sequence(Path(image.stack.series_uid).name)
        if sequence is None:
            raise RefusalError(reason)
        if sequence not in self.stages:
            raise WeightsError(f"no weights for {sequence}")
        stage = self.stages[sequence]
        return stage, stage.prepare(image, previous)

    def infer(self, batch: tuple[Stage, Any]) -> tuple[Stage, Any]:
        """Run the network."""
        stage, inner = batch
        return stage, stage.infer(inner)

    def finish(self, output: tuple[Stage, Any], image: Volume) -> Found:
        """Bring the mask back and measure it."""
        stage, inner = output
        return stage.finish(inner, image)

    def raw(self, batch: tuple[Stage, Any], output: tuple[Stage, Any], image: Volume) -> Raw:
        """Return what the stage shows of itself, if anything."""
        stage, inner = batch
        return stage.raw(inner, output[1], image) if isinstance(stage, BrainStage) else {}


def sequence_of(stack: Stack) -> tuple[Sequence | None, str]:
    """Return the sequence, or None and why it is neither; angiography wins where both would do."""
    no_mra, no_t1 = _no_mra(stack), _no_t1(stack)
    if not no_mra:
        return "mra", ""
    if not no_t1:
        return "t1", ""
    return None, f"neither 3D T1 ({no_t1}) nor time-of-flight MRA ({no_mra})"


def named_sequence(name: str) -> tuple[Sequence | None, str]:
    """Return what the name of a file without a DICOM header says, or None and why not."""
    words = blanked(name)
    said: list[Sequence] = ["mra"] if search(MRA_WORDS, words) else ["t1"] if search(T1_WORDS, words) else []
    return (said[0], "") if said else (None, f"{name} says neither T1 nor MRA, and there are weights for both")


def _no_mra(stack: Stack) -> str:
    words = _words(stack)
    if found := search(NO_MRA_WORDS, words):
        return f"the description says {found!r}"
    named = any(search(TOF_SEQUENCE, name) for name in texts(stack, "SequenceName") + texts(stack, "PulseSequenceName"))
    if not (named or search(MRA_WORDS, words) or "Y" in texts(stack, "AngioFlag")):
        return "no word for it in the description, and AngioFlag is not Y"
    return _no_gradient_echo(stack) or _outside(stack, "RepetitionTime", 15, 45)


def _no_t1(stack: Stack) -> str:
    words = _words(stack)
    if found := search(NO_T1_WORDS, words):
        return f"the description says {found!r}"
    if not search(T1_WORDS, words):
        return "no word for it in the description"
    if "T1" in texts(stack, "AcquisitionContrast"):
        return "" if "3D" in texts(stack, "MRAcquisitionType") else "MRAcquisitionType is not 3D"
    slow = _outside(stack, "InversionTime", 300, 1300) and _outside(stack, "RepetitionTime", 0, 15)
    return _no_gradient_echo(stack) or slow


def _no_gradient_echo(stack: Stack) -> str:
    if "3D" not in texts(stack, "MRAcquisitionType"):
        return "MRAcquisitionType is not 3D"
    if "GRADIENT" not in texts(stack, "EchoPulseSequence") and not _is_gradient(texts(stack, "ScanningSequence")):
        return "ScanningSequence is not GR"
    return _outside(stack, "EchoTime", 0, 8)


def _is_gradient(scanning: list[str]) -> bool:
    """Say whether Scanning Sequence may be a gradient echo: GE writes RM, research mode, for its MP-RAGE."""
    return "GR" in scanning or ("RM" in scanning and not {"SE", "EP"} & set(scanning))


def _outside(stack: Stack, keyword: str, low: float, high: float) -> str:
    value = stack.number(keyword)
    if value is None:
        return f"{keyword} is absent"
    inside = low * (1 - SAME) <= value <= high * (1 + SAME)
    return "" if inside else f"{keyword} is {value:g}, not {low:g} to {high:g}"


def _words(stack: Stack) -> str:
    return blanked(" ".join([*texts(stack, "SeriesDescription"), *texts(stack, "ProtocolName")]))
