"""The rows of TID 1500 and of what it includes, as data, and what a report lacks of them (PS3.16 Annex A).

Each row is relationship, value type, concept name and how often it may stand: (least, most). What a template does not
list must not be there, since every one of these templates is not extensible or says itself what may follow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydicom import Dataset

MANY = 10**9


@dataclass(frozen=True)
class Row:
    """One row: what may stand below its parent."""

    relationship: str
    value_type: str
    concept: str  # code value, "" is any
    least: int = 0
    most: int = MANY
    below: str = ""  # the template of what it contains


TEMPLATES: dict[str, tuple[Row, ...]] = {
    "1500": (
        Row("HAS CONCEPT MOD", "CODE", "121049", 1, 1),  # TID 1204 Language of Content
        Row("HAS OBS CONTEXT", "CODE", "121005", 0),  # TID 1002 Observer Type
        Row("HAS OBS CONTEXT", "UIDREF", "121012", 1),  # TID 1004 Device Observer UID
        Row("HAS OBS CONTEXT", "TEXT", "121013"),
        Row("HAS OBS CONTEXT", "TEXT", "121014"),
        Row("HAS OBS CONTEXT", "TEXT", "121015"),
        Row("HAS CONCEPT MOD", "CODE", "121058", 1),  # Procedure reported
        Row("CONTAINS", "CONTAINER", "111028", 1, 1, "1600"),
        Row("CONTAINS", "CONTAINER", "126010", 0, 1, "Imaging Measurements"),
        Row("CONTAINS", "CONTAINER", "C0034375", 1, 1, "Qualitative Evaluations"),
    ),
    "1600": (Row("CONTAINS", "CONTAINER", "126200", 1, MANY, "1601"),),
    "1601": (
        Row("HAS ACQ CONTEXT", "CODE", "121139", 1, 1),  # TID 1602 Modality
        Row("HAS ACQ CONTEXT", "UIDREF", "112227", 0, 1),
        Row("HAS ACQ CONTEXT", "NUM", "110910", 0, 1),
        Row("HAS ACQ CONTEXT", "NUM", "110911", 0, 1),
        Row("CONTAINS", "IMAGE", "", 1),
    ),
    "Imaging Measurements": (Row("CONTAINS", "CONTAINER", "125007", 1, MANY, "group"),),
    "Qualitative Evaluations": (
        Row("HAS CONCEPT MOD", "TEXT", "111001", 1, 1),  # TID 4019 Algorithm Name
        Row("HAS CONCEPT MOD", "TEXT", "111003", 1, 1),
        Row("HAS CONCEPT MOD", "TEXT", "122405", 0, 1),
        Row("HAS CONCEPT MOD", "CODE", "111000", 0, 1),
        Row("HAS CONCEPT MOD", "TEXT", "111002"),
        Row("CONTAINS", "CODE", "111017", 1, 1),  # CAD Processing and Findings Summary
        Row("CONTAINS", "TEXT", "121106"),  # Comment
    ),
    "group": (  # TID 1501, 1410 and 1411 alike
        Row("HAS OBS CONTEXT", "TEXT", "112039", 1, 1),  # Tracking Identifier
        Row("HAS OBS CONTEXT", "UIDREF", "112040", 1, 1),
        Row("CONTAINS", "CODE", "276214006", 0, 1),  # Finding category
        Row("CONTAINS", "CODE", "121071", 0, 1),  # Finding
        Row("HAS CONCEPT MOD", "CODE", "363698007", 0, MANY, "site"),  # Finding Site
        Row("HAS CONCEPT MOD", "TEXT", "111001", 1, 1),  # TID 4019 Algorithm Name
        Row("HAS CONCEPT MOD", "TEXT", "111003", 1, 1),
        Row("HAS CONCEPT MOD", "TEXT", "122405", 0, 1),
        Row("HAS CONCEPT MOD", "CODE", "111000", 0, 1),
        Row("HAS CONCEPT MOD", "TEXT", "111002"),
        Row("CONTAINS", "IMAGE", "121191", 0, 1),  # Referenced Segment
        Row("CONTAINS", "IMAGE", "121214", 0, 1),  # Referenced Segmentation Frame
        Row("CONTAINS", "IMAGE", "121233"),  # Source image for segmentation
        Row("CONTAINS", "UIDREF", "121232", 0, 1),  # Source series for segmentation
        Row("CONTAINS", "IMAGE", "260753009"),  # Source
        Row("CONTAINS", "IMAGE", "121112"),  # Source of measurement
        Row("CONTAINS", "SCOORD", "111030", 0, 1, "region"),  # Image Region
        Row("CONTAINS", "NUM", ""),  # TID 1419
        Row("CONTAINS", "CODE", ""),  # qualitative evaluations
        Row("CONTAINS", "TEXT", "121106"),  # Comment
    ),
    "site": (Row("HAS CONCEPT MOD", "CODE", "272741003", 0, 1),),  # Laterality
    "region": (Row("SELECTED FROM", "IMAGE", "", 1, 1),),
}


def lacks(report: Dataset) -> list[str]:
    """Return how a report strays from the template; none where it follows it."""
    problems = list(_below(report, "1500", "report"))
    if report.ConceptNameCodeSequence[0].CodeValue not in {"126000", "126001"}:  # CID 7021
        problems.append("the root is no measurement report")
    if report.ContentTemplateSequence[0].TemplateIdentifier != "1500":
        problems.append("the root names another template")
    return problems


def _below(item: Dataset, template: str, where: str) -> Iterator[str]:
    children = list(item.get("ContentSequence", ()))
    for row in TEMPLATES[template]:
        count = sum(_is(child, row) for child in children)
        if not row.least <= count <= row.most:
            yield f"{where}: {row.value_type} {row.concept} stands {count} times"
    for child in children:
        place = next((one for one in TEMPLATES[template] if _is(child, one)), None)
        name = child.ConceptNameCodeSequence[0].CodeMeaning if "ConceptNameCodeSequence" in child else "unnamed"
        if place is None:
            yield f"{where}: has no place for {child.RelationshipType} {child.ValueType} {name}"
        elif place.below:
            yield from _below(child, place.below, f"{where}, {name}")


def _is(child: Dataset, row: Row) -> bool:
    name = child.ConceptNameCodeSequence[0].CodeValue if "ConceptNameCodeSequence" in child else ""
    same = (child.RelationshipType, child.ValueType) == (row.relationship, row.value_type)
    return same and row.concept in {"", name}
