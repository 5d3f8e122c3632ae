"""What is to be encoded, what came of it, and the UIDs that follow from the first."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime
from pathlib import Path

from dicom_node.config import Encoding, OutputKind
from dicom_node.findings import Findings
from dicom_node.images import Stack
from dicom_node.uids import derived_uid, digest


@dataclasses.dataclass(frozen=True, slots=True)
class Reference:
    """One SOP Instance and the series that it lies in."""

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """One run's findings, and how they are wanted; the same request gives the same bytes."""

    findings: Findings
    stack: Stack
    outputs: tuple[OutputKind, ...]
    at: datetime  # when the run was made, with its time zone; the only time that enters the objects
    title: str  # the pipeline's, for people
    run_number: int = 0  # raised by a forced re-run
    encoding: Encoding = dataclasses.field(default_factory=Encoding)
    replaces: Reference | None = None  # the SR of the run that this one replaces
    doubts: tuple[str, ...] = ()  # what other pipelines found in the stack that contradicts the header's left and right

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError(f"a run's time needs a time zone, got {self.at.isoformat()}")

    @property
    def settings_text(self) -> str:
        """The settings that change the result, as canonical JSON."""
        return json.dumps(dict(self.findings.settings), sort_keys=True, separators=(",", ":"))

    @property
    def settings_hash(self) -> str:
        """The first 16 hex digits of the settings' SHA-256."""
        return digest(self.settings_text)[:16]

    @property
    def device_uid(self) -> str:
        """Names the model: changes when its weights do, or its version where it has none."""
        weights = sorted(self.findings.weights.values())
        return derived_uid("device", *(weights or (self.findings.pipeline, self.findings.version)))

    @property
    def is_again(self) -> bool:
        """Say whether this run replaces another."""
        return bool(self.run_number or self.replaces)

    def uid(self, role: str, kind: OutputKind, index: int = 0, detail: str = "") -> str:
        """Derive a UID of this run: `role` is "result", "series" or another thing that needs one.

        Two encodings of one result are two objects, since one UID never names two byte streams; what a peer wants of
        one kind does not change the UIDs of the others.
        """
        parts = [*self._parts(), *self._encoded(kind), *_encoder(kind), kind, str(index), str(self.run_number)]
        return derived_uid(role, *parts, *([detail] if detail else []))

    def tracking_uid(self, name: str) -> str:
        """Derive the UID of one finding, which a re-run or a newer version keeps (PS3.3 C.8.20.2)."""
        return derived_uid("tracking", *self._source_names(), self.findings.pipeline, name)

    def _source_names(self) -> list[str]:
        return sorted(
            frame.sop_instance_uid if frame.number is None else f"{frame.sop_instance_uid}#{frame.number}"
            for frame in self.stack.frames
        )

    def _parts(self) -> list[str]:
        found = self.findings
        parts = ["sources", *self._source_names(), "with", found.pipeline, found.version]
        corrected = [f"correction {self.stack.correction}"] if self.stack.correction else []
        remarks = [f"remark {text}" for text in found.source_remarks]  # they stand in the objects
        return [*parts, *sorted(found.weights.values()), self.settings_text, *corrected, *remarks]

    def _encoded(self, kind: OutputKind) -> list[str]:
        """Return what of the encoding differs from the usual and enters a kind; reports cite SEGs, so theirs enters."""
        plain = Encoding()
        changed = {name for name in Encoding.model_fields if getattr(self.encoding, name) != getattr(plain, name)}
        return [f"{name}={getattr(self.encoding, name)}" for name in sorted(changed & _ENTERS[kind])]


_SEG = frozenset({"seg_type", "radiograph_seg", "seg_compression", "empty_frames"})
_PAGE = frozenset({"page_language", "page_patient"})
_ENTERS: dict[OutputKind, frozenset[str]] = {
    "SEG": _SEG,
    "SR": _SEG | {"sr_class", "sr_title"},
    "SC": frozenset({"sc_modality", "sc_frames"}),
    "KO": frozenset(),
    "PR": frozenset(),
    "PAGE": _PAGE | {"sc_modality"},
    "PDF": _PAGE,
}

_ENCODERS: dict[OutputKind, int] = {"SC": 2, "PR": 3, "SR": 5}
"""Raised whenever a kind's bytes become others for the same findings; 1 where nothing stands."""


def _encoder(kind: OutputKind) -> list[str]:
    return [f"encoder={_ENCODERS[kind]}"] if kind in _ENCODERS else []


@dataclasses.dataclass(frozen=True, slots=True)
class EncodedFile:
    """One object on disk, proved."""

    path: Path
    kind: OutputKind
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    sha256: str
    completed: tuple[str, ...]  # Type 2 keywords that the source lacks, empty here
    left_out: tuple[str, ...]  # sequences of the sources that cannot be read

    @property
    def reference(self) -> Reference:
        """What a later object needs to cite this one."""
        return Reference(self.sop_class_uid, self.sop_instance_uid, self.series_instance_uid)
