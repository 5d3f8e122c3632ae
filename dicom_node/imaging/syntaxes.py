"""Transfer syntaxes that are accepted but of which something must be known before their pixels are decoded."""

from __future__ import annotations

from pydicom.uid import (
    JPEG2000MC,
    UID,
    JPEG2000MCLossless,
    JPEGExtended12Bit,
    JPIPHTJ2KReferenced,
    JPIPHTJ2KReferencedDeflate,
    SMPTEST211020UncompressedInterlacedActiveVideo,
    SMPTEST211020UncompressedProgressiveActiveVideo,
    SMPTEST211030PCMDigitalAudio,
)

DECODED_AS = {
    UID("1.2.840.10008.1.2.4.53"): JPEGExtended12Bit,  # JPEG Spectral Selection (Process 6 & 8)
    UID("1.2.840.10008.1.2.4.55"): JPEGExtended12Bit,  # JPEG Full Progression (Process 10 & 12)
}
"""Retired transfer syntaxes whose streams say themselves which process they are of, and which GDCM decodes."""

_RETIRED = (52, 54, 56, *range(58, 67))  # JPEG with arithmetic coding, hierarchical, and Process 15

STORED_ONLY = frozenset(
    {
        *(UID(f"1.2.840.10008.1.2.4.{number}") for number in _RETIRED),
        JPEG2000MCLossless,
        JPEG2000MC,
        JPIPHTJ2KReferenced,  # this and the next refer to pixels elsewhere
        JPIPHTJ2KReferencedDeflate,
        SMPTEST211020UncompressedProgressiveActiveVideo,  # this and the next two are of real-time video
        SMPTEST211020UncompressedInterlacedActiveVideo,
        SMPTEST211030PCMDigitalAudio,
    }
)
"""Transfer syntaxes whose objects are kept and sent on as they came, but whose pixels nothing here decodes."""
