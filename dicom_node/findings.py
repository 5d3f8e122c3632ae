"""What a model found, as plain values; encoding them in DICOM is not a pipeline's business."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import PlainSerializer, PlainValidator, SerializationInfo, TypeAdapter, ValidationInfo

from dicom_node.images import Stack


def _put(array: NDArray[Any] | None, info: SerializationInfo) -> str | None:
    if array is None:
        return None
    arrays: dict[str, NDArray[Any]] = info.context  # type: ignore[assignment]  # save_findings hands one in
    name = f"array{len(arrays)}"
    arrays[name] = array
    return name


def _get(name: Any, info: ValidationInfo) -> Any:
    return name if name is None or isinstance(name, np.ndarray) else info.context[name]  # type: ignore[index]


Array: TypeAlias = Annotated[NDArray[Any], PlainValidator(_get), PlainSerializer(_put)]
MaybeArray: TypeAlias = Annotated[NDArray[Any] | None, PlainValidator(_get), PlainSerializer(_put)]


@dataclasses.dataclass(frozen=True, slots=True)
class Code:
    """A coded concept (PS3.3 8.8): value, scheme designator, meaning."""

    value: str
    scheme: str
    meaning: str


@dataclasses.dataclass(frozen=True, slots=True)
class Segment:
    """What one label of a label map stands for."""

    label: int
    name: str
    category: Code
    type: Code
    colour: tuple[int, int, int]  # recommended display colour, sRGB 0..255
    laterality: Code | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Segmentation:
    """One label map on the source grid; 0 is background."""

    labels: Array  # (slices, rows, columns) unsigned integers; slices is 1 for a radiograph
    segments: tuple[Segment, ...]
    probabilities: MaybeArray = None  # (segments, slices, rows, columns) uint8, 255 is certain; None where unknown


@dataclasses.dataclass(frozen=True, slots=True)
class Classification:
    """One class chosen among several; a gate's classification becomes the fact `name` = `value`."""

    name: str  # of the question, e.g. "contrast"
    concept: Code  # of the question
    value: str  # the answer's word for routes, e.g. "enhanced"
    answer: Code
    probability: float  # of the answer, 0..1
    detail: str = ""  # e.g. "9 of 9 slices voted enhanced"
    claim: str = ""  # what the header says to the same question, "" where it says nothing
    scores: tuple[tuple[str, float], ...] = ()  # each answer's probability as the network gave it, also when uncertain


@dataclasses.dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels: columns x1 <= x < x2, rows y1 <= y < y2."""

    name: str
    code: Code
    x1: float
    y1: float
    x2: float
    y2: float
    probability: float


@dataclasses.dataclass(frozen=True, slots=True)
class Detection:
    """The boxes found by one detector, possibly none."""

    concept: Code
    boxes: tuple[Box, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Measurement:
    """One number with its UCUM unit, of a segment by name, or of the whole image where `of` is ""."""

    concept: Code
    value: float
    unit: Code
    of: str = ""
    frame: int | None = None  # of several photographs, the one (of the map's, from 0) that it holds for


@dataclasses.dataclass(frozen=True, slots=True)
class ErasedImage:
    """The source's stored pixels with only the pixels inside `boxes` replaced."""

    stored: Array  # (rows, columns), the source's integer type
    boxes: tuple[Box, ...]
    method: str


@dataclasses.dataclass(frozen=True, slots=True)
class Remark:
    """A limit or doubt that a reader of the result must see, e.g. "outside the trained body region"."""

    text: str
    of_source: bool = False  # whether the remark is on the pixels that the result was made from: lossy, say
    doubts_sides: bool = False  # whether the header's left and right are contradicted: then none is named


@dataclasses.dataclass(frozen=True, slots=True)
class Removed:
    """Connected parts that a pipeline took out of a mask; they enter the run's record and no object."""

    of: str  # the segments' names
    parts: int
    value: float  # of all parts together
    unit: Code  # UCUM: millilitres, square millimetres or pixels


Finding: TypeAlias = Segmentation | Classification | Detection | Measurement | ErasedImage | Remark | Removed


@dataclasses.dataclass(frozen=True, slots=True)
class Findings:
    """Everything that one pipeline found in one stack, and with what it was found."""

    pipeline: str
    version: str
    weights: Mapping[str, str]  # entry name -> SHA-256
    settings: Mapping[str, Any]  # those that change the result
    found: tuple[Finding, ...]
    frames: tuple[int, ...] = ()  # numbers of a film's frames that were looked at, from 1; none: the whole stack

    @property
    def names_sides(self) -> bool:
        """Say whether any segment is called a left or a right one."""
        return any(segment.laterality for one in self.of(Segmentation) for segment in one.segments)

    @property
    def source_remarks(self) -> tuple[str, ...]:
        """Return what a reader must know of the pixels that this was found in."""
        return tuple(remark.text for remark in self.of(Remark) if remark.of_source)

    @property
    def doubts(self) -> tuple[str, ...]:
        """Return why the header's left and right cannot be trusted, if so."""
        return tuple(remark.text for remark in self.of(Remark) if remark.doubts_sides)

    def looked_at(self, stack: Stack) -> Stack:
        """Return the stack with only the frames that were looked at."""
        kept = tuple(one for one in stack.frames if not self.frames or one.number in self.frames)
        return dataclasses.replace(stack, frames=kept)

    def of(self, kind: type[Any]) -> tuple[Any, ...]:
        """Return the findings of one kind, in order."""
        return tuple(finding for finding in self.found if isinstance(finding, kind))


_KINDS = {
    kind.__name__: kind for kind in (Segmentation, Classification, Detection, Measurement, ErasedImage, Remark, Removed)
}


def save_findings(findings: Findings, path: Path) -> None:
    """Write findings to an .npz at path, by rename."""
    arrays: dict[str, Any] = {}
    body = [
        {"kind": type(one).__name__, "body": TypeAdapter(type(one)).dump_python(one, mode="json", context=arrays)}
        for one in findings.found
    ]
    head = {"pipeline": findings.pipeline, "version": findings.version, "weights": dict(findings.weights)}
    text = json.dumps({**head, "settings": dict(findings.settings), "frames": findings.frames, "found": body})
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez_compressed(file, text=np.array(text), **arrays)
    part.replace(path)


def load_findings(path: Path) -> Findings:
    """Read what `save_findings` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        head = json.loads(str(stored["text"]))
        arrays = {name: stored[name] for name in stored.files if name != "text"}
    found: list[Any] = [
        TypeAdapter(_KINDS[one["kind"]]).validate_python(one["body"], context=arrays) for one in head["found"]
    ]
    frames = tuple(head["frames"])
    return Findings(head["pipeline"], head["version"], head["weights"], head["settings"], tuple(found), frames)
