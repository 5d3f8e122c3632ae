"""Which files at a path are DICOM."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dicom_node.errors import ObjectError

_MAGIC = b"DICM"  # after 128 bytes of preamble (PS3.10 7.1)


def dicom_files(path: Path) -> Iterator[Path]:
    """Yield the file itself, or every DICOM file below a folder, in the order of their names.

    Raises ObjectError when there is no such path, or no DICOM file at it.
    """
    files = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
    found = [file for file in files if _is_dicom(file)]
    if not found:
        raise ObjectError(str(path), "no DICOM file here")
    yield from found


def _is_dicom(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(132)[128:] == _MAGIC
