"""Encoded data sets read as bytes, element by element (PS3.5 7): nothing is decoded and no item is built.

Work grows with the bytes alone, and ends at limits that are counts: bytes that were inflated, elements, depth.
"""

from dicom_node.encoding.errors import CutOffError, ExcessError, UnreadableError
from dicom_node.encoding.groups import FunctionalGroups
from dicom_node.encoding.sources import Source, source_of
from dicom_node.encoding.survey import FRAMES, Found, Survey
from dicom_node.encoding.syntax import Encoding, is_two_capitals
from dicom_node.encoding.walk import REFERENCES, REFERENCES_AT_MOST, Walk

__all__ = [
    "FRAMES",
    "REFERENCES",
    "REFERENCES_AT_MOST",
    "CutOffError",
    "Encoding",
    "ExcessError",
    "Found",
    "FunctionalGroups",
    "Source",
    "Survey",
    "UnreadableError",
    "Walk",
    "is_two_capitals",
    "source_of",
]
