"""Storage SOP Classes that the standard has retired and that archives still hold (PS3.6 A.1)."""

from __future__ import annotations

from typing import Final

ULTRASOUND_MULTI_FRAME: Final = "1.2.840.10008.5.1.4.1.1.3"
NUCLEAR_MEDICINE: Final = "1.2.840.10008.5.1.4.1.1.5"
ULTRASOUND: Final = "1.2.840.10008.5.1.4.1.1.6"
XRAY_ANGIOGRAPHIC_BIPLANE: Final = "1.2.840.10008.5.1.4.1.1.12.3"
VISIBLE_LIGHT: Final = "1.2.840.10008.5.1.4.1.1.77.1"
VISIBLE_LIGHT_MULTI_FRAME: Final = "1.2.840.10008.5.1.4.1.1.77.2"

RETIRED_STORAGE: Final = (
    ULTRASOUND_MULTI_FRAME,
    NUCLEAR_MEDICINE,
    ULTRASOUND,
    XRAY_ANGIOGRAPHIC_BIPLANE,
    VISIBLE_LIGHT,
    VISIBLE_LIGHT_MULTI_FRAME,
    "1.2.840.10008.5.1.4.1.1.8",  # Standalone Overlay
    "1.2.840.10008.5.1.4.1.1.9",  # Standalone Curve
    "1.2.840.10008.5.1.4.1.1.10",  # Standalone Modality LUT
    "1.2.840.10008.5.1.4.1.1.11",  # Standalone VOI LUT
    "1.2.840.10008.5.1.4.1.1.129",  # Standalone PET Curve
    "1.2.840.10008.5.1.4.1.1.9.1",  # Waveform, trial
    "1.2.840.10008.5.1.4.1.1.88.1",  # Text SR, trial
    "1.2.840.10008.5.1.4.1.1.88.2",  # Audio SR, trial
    "1.2.840.10008.5.1.4.1.1.88.3",  # Detail SR, trial
    "1.2.840.10008.5.1.4.1.1.88.4",  # Comprehensive SR, trial
    "1.2.840.10008.5.1.1.27",  # Stored Print
    "1.2.840.10008.5.1.1.29",  # Hardcopy Grayscale Image
    "1.2.840.10008.5.1.1.30",  # Hardcopy Color Image
)
"""The classes that are accepted beside those of the current standard; those without pixels are no images."""
