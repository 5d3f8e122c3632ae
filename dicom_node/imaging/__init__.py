"""DICOM objects on disk to stacks, volumes, radiographs and photographs."""

from dicom_node.images import Image, Photograph, Stack, Takes, Volume
from dicom_node.imaging.files import dicom_files
from dicom_node.imaging.headers import facts_of
from dicom_node.imaging.limits import NO_LIMITS, PixelLimits
from dicom_node.imaging.photograph import read_photograph
from dicom_node.imaging.plain import is_plain, read_labels, read_plain, write_labels
from dicom_node.imaging.radiograph import read_radiograph
from dicom_node.imaging.segments import ReadSegment, cited_uids, read_segments
from dicom_node.imaging.stacks import Split, split, stack_id
from dicom_node.imaging.volume import read_volume

__all__ = [
    "PixelLimits",
    "ReadSegment",
    "Split",
    "cited_uids",
    "dicom_files",
    "facts_of",
    "is_plain",
    "read_image",
    "read_labels",
    "read_photograph",
    "read_plain",
    "read_radiograph",
    "read_segments",
    "read_volume",
    "split",
    "stack_id",
    "write_labels",
]


def read_image(stack: Stack, takes: Takes, limits: PixelLimits = NO_LIMITS) -> Image:
    """Read a stack as what a pipeline takes.

    Raises:
        GeometryError: where the frames do not form one regular grid; names the SOP Instance.
        RefusalError: where the stack is no radiograph that may be shown, or no photograph in colour.
        ObjectError: where an object is too large, cannot be read or decoded, or not in time.
    """
    begun = limits.begin()
    if takes is Volume:
        return read_volume(stack, begun)
    return (read_photograph if takes is Photograph else read_radiograph)(stack, begun)
