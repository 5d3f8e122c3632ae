"""Who made a result: one record of the algorithm, written to every place where DICOM asks for it."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata

from highdicom import AlgorithmIdentificationSequence
from highdicom.sr import (
    AlgorithmIdentification,
    DeviceObserverIdentifyingAttributes,
    ObservationContext,
    ObserverContext,
)
from pydicom.charset import convert_encodings
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID
from pydicom.valuerep import CUSTOMIZABLE_CHARSET_VR

from dicom_node.config import OutputKind
from dicom_node.findings import Code
from dicom_node.results.concepts import AI_FAMILY, PROCESSING_EQUIPMENT, concept
from dicom_node.results.patient import stamp
from dicom_node.results.request import Request
from dicom_node.results.sources import Sources
from dicom_node.results.writing import Made
from dicom_node.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_NAME

MANUFACTURER = "dicom-node"


@dataclasses.dataclass(frozen=True, slots=True)
class Series:
    """What each kind of result's series is called; each kind has one of its own."""

    number: int
    says: str


SERIES: dict[str, Series] = {
    "SEG": Series(9001, "segmentation"),
    "SR": Series(9002, "findings"),
    "SC": Series(9003, "altered image"),
    "KO": Series(9004, "key images"),
    "PR": Series(9005, "outlines"),
    "overlay": Series(9006, "overlay"),
    "PAGE": Series(9008, "page"),
    "PDF": Series(9009, "page as document"),
    "rejection": Series(9007, "rejection of what was replaced"),
}
"""By kind, or by the name that an object's `Made` gives."""

_LO = 64  # characters in a Long String (PS3.5 6.2)


def node_version() -> str:
    """Return the version of this package."""
    return importlib.metadata.version("dicom-node")


def software_versions(request: Request) -> list[str]:
    """Return the node's version and the pipeline's."""
    return [node_version(), f"{request.findings.pipeline} {request.findings.version}"]


def series_description(request: Request, says: str) -> str:
    """Return "AI", the pipeline's title and the kind, within a Long String."""
    title = request.title.replace("\\", "/")
    return f"AI {title[: _LO - len(says) - 4]} {says}"


def content_label(request: Request) -> str:
    """Return a Code String for a content label (PS3.3 10.12)."""
    return "".join(one if one.isascii() and one.isalnum() else "_" for one in request.findings.pipeline.upper())[:16]


def content_description(request: Request) -> str:
    """Return who made the content, whether it replaces an earlier one, and whether there are remarks on its source."""
    notes = ["; replaces the run before"] if request.is_again else []
    if request.findings.source_remarks:
        notes.append("; see remarks on the source")  # in each segment's description, and in the report
    said = "".join(notes)
    return f"AI {request.findings.pipeline} {request.findings.version}"[: _LO - len(said)] + said


def parameters(request: Request) -> dict[str, str]:
    """Return the settings and the weights' SHA-256, by name."""
    settings = {name: str(value) for name, value in sorted(request.findings.settings.items())}
    return settings | {f"weights {name}": sha for name, sha in sorted(request.findings.weights.items())}


def segment_algorithm(request: Request) -> AlgorithmIdentificationSequence:
    """Return the Segmentation Algorithm Identification (PS3.3 10.16)."""
    found = request.findings
    return AlgorithmIdentificationSequence(
        found.pipeline, concept(AI_FAMILY), found.version, MANUFACTURER, parameters(request)
    )


def report_algorithm(request: Request) -> AlgorithmIdentification:
    """Return the algorithm of a measurement group (PS3.16 TID 4019)."""
    found = request.findings
    texts = [f"{name}={value}" for name, value in parameters(request).items()]
    return AlgorithmIdentification(found.pipeline, found.version, texts, concept(AI_FAMILY), MANUFACTURER)


def observer(request: Request) -> ObservationContext:
    """Return the device that observed, as the only observer (PS3.16 TID 1001)."""
    return ObservationContext(observer_device_context=device_context(request))


def device_context(request: Request) -> ObserverContext:
    """Return the device that observed (PS3.16 TID 1004)."""
    device = DeviceObserverIdentifyingAttributes(
        uid=request.device_uid,
        name=MANUFACTURER,
        manufacturer_name=MANUFACTURER,
        model_name=request.findings.pipeline,
    )
    return ObserverContext(concept(Code("121007", "DCM", "Device")), device)


