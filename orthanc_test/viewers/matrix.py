"""The matrix of docs/viewers.md: what each viewer and reader makes of each kind of result, as tests saw it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from orthanc_test.viewers.dwv import DWV
from orthanc_test.viewers.ohif import OHIF

BEGIN, END = "<!-- viewers: begin -->", "<!-- viewers: end -->"
VIEWERS = ("OHIF", "dwv", "dcmqi (3D Slicer's reader)", "highdicom", "SimpleITK", "dcmtk's dsr2html")
KINDS = (
    "SEG of CT and MR, BINARY",
    "SEG of CT and MR, LABELMAP",
    "SEG of CT and MR, FRACTIONAL, all or nothing",
    "SEG of CT and MR, FRACTIONAL, probabilities",
    "SEG of CT, compressed",
    'SEG of a radiograph, `radiograph_seg = "plain"`',
    'SEG of a radiograph, `radiograph_seg = "oriented"`',
    "SEG of endoscopy, plain",
    "SEG of endoscopy, oriented",
    "SR with outlines or boxes (radiograph, endoscopy, marks)",
    "SR without anything to draw (volumes, classifications)",
    'SR, `sr_class = "comprehensive"`',
    "SC, outlines drawn into slices",
    "SC, altered image",
    "PR",
    "KO",
    "PAGE",
)
"""The rows, in order."""


class Matrix:
    """Collects cells; a row or cell that no test came to says so."""

    def __init__(self) -> None:
        self._cells: dict[tuple[str, str], list[str]] = {}

    def add(self, kind: str, viewer: str, verdict: str) -> None:
        """Remember what a viewer made of a kind of result; several verdicts of one cell stand beside each other."""
        if kind not in KINDS or viewer not in VIEWERS:
            raise ValueError(f"no cell {kind!r} x {viewer!r}")
        verdicts = self._cells.setdefault((kind, viewer), [])
        if verdict not in verdicts:
            verdicts.append(verdict)

    def table(self) -> str:
        """Return the matrix in Markdown."""
        head = ["result", *VIEWERS]
        rows = [[kind, *(self._cell(kind, viewer) for viewer in VIEWERS)] for kind in KINDS]
        lines = [head, ["---"] * len(head), *rows]
        return "\n".join([_made_with(), "", *(f"| {' | '.join(line)} |" for line in lines)])

    def write_into(self, path: Path) -> None:
        """Put the matrix between the two marks of a file."""
        before, _, rest = path.read_text().partition(BEGIN)
        after = rest.partition(END)[2]
        path.write_text(f"{before}{BEGIN}\n{self.table()}\n{END}{after}")

    def _cell(self, kind: str, viewer: str) -> str:
        return "; ".join(self._cells.get((kind, viewer), ["-"]))


def _made_with() -> str:
    versions: Mapping[str, str] = {
        "OHIF": OHIF.version,
        "Orthanc with its DICOMweb plug-in": _said("Orthanc", "--version").split()[1],
        "dwv": DWV.version,
        "dcmqi": version("dcmqi"),
        "highdicom": version("highdicom"),
        "SimpleITK": version("SimpleITK"),
        "dcmtk": _said("dsr2html", "--version").split()[2],
    }
    stated = ", ".join(f"{name} {number}" for name, number in versions.items())
    return f"Seen on {datetime.now(UTC):%Y-%m-%d} with {stated}."


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
