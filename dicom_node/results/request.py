"""What is to be encoded, what came of it, and the UIDs that follow from the first."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime
from pathlib import Path

from dicom_node.config import OutputKind
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
    empty_frames: bool = False  # whether a SEG keeps frames without any marked pixel
    replaces: Reference | None = None  # the SR of the run that this one replaces

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

    def uid(self, role: str, kind: str, index: int = 0) -> str:
        """Derive a UID of this run: `role` is "result", "series" or another thing that needs one."""
        return derived_uid(role, *self._parts(), kind, str(index), str(self.run_number))

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
        parts += [*sorted(found.weights.values()), self.settings_text]
        # two encodings of one result are two objects, since one UID never names two byte streams
        return [*parts, "empty frames"] if self.empty_frames else parts


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

    @property
    def reference(self) -> Reference:
        """What a later object needs to cite this one."""
        return Reference(self.sop_class_uid, self.sop_instance_uid, self.series_instance_uid)
