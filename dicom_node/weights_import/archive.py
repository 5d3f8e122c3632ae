"""Zip archives from strangers."""

from __future__ import annotations

import zipfile
from typing import Final

from dicom_node.errors import WeightsError

_SPARE_BYTES: Final = 1 << 20  # an archive's directory; tensors are stored uncompressed


def refuse_inflated(archive: zipfile.ZipFile, size: int) -> None:
    """Refuse an archive of `size` bytes that would unpack to more."""
    unpacked = sum(one.file_size for one in archive.infolist())
    if unpacked > size + _SPARE_BYTES:
        raise WeightsError(f"is refused: it would unpack to {unpacked} bytes, more than it has")
