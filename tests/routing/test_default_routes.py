"""Which series the routes of the default configuration send to which model."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path
from typing import Any

import pytest

from dicom_node.config import load_config
from dicom_node.images import Frame, Stack
from dicom_node.routing import GateAnswer, Given, decide

CONFIG = load_config(Path(__file__).parents[2] / "config.toml")
ENHANCED = GateAnswer("enhanced", 0.95)
CT: dict[str, Any] = {
    "Modality": "CT",
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
    "kind": "volume",
    "plane": "axial",
    "ImageType": ("ORIGINAL", "PRIMARY", "AXIAL"),
    "BodyPartExamined": "ABDOMEN",
    "SeriesDescription": "Portal venous",
    "spacing_mm": 3.0,
    "extent_mm": 300.0,
    "slices": 100.0,
    "ReconstructionDiameter": 380.0,
}
KIDNEY = {**CT, "StudyDescription": "CT Kidney protocol"}
HEAD: dict[str, Any] = {"Modality": "MR", "kind": "volume", "slices": 160.0, "BodyPartExamined": "HEAD"}
ES: dict[str, Any] = {
    "Modality": "ES",
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.77.1.1",
    "kind": "photo",
    "SamplesPerPixel": 3.0,
    "StudyDescription": "Colonoscopy",
}


def runs(facts: dict[str, Any], gate: GateAnswer) -> set[str]:
    values = {name: value if isinstance(value, tuple) else (value,) for name, value in facts.items()}
    stack = Stack("1", "1.1", (Frame("a", "1.2", "1.2.3"),), values)
    gates = {"contrast": gate} if facts["Modality"] == "CT" else {}
    return {run.pipeline for run in decide(CONFIG, stack, gates, Given(dt.date(2026, 1, 1))).runs}


@pytest.mark.parametrize("text", ["inspir" * 20_000, "a" * 100_000, "C-" * 50_000])
def test_a_long_description_is_decided_as_fast_as_a_short_one(text: str) -> None:
    began = time.process_time()
    runs({**CT, "kind": "radiograph", "Modality": "DX", "SeriesDescription": text, "StudyDescription": text}, ENHANCED)
    runs({**CT, "SeriesDescription": text, "StudyDescription": text}, ENHANCED)
    assert time.process_time() - began < 1  # a search that tracks back takes two minutes


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (CT, {"liver_ct"}),
        (KIDNEY, {"liver_ct", "kidney_tumor_ct"}),
        ({**CT, "RequestedProcedureDescription": "신장 CT"}, {"liver_ct", "kidney_tumor_ct"}),
        ({**KIDNEY, "BodyPartExamined": "KIDNEY"}, {"kidney_tumor_ct"}),
        ({**KIDNEY, "BodyPartExamined": (), "SeriesDescription": "Renal nephro"}, {"kidney_tumor_ct"}),
        ({**KIDNEY, "spacing_mm": 7.0}, set()),
        ({**KIDNEY, "extent_mm": 100.0}, {"liver_ct"}),
        ({**KIDNEY, "slices": 25.0}, {"liver_ct"}),
        ({**KIDNEY, "SeriesDescription": "topogram"}, set()),
        (HEAD, {"brain_mr"}),
        ({**HEAD, "BodyPartExamined": (), "AnatomicRegionSequence": ("69536005", "Head")}, {"brain_mr"}),
        ({**HEAD, "kind": "mosaic"}, set()),
        (ES, {"polyp_es"}),
        ({**ES, "StudyDescription": "", "BodyPartExamined": "COLON"}, {"polyp_es"}),
        ({**ES, "StudyDescription": "Gastroscopy"}, set()),
        ({**ES, "SamplesPerPixel": 1.0}, set()),
        ({**ES, "Modality": "US"}, set()),
    ],
)
def test_the_default_routes(facts: dict[str, Any], expected: set[str]) -> None:
    assert runs(facts, ENHANCED) == expected


def test_plain_ct_goes_to_no_organ_model() -> None:
    assert runs(KIDNEY, GateAnswer("non-enhanced", 0.95)) == set()


def test_the_kidney_waits_behind_the_others() -> None:
    priorities = {pipeline: route.priority for route in CONFIG.routes for pipeline in route.run}
    assert priorities["kidney_tumor_ct"] == max(priorities.values())
