"""DICOM objects on disk to stacks, volumes and radiographs."""

from dicom_node.images import Image, Radiograph, Stack, Volume
from dicom_node.imaging.files import dicom_files
from dicom_node.imaging.headers import facts_of
from dicom_node.imaging.plain import is_plain, read_plain, write_labels
from dicom_node.imaging.radiograph import read_radiograph
from dicom_node.imaging.stacks import Split, split, stack_id
from dicom_node.imaging.volume import read_volume

__all__ = [
    "Split",
    "dicom_files",
    "facts_of",
    "is_plain",
    "read_image",
    "read_plain",
    "read_radiograph",
    "read_volume",
    "split",
    "stack_id",
    "write_labels",
]


def read_image(stack: Stack, takes: type[Volume] | type[Radiograph]) -> Image:
    """Read a stack as what a pipeline takes.

    Raises:
        GeometryError: where the frames do not form one regular grid; names the SOP Instance.
        RefusalError: where the stack is no radiograph that may be shown.
        ObjectError: where an object cannot be read or decoded.
    """
    return read_volume(stack) if takes is Volume else read_radiograph(stack)
