"""What viewers want of the results in a peer's archive: the settings that a peer's `viewer` stands for.

OHIF 3.13.2 was driven in a browser; of Slicer its reader dcmqi was run, Weasis was not. A setting is named even where
it is the usual one: `dicom-node check` then says it, and another usual value would not change what these viewers get.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias

Viewer: TypeAlias = Literal["generic", "ohif", "slicer", "weasis"]

PRESETS: Mapping[Viewer, Mapping[str, str]] = MappingProxyType(
    {
        "generic": {},
        # draws no SEG without an orientation, and no report in which a measurement group has no outline; scrolls single
        # slices by their place, but the frames of one object as they stand there
        "ohif": {"seg_type": "BINARY", "radiograph_seg": "oriented", "sr_title": "auto", "sc_frames": "single"},
        # read through dcmtk, which knows no LABELMAP up to 3.6.7 and decodes no JPEG 2000
        "slicer": {"seg_type": "BINARY", "seg_compression": "none", "radiograph_seg": "plain", "sr_title": "126000"},
        "weasis": {"seg_type": "BINARY", "radiograph_seg": "plain", "sr_title": "126000"},
    }
)
"""By viewer: keyword of a peer's encoding -> its value where the configuration does not state one."""
