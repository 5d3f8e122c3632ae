"""What a reader of a result must know of the pixels that it was made from."""

from __future__ import annotations

from pydicom import Dataset
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    JPEG2000MC,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
    MPEGTransferSyntaxes,
)

from dicom_node.imaging.headers import MALFORMED
from dicom_node.imaging.syntaxes import DECODED_AS

LOSSY_SYNTAXES = frozenset(
    {*(JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless), *DECODED_AS, *MPEGTransferSyntaxes}
)
"""Transfer syntaxes that change the pixels (PS3.5 8.2, 10)."""
PERHAPS_LOSSY_SYNTAXES = frozenset({JPEG2000, JPEG2000MC, HTJ2K})
"""Transfer syntaxes whose streams may be reversible or not."""


class SourceRemarks:
    """Collects remarks while a stack is read, by several threads at a time; each is kept once."""

    def __init__(self) -> None:
        self._texts: dict[str, None] = {}

    def add(self, text: str) -> None:
        """Keep a remark."""
        self._texts[text] = None

    def add_lossy(self, dataset: Dataset) -> None:
        """Keep a remark where an object's pixels have been compressed with loss, now or before (PS3.3 C.7.6.1.1.5)."""
        syntax, said = dataset.file_meta.TransferSyntaxUID, _said(dataset)
        if said == "01":
            self.add("the source is compressed with loss: its LossyImageCompression is 01")
        elif syntax in LOSSY_SYNTAXES:
            self.add(f"the source is compressed with loss: its transfer syntax is {syntax.name}")
        elif syntax in PERHAPS_LOSSY_SYNTAXES and said != "00":
            self.add(f"the source may be compressed with loss: its transfer syntax is {syntax.name}")

    def add_warning(self, says: str) -> None:
        """Keep a remark on a warning of the decoder."""
        self.add(f"the source was decoded with a warning: {says}")

    @property
    def texts(self) -> tuple[str, ...]:
        """All remarks, in an order that does not depend on the threads'."""
        return tuple(sorted(self._texts))


def _said(dataset: Dataset) -> str:
    """Return what an object says of itself, "00" or "01"; "" where it says nothing or nothing that can be read."""
    try:
        return str(dataset.get("LossyImageCompression", "")).strip()
    except MALFORMED:
        return ""
