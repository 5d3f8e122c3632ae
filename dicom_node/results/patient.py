"""The patient and study of a result: the source's own bytes, never decoded and written anew."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TypeAlias

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag
from pydicom.valuerep import VR

Copied: TypeAlias = Mapping[str, "bytes | DataElement"]
"""Keyword -> the bytes of a text element as they lie in the file, or the decoded element of another kind."""

PATIENT = (
    *("PatientName", "PatientID", "IssuerOfPatientID", "TypeOfPatientID", "IssuerOfPatientIDQualifiersSequence"),
    *("PatientBirthDate", "PatientBirthTime", "PatientBirthDateInAlternativeCalendar", "PatientAlternativeCalendar"),
    *("PatientDeathDateInAlternativeCalendar", "PatientSex", "QualityControlSubject", "OtherPatientNames"),
    *("OtherPatientIDs", "OtherPatientIDsSequence", "ReferencedPatientSequence", "EthnicGroup"),
    *("EthnicGroupCodeSequence", "PatientSpeciesDescription", "PatientSpeciesCodeSequence", "PatientBreedDescription"),
    *("PatientBreedCodeSequence", "BreedRegistrationSequence", "ResponsiblePerson", "ResponsiblePersonRole"),
    *("ResponsibleOrganization", "PatientComments", "PatientIdentityRemoved", "DeidentificationMethod"),
    *("DeidentificationMethodCodeSequence",),
)
"""The Patient module (PS3.3 C.7.1.1)."""

STUDY = (
    *("StudyInstanceUID", "StudyDate", "StudyTime", "AccessionNumber", "IssuerOfAccessionNumberSequence", "StudyID"),
    *("ReferringPhysicianName", "ReferringPhysicianIdentificationSequence", "ConsultingPhysicianName"),
    *("ConsultingPhysicianIdentificationSequence", "StudyDescription", "ProcedureCodeSequence", "PhysiciansOfRecord"),
    *("PhysiciansOfRecordIdentificationSequence", "NameOfPhysiciansReadingStudy", "ReferencedStudySequence"),
    *("PhysiciansReadingStudyIdentificationSequence", "RequestingService", "RequestingServiceCodeSequence"),
    *("ReasonForPerformedProcedureCodeSequence",),
    *("AdmittingDiagnosesDescription", "AdmittingDiagnosesCodeSequence", "PatientAge", "PatientSize"),
    *("PatientWeight", "PatientBodyMassIndex", "MedicalAlerts", "Allergies", "Occupation", "SmokingStatus"),
    *("AdditionalPatientHistory", "PregnancyStatus", "LastMenstrualDate", "PatientSexNeutered", "ReasonForVisit"),
    *("ReasonForVisitCodeSequence", "AdmissionID", "IssuerOfAdmissionIDSequence", "ServiceEpisodeID"),
    *("ServiceEpisodeDescription", "IssuerOfServiceEpisodeIDSequence", "PatientState"),
    *("ClinicalTrialSponsorName", "ClinicalTrialProtocolID", "ClinicalTrialProtocolName", "ClinicalTrialSiteID"),
    *("ClinicalTrialSiteName", "ClinicalTrialSubjectID", "ClinicalTrialSubjectReadingID"),
    *("ClinicalTrialTimePointID", "ClinicalTrialTimePointDescription"),
)
"""General Study, Patient Study and the clinical trial modules (PS3.3 C.7.2, C.7.1.3)."""

COMMON = ("SpecificCharacterSet", "TimezoneOffsetFromUTC")
"""What says how the copied text and times are to be read (PS3.3 C.12.1)."""

TYPE_2 = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "StudyID"),
)
"""Must be there, may be empty."""

_TEXT = {*(VR.AE, VR.AS, VR.CS, VR.DA, VR.DS, VR.DT, VR.IS, VR.LO, VR.LT, VR.PN), *(VR.SH, VR.ST, VR.TM, VR.UI, VR.UT)}


def copied(header: Dataset, keywords: tuple[str, ...] = (*COMMON, *PATIENT, *STUDY)) -> Copied:
    """Take the named elements out of a header as it was read, before anything decodes them."""
    found = {}
    for keyword in keywords:
        tag = _tag(keyword)
        if tag in header:
            found[keyword] = _as_stored(header, tag)
    return found


def stamp(result: Dataset, source: Copied) -> tuple[str, ...]:
    """Put the copied elements in a result; return the Type 2 keywords that the source lacks, now empty."""
    for keyword in (*COMMON, *PATIENT, *STUDY):
        tag = _tag(keyword)
        if tag in result:
            del result[tag]
    for keyword, value in source.items():
        tag = _tag(keyword)
        result[tag] = _raw(tag, value) if isinstance(value, bytes) else copy.deepcopy(value)
    absent = tuple(keyword for keyword in TYPE_2 if keyword not in source)
    for keyword in absent:
        setattr(result, keyword, None)
    return absent


def differing(one: Copied, other: Copied) -> tuple[str, ...]:
    """Return the keywords whose value differs; absent and empty are the same, and so is padding (PS3.5 6.2)."""
    keywords = sorted({*one, *other})
    return tuple(name for name in keywords if _comparable(one.get(name, b"")) != _comparable(other.get(name, b"")))


def _comparable(value: bytes | DataElement) -> object:
    if isinstance(value, bytes):
        return value.rstrip(b" \x00")
    return b"" if value.is_empty else value


def _tag(keyword: str) -> BaseTag:
    number = tag_for_keyword(keyword)
    assert number is not None, keyword  # noqa: S101  # the tables above hold only the dictionary's words
    return Tag(number)


def _as_stored(header: Dataset, tag: BaseTag) -> bytes | DataElement:
    element = header.get_item(tag)
    if isinstance(element, RawDataElement) and dictionary_VR(tag) in _TEXT:
        return element.value or b""
    found = copy.deepcopy(header[tag])
    if found.VR == VR.SQ:
        for item in found.value:
            _drop_group_lengths(item)
    return found


def _drop_group_lengths(item: Dataset) -> None:
    """Drop what describes the bytes and not the patient: retired (PS3.5 7.2), and no writer keeps it."""
    for element in list(item):
        if element.tag.element == 0:
            del item[element.tag]
        elif element.VR == VR.SQ:
            for nested in element.value:
                _drop_group_lengths(nested)


def _raw(tag: BaseTag, value: bytes) -> RawDataElement:
    return RawDataElement(tag, dictionary_VR(tag), len(value), value, 0, False, True)  # explicit VR, little endian
