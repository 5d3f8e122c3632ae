"""What the models refuse alike, and how they read a header's words."""

from __future__ import annotations

from collections.abc import Iterable

from dicom_node.pipeline import Code, Stack, blanked, search

SCHEME = "99DICOMNODE"  # for concepts that no standard scheme codes

LEFT = Code("7771000", "SCT", "Left")
RIGHT = Code("24028007", "SCT", "Right")

NO_AXIAL_IMAGE = ("LOCALIZER", "MIP", "MINIP", "PROJECTION IMAGE", "VRT", "CPR", "VNC", "IODINE")


def texts(stack: Stack, keyword: str) -> list[str]:
    """Return a fact's values, trimmed and in capitals; none when it is absent."""
    return [str(value).strip().upper() for value in stack.facts.get(keyword, ()) if str(value).strip()]


def described(stack: Stack, keywords: Iterable[str], pattern: str) -> str | None:
    """Return, for people, the first description that a pattern is found in; separators count as blanks."""
    for keyword in keywords:
        for text in texts(stack, keyword):
            if search(pattern, blanked(text)) is not None:
                return f"{keyword} {text!r}"
    return None


def refuse_ct(stack: Stack) -> str | None:
    """Say why a stack is no axial CT volume; what the header leaves out is no reason."""
    if reason := _other_than(stack, "Modality", ("CT",)):
        return reason
    if reason := _other_than(stack, "kind", ("VOLUME",)):
        return reason
    if reason := _other_than(stack, "plane", ("AXIAL",)):
        return reason
    derived = sorted(set(texts(stack, "ImageType")) & set(NO_AXIAL_IMAGE))
    if not derived and stack.repetition:
        return stack.repetition
    return f"ImageType says {derived[0]}, not a plain axial image" if derived else None


def refuse_radiograph(stack: Stack, min_pixels: int, captures: bool) -> str | None:
    """Say why an image is no radiograph for presentation, or smaller than the model can read.

    `captures` lets Secondary Capture pass: some archives keep radiographs so.
    """
    if reason := _other_than(stack, "kind", ("RADIOGRAPH", "CAPTURE") if captures else ("RADIOGRAPH",)):
        return reason
    if reason := _other_than(stack, "Modality", ("CR", "DX", "RG", "OT")):
        return reason
    if "FOR PROCESSING" in texts(stack, "PresentationIntentType"):
        return "PresentationIntentType is FOR PROCESSING: the image is not meant to be looked at"
    for keyword in ("Rows", "Columns"):
        size = stack.number(keyword)
        if size is not None and size < min_pixels:
            return f"{keyword} is {size:.0f}, at least {min_pixels} are needed"
    return None


def row_direction(stack: Stack) -> str | None:
    """Return "L" or "R", the patient's side to which columns grow (PS3.3 C.7.6.1.1.1); None where it is not said."""
    first = next(iter(texts(stack, "PatientOrientation")), "")
    return first[0] if first[:1] in ("L", "R") else None


def _other_than(stack: Stack, keyword: str, accepted: Iterable[str]) -> str | None:
    values = texts(stack, keyword)
    if not values or set(values) & set(accepted):
        return None
    return f"{keyword} is {values[0]}, not {' or '.join(accepted)}"
