"""The tables of the DICOM Conformance Statement (PS3.2), from the code that negotiates, answers and sends."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.uid import UID
from pynetdicom import AE, build_context

from dicom_node.config import Node
from dicom_node.deliver.outcomes import RANGES, VERDICTS
from dicom_node.imaging.syntaxes import STORED_ONLY
from dicom_node.receive.association import MAXIMUM_PDU
from dicom_node.receive.negotiation import Negotiation
from dicom_node.retired import RETIRED_STORAGE
from dicom_node.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_NAME, STORAGE_COMMITMENT
from tests.references.tables import render_table

_MEANINGS = {"stored": "stored", "retry": "tried again later", "park": "failed; waits for a person"}


def tables() -> dict[str, str]:
    """Return the tables by the names of their places in the page."""
    supported = Negotiation(Node(), [build_context(STORAGE_COMMITMENT)]).supported
    storage = [context for context in supported if len(context.transfer_syntax or []) > _MOST_OF_A_SERVICE]
    return {
        "implementation": render_table(("", ""), _implementation()),
        "services accepted": render_table(
            ("SOP class", "UID", "role"),
            [(UID(str(c.abstract_syntax)).name, str(c.abstract_syntax), "SCP") for c in supported if c not in storage],
        ),
        "storage classes": render_table(("SOP class", "UID", ""), [_class(str(c.abstract_syntax)) for c in storage]),
        "transfer syntaxes": render_table(
            ("transfer syntax", "UID", "pixels"), [_syntax(UID(str(uid))) for uid in storage[0].transfer_syntax or []]
        ),
        "answers": render_table(("status", "outcome", "meaning"), sorted(_answers())),
    }


_NAMES = {  # of PS3.6 Table A-1, for SOP classes that are newer than pydicom's table
    "1.2.840.10008.5.1.4.1.1.9.100.1": "Waveform Presentation State Storage",
    "1.2.840.10008.5.1.4.1.1.9.100.2": "Waveform Acquisition Presentation State Storage",
}
_MOST_OF_A_SERVICE = 5  # transfer syntaxes of a SOP class that is no storage class


def _implementation() -> Iterator[tuple[str, str]]:
    yield "Application Context Name", "1.2.840.10008.3.1.1.1"
    yield "Implementation Class UID", IMPLEMENTATION_CLASS_UID
    yield "Implementation Version Name", IMPLEMENTATION_NAME
    yield "Maximum PDU size received, on accepted associations", f"{MAXIMUM_PDU} bytes"
    yield "Maximum PDU size received, on requested associations", f"{AE().maximum_pdu_size} bytes"


def _class(uid: str) -> tuple[str, str, str]:
    return _NAMES.get(uid, UID(uid).name), uid, "retired" if uid in RETIRED_STORAGE else ""


def _syntax(uid: UID) -> tuple[str, str, str]:
    return uid.name, str(uid), "stored and sent on only" if uid in STORED_ONLY else "decoded"


def _answers() -> Iterator[tuple[str, str, str]]:
    for status, verdict in VERDICTS.items():
        yield f"{status:04X}", _MEANINGS[verdict.outcome], verdict.meaning
    for statuses, verdict in RANGES:
        yield f"{statuses.start:04X} to {statuses[-1]:04X}", _MEANINGS[verdict.outcome], verdict.meaning
