"""The coded concepts that results are written with, and ours turned into highdicom's."""

from __future__ import annotations

from highdicom.sr import CodedConcept

from dicom_node.findings import Code

AI_FAMILY = Code("123110", "DCM", "Artificial Intelligence")  # CID 7162
PROCESSING_EQUIPMENT = Code("109102", "DCM", "Processing Equipment")  # CID 7005
PIXEL_MASK = Code("113047", "DCM", "Pixel by pixel mask")  # CID 7203
PROCESSED_FROM = Code("121322", "DCM", "Source image for image processing operation")  # CID 7202
SOURCE = Code("260753009", "SCT", "Source")

TITLES = {  # CID 7021
    "126000": Code("126000", "DCM", "Imaging Measurement Report"),
    "126001": Code("126001", "DCM", "Oncology Measurement Report"),
}
ENGLISH = Code("en-US", "RFC5646", "English (United States)")
IMAGING_MEASUREMENTS = Code("126010", "DCM", "Imaging Measurements")
QUALITATIVE_EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")

SUMMARY = Code("111017", "DCM", "CAD Processing and Findings Summary")
WITH_FINDINGS = Code("111242", "DCM", "All algorithms succeeded; with findings")  # CID 6047
WITHOUT_FINDINGS = Code("111241", "DCM", "All algorithms succeeded; without findings")  # CID 6047
NONE_SUCCEEDED = Code("111245", "DCM", "No algorithms succeeded; without findings")  # CID 6047
NOT_ATTEMPTED = Code("111225", "DCM", "Not Attempted")  # CID 6042

COMMENT = Code("121106", "DCM", "Comment")
PROBABILITY = Code("122157", "DCM", "Probability")
NO_UNITS = Code("1", "UCUM", "no units")
PIXELS = Code("{pixels}", "UCUM", "Pixels")
ERASED = Code("erased_region", "99DICOMNODE", "Region erased in the altered image")
LATERALITY = Code("272741003", "SCT", "Laterality")
ANATOMICAL_STRUCTURE = Code("91723000", "SCT", "Anatomical Structure")  # CID 7150
LEFT, RIGHT = "7771000", "24028007"  # CID 244, SCT

MODALITIES = {
    "CT": Code("CT", "DCM", "Computed Tomography"),
    "MR": Code("MR", "DCM", "Magnetic Resonance"),
    "CR": Code("CR", "DCM", "Computed Radiography"),
    "DX": Code("DX", "DCM", "Digital Radiography"),
}
OTHER_MODALITY = Code("OT", "DCM", "Other Modality")  # CID 29

_RADIOGRAPHY = Code("43468-8", "LN", "XR unspecified body region")
PROCEDURES = {
    "CT": Code("25045-6", "LN", "CT unspecified body region"),
    "MR": Code("25056-3", "LN", "MRI unspecified body region"),
    "CR": _RADIOGRAPHY,
    "DX": _RADIOGRAPHY,
}
OTHER_PROCEDURE = Code("363679005", "SCT", "Imaging")


def concept(code: Code) -> CodedConcept:
    """Return highdicom's form of one of our codes."""
    return CodedConcept(code.value, code.scheme, code.meaning)
