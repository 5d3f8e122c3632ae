"""What was measured, as a table and as metrics.json."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from dicom_node.datasets import Case
from dicom_node.datasets.cases import Kind
from dicom_node.evaluate.scoring import Score
from dicom_node.evaluate.statistics import Figure

METRICS: Final = "metrics.json"


@dataclasses.dataclass(frozen=True, slots=True)
class Measured:
    """One image and what it got."""

    case: Case
    score: Score


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """One model's figures on one folder of images."""

    task: str  # the pipeline
    weights: Mapping[str, str]  # entry -> SHA-256
    kind: Kind
    metrics: Mapping[str, Figure]  # the leading one first
    cases: tuple[Measured, ...]
    refused: Mapping[str, str]  # file -> reason

    @property
    def patients(self) -> int:
        """How many patients the measured images are of."""
        return len({one.case.patient for one in self.cases})

    def to_json(self) -> dict[str, Any]:
        """Return metrics.json's content; what is no number there is null."""
        return {
            "task": self.task,
            "weights": dict(self.weights),
            "kind": self.kind,
            "n": len(self.cases),
            "n_patients": self.patients,
            "metrics": {name: _plain(dataclasses.asdict(one)) for name, one in self.metrics.items()},
            "refused": [{"file": name, "reason": reason} for name, reason in self.refused.items()],
            "cases": [
                {"file": one.case.name, "patient": _pseudonym(one.case.patient), **_plain(one.score.values)}
                for one in self.cases
            ],
        }

    def sentence(self) -> str:
        """Return the figures as a card states them."""
        said = ", ".join(f"{name} {one}" for name, one in self.metrics.items())
        apart = f"; {len(self.refused)} images refused" if self.refused else ""
        return f"{said}; n = {len(self.cases)} images of {self.patients} patients{apart}"


def write_report(report: Report, folder: Path) -> Path:
    """Write metrics.json."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / METRICS
    path.write_text(json.dumps(report.to_json(), indent=1, allow_nan=False))
    return path


def render_report(report: Report) -> Table:
    """Return the figures as a table."""
    counts = f"{len(report.cases)} images of {report.patients} patients\n{len(report.refused)} refused"
    table = Table("metric", "value", "95 % interval", "images", title=f"{report.task}\n{counts}")
    for name, one in report.metrics.items():
        table.add_row(name, f"{one.value:.3f}", f"{one.low:.3f} to {one.high:.3f}", str(one.n))
    return table


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in values.items()
    }


def _pseudonym(patient: str) -> str:
    """Tell patients apart without naming them."""
    return hashlib.sha256(patient.encode()).hexdigest()[:8]
