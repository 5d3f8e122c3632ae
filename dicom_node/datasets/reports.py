"""Structured reports (PS3.16 TID 1500) read back: outlines as boxes, evaluations as labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from pydicom import Dataset

from dicom_node.datasets.cases import TrueBox
from dicom_node.errors import ObjectError

_GROUP: Final = "125007"  # DCM, Measurement Group
_FINDING: Final = "121071"  # DCM, Finding
_SIDES: Final = {"7771000": "L", "24028007": "R"}  # SCT, as laterality marks are lettered
_WORDS: Final = {"OTHER_VIEW": "other"}  # 99DICOMNODE
_NO_ANSWER: Final = frozenset({"111000", "111017", "272741003"})  # algorithm family, how a run ended, laterality


def cited_by(report: Dataset) -> Iterator[str]:
    """Yield the SOP Instance UIDs of the report's evidence."""
    for study in report.get("CurrentRequestedProcedureEvidenceSequence", ()):
        for series in study.ReferencedSeriesSequence:
            yield from (str(item.ReferencedSOPInstanceUID) for item in series.ReferencedSOPSequence)


def boxes_of(report: Dataset) -> tuple[TrueBox, ...]:
    """Return the box around each outlined finding (SCOORD), labelled L or R for left and right, else by its meaning."""
    found: list[TrueBox] = []
    for group in _groups(report):
        outlines = [item for item in group if item.ValueType == "SCOORD"]
        findings = [item.ConceptCodeSequence[0] for item in group if _concept(item) == _FINDING]
        if outlines and findings:
            label = _SIDES.get(str(findings[0].CodeValue), str(findings[0].CodeMeaning))
            found.extend(_box(label, item) for item in outlines)
    return tuple(found)


def label_of(report: Dataset) -> str:
    """Return the answer of the report's first evaluation: the code of ours, else its meaning, in small letters."""
    for group in _groups(report):
        for item in group:
            if item.ValueType == "CODE" and _concept(item) not in (*_NO_ANSWER, _FINDING):
                answer = item.ConceptCodeSequence[0]
                if answer.CodingSchemeDesignator == "99DICOMNODE":
                    code = str(answer.CodeValue)
                    return _WORDS.get(code, code.lower().replace("_", "-"))
                return str(answer.CodeMeaning).lower()
    raise ObjectError(str(report.SOPInstanceUID), "is a report without an outline and without an evaluation")


def _groups(report: Dataset) -> Iterator[list[Dataset]]:
    """Yield the content of every measurement group."""
    waiting = list(report.get("ContentSequence", ()))
    while waiting:
        item = waiting.pop(0)
        inner = list(item.get("ContentSequence", ()))
        if _concept(item) == _GROUP:
            yield inner
        else:
            waiting.extend(inner)


def _concept(item: Dataset) -> str:
    names = item.get("ConceptNameCodeSequence")
    return str(names[0].CodeValue) if names else ""


def _box(label: str, item: Dataset) -> TrueBox:
    """Return the smallest box around an outline's points, which count from the first pixel's outer corner."""
    points = np.array(item.GraphicData, float).reshape(-1, 2)
    if item.GraphicType == "CIRCLE":  # a centre and a point of the rim
        radius = float(np.linalg.norm(points[1] - points[0]))
        points = points[0] + np.array([[-radius, -radius], [radius, radius]])
    (x1, y1), (x2, y2) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return TrueBox(label, x1, y1, x2, y2)
