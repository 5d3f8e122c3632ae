"""What kind of image a header describes: SOP Class first, then ImageType, then the description."""

from __future__ import annotations

from pydicom import uid

from dicom_node import retired
from dicom_node.images import Facts
from dicom_node.patterns import blanked, search

_KIND_BY_SOP_CLASS = {
    sop_class: kind
    for kind, classes in {
        "volume": (
            uid.CTImageStorage,
            uid.EnhancedCTImageStorage,
            uid.LegacyConvertedEnhancedCTImageStorage,
            uid.MRImageStorage,
            uid.EnhancedMRImageStorage,
            uid.EnhancedMRColorImageStorage,
            uid.LegacyConvertedEnhancedMRImageStorage,
            uid.PositronEmissionTomographyImageStorage,
            uid.EnhancedPETImageStorage,
            uid.LegacyConvertedEnhancedPETImageStorage,
            uid.NuclearMedicineImageStorage,
            retired.NUCLEAR_MEDICINE,
            uid.XRay3DAngiographicImageStorage,
            uid.XRay3DCraniofacialImageStorage,
            uid.BreastTomosynthesisImageStorage,
        ),
        "radiograph": (
            uid.ComputedRadiographyImageStorage,
            uid.DigitalXRayImageStorageForPresentation,
            uid.DigitalXRayImageStorageForProcessing,
            uid.DigitalMammographyXRayImageStorageForPresentation,
            uid.DigitalMammographyXRayImageStorageForProcessing,
            uid.DigitalIntraOralXRayImageStorageForPresentation,
            uid.DigitalIntraOralXRayImageStorageForProcessing,
            uid.XRayAngiographicImageStorage,
            uid.EnhancedXAImageStorage,
            uid.XRayRadiofluoroscopicImageStorage,
            uid.EnhancedXRFImageStorage,
            retired.XRAY_ANGIOGRAPHIC_BIPLANE,
        ),
        "photo": (
            uid.UltrasoundImageStorage,
            uid.UltrasoundMultiFrameImageStorage,
            retired.ULTRASOUND,
            retired.ULTRASOUND_MULTI_FRAME,
            retired.VISIBLE_LIGHT,
            retired.VISIBLE_LIGHT_MULTI_FRAME,
        ),
        "map": (
            uid.ParametricMapStorage,
            uid.OphthalmicThicknessMapStorage,
            uid.CornealTopographyMapStorage,
        ),
        "capture": (
            uid.SecondaryCaptureImageStorage,
            uid.MultiFrameSingleBitSecondaryCaptureImageStorage,
            uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
            uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
            uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
        ),
        "non-image": (
            uid.SegmentationStorage,
            "1.2.840.10008.5.1.4.1.1.66.7",  # Label Map Segmentation Storage
            uid.RawDataStorage,
            uid.RTDoseStorage,
            uid.MRSpectroscopyStorage,  # its Rows and Columns are those of its voxels (PS3.3 C.8.14.1)
        ),
    }.items()
    for sop_class in classes
}
_VISIBLE_LIGHT = "1.2.840.10008.5.1.4.1.1.77.1."  # endoscopic, microscopic, photographic, ophthalmic (PS3.4 B.5)

_BY_IMAGE_TYPE = (
    ("localizer", r"(?i)^(localizer|scout)$"),
    ("capture", r"(?i)^(screen save|dose info|dose)$"),
    ("projection", r"(?i)\b(m(in|ax)? ?ip|projection image|vrt?|volume render(ed|ing)?|volren)\b"),
    ("projection", r"(?i)^(maximum|minimum)$"),
    ("mosaic", r"(?i)^(mosaic|vframe)$"),  # all slices side by side in one picture: Siemens, United Imaging
    ("map", r"(?i)\b(map|maps)\b|^(e?adc|fa|tracew|iodine|vnc|z ?eff|electron density|std deviation)$"),
    ("map", r"(?i)^(r?cbf|r?cbv|r?mtt|ttp|time to peak|tmax|t ?test|z ?score|ktrans)$"),
    ("map", r"(?i)^(diffusion aniso|diffusion attntd|temperature|velocity|fat fraction|r2|r2 ?star|water fraction)$"),
    ("reformat", r"(?i)\b(mpr|cpr|reformatted|resampled)\b"),
)
_BY_DESCRIPTION = (
    ("localizer", r"(?i)scout|topogram|\btopo\b|localiz|surview|scano|\bsurvey\b|3 ?plane|\bloc\b"),
    ("tracking", r"(?i)monitor|smart ?prep|sure ?start|bolus ?track|test ?bolus|\btiming\b"),
    ("capture", r"(?i)dose (report|info)|patient protocol|screen ?save"),
    ("projection", r"(?i)\bm(in|ax)?ip\b|\bvrt?\b"),
    ("map", r"(?i)\bvnc\b|iodine|\badc\b|\bcbf\b|\bcbv\b|\bmtt\b|\btmax\b"),
    ("reformat", r"(?i)\b(mpr|cpr)\b"),
)
"""Vendors' habits: the first that is found decides. DERIVED alone is none: lossy compression sets it."""

STANDING_ALONE = frozenset({"radiograph", "photo", "capture", "non-image"})
"""Kinds of which each object is a stack of its own."""


def object_kind(facts: Facts) -> str:
    """Return the kind that the SOP Class gives; a class that is not known is an image when it has rows of pixels."""
    sop_class = _first(facts, "SOPClassUID")
    if sop_class.startswith(_VISIBLE_LIGHT):
        return "photo"
    return _KIND_BY_SOP_CLASS.get(sop_class, "capture" if {"Rows", "BitsAllocated"} <= facts.keys() else "non-image")


def stack_kind(facts: Facts) -> str:
    """Return the kind of a stack: ImageType and description may make a volume a localizer, a mosaic or a map, say."""
    kind = object_kind(facts)
    if kind != "volume":
        return kind
    types = [blanked(str(value)) for value in facts.get("ImageType", ())]
    descriptions = [blanked(str(value)) for value in facts.get("SeriesDescription", ())]
    for table, texts in ((_BY_IMAGE_TYPE, types), (_BY_DESCRIPTION, descriptions)):
        for named, pattern in table:
            if any(search(pattern, text) is not None for text in texts):
                return named
    return kind


def _first(facts: Facts, keyword: str) -> str:
    return str(next(iter(facts.get(keyword, ())), ""))