def contributing_equipment(request: Request, at: datetime.datetime) -> Dataset:
    """Return our item of the Contributing Equipment Sequence (PS3.3 C.12.1)."""
    found = request.findings
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [concept(PROCESSING_EQUIPMENT)]
    item.Manufacturer = MANUFACTURER
    item.ManufacturerModelName = MANUFACTURER
    item.SoftwareVersions = software_versions(request)
    item.DeviceUID = request.device_uid
    item.ContributionDateTime = f"{at:%Y%m%d%H%M%S.%f}"
    item.ContributionDescription = (
        f"{found.pipeline} {found.version}, settings {request.settings_hash}; not for diagnosis"
    )
    return item


def finished(made: Made, request: Request, kind: OutputKind, sources: Sources) -> tuple[FileDataset, tuple[str, ...]]:
    """Return a plain file of an encoded object with all that the kinds share, and the completed keywords.

    The encoder saw no patient: the source's own bytes replace what it wrote.
    """
    result = Dataset()
    result.update({element.tag: element for element in made.dataset})
    _describe(result, request, kind, made)
    _date(result, local_time(request.at, sources), kind)
    result.ContributingEquipmentSequence = [contributing_equipment(request, local_time(request.at, sources))]
    _keep_to(result, sources.first.get("SpecificCharacterSet"))
    completed = stamp(result, sources.identity)
    return FileDataset("", result, file_meta=_file_meta(result, made.syntax), preamble=b"\0" * 128), completed


def _describe(result: Dataset, request: Request, kind: OutputKind, made: Made) -> None:
    series = SERIES[made.series or kind]
    result.SeriesInstanceUID = request.uid("series", kind, detail=made.series)
    result.SeriesNumber = series.number
    result.SeriesDescription = series_description(request, series.says)
    result.Manufacturer = MANUFACTURER
    result.ManufacturerModelName = MANUFACTURER
    result.SoftwareVersions = software_versions(request)
    result.DeviceSerialNumber = request.device_uid.removeprefix("2.25.")
    result.ContentQualification = "RESEARCH"  # PS3.3 C.8.13.2.1.1: no one has approved this for diagnosis


def _date(result: Dataset, at: datetime.datetime, kind: OutputKind) -> None:
    for name in ("Series", "Content", "InstanceCreation", *(["PresentationCreation"] if kind == "PR" else [])):
        setattr(result, f"{name}Date", f"{at:%Y%m%d}")
        setattr(result, f"{name}Time", f"{at:%H%M%S.%f}")


def local_time(at: datetime.datetime, sources: Sources) -> datetime.datetime:
    """Bring a time to the offset that the source states, since a result states the same one (PS3.3 C.12.1.1.8)."""
    offset = str(sources.first.get("TimezoneOffsetFromUTC", "") or "")
    try:
        return at.astimezone(datetime.datetime.strptime(offset, "%z").tzinfo)
    except ValueError:
        return at


def is_writable(text: str, sources: Sources) -> bool:
    """Say whether the source's character set, which a result keeps, has every character of a text."""
    encodings = _encodings(sources.first.get("SpecificCharacterSet"))
    return text.isascii() or all(_has(one, encodings) for one in text)


def _encodings(character_set: str | list[str] | None) -> list[str]:
    # the reader's word for the default repertoire admits Latin 1, the standard's does not (PS3.5 6.1.2.1)
    return ["ascii" if one == "iso8859" else one for one in convert_encodings(character_set)]


def _keep_to(result: Dataset, character_set: str | list[str] | None) -> None:
    """Replace characters of our texts that the source's character set lacks, as the set itself stays."""
    encodings = _encodings(character_set)

    def fit(_: Dataset, element: DataElement) -> None:
        if element.VR in CUSTOMIZABLE_CHARSET_VR and isinstance(element.value, str) and not element.value.isascii():
            element.value = "".join(one if _has(one, encodings) else "?" for one in element.value)

    result.walk(fit)


def _has(character: str, encodings: list[str]) -> bool:
    return any(character.encode(encoding, "ignore") for encoding in encodings)


def _file_meta(result: Dataset, syntax: UID) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID = result.SOPClassUID
    meta.MediaStorageSOPInstanceUID = result.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_NAME
    return meta
