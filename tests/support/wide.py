"""The largest legitimate headers, made of bytes: a SEG of 12,000 frames, an enhanced MR of 20,000, 100 MB of contours.

Sequences and items are of undefined length, as dcmtk and most scanners write them, which is what costs a reader most.
"""

from __future__ import annotations

import struct

from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, RTStructureSetStorage, SegmentationStorage

from dicom_node.receive.file_head import file_head

STUDY, SERIES, INSTANCE = "1.2.77.1", "1.2.77.1.1", "1.2.77.1.1.1"
_ITEM, _END_OF_ITEM = b"\xfe\xff\x00\xe0\xff\xff\xff\xff", b"\xfe\xff\x0d\xe0" + bytes(4)
_END = b"\xfe\xff\xdd\xe0" + bytes(4)


def segmentation(frames: int = 12_000) -> bytes:
    """Return the file of a SEG that names an instance for each of its frames, ahead of its UIDs and per frame."""
    referenced = _sequence(0x0008, 0x1115, _item(_uid(0x0020, 0x000E, "1.2.3") + _references(0x0008, 0x114A, frames)))
    groups = b"".join(
        _item(
            _sequence(0x0008, 0x9124, _item(_references(0x0008, 0x2112, 1, number)))
            + _sequence(0x0020, 0x9111, _item(_short(0x0020, 0x9157, b"UL", struct.pack("<LL", 1, number))))
            + _sequence(0x0020, 0x9113, _item(_text(0x0020, 0x0032, b"DS", f"-100\\-100\\{number * 0.5}")))
            + _sequence(0x0062, 0x000A, _item(_short(0x0062, 0x000B, b"US", b"\1\0")))
        )
        for number in range(frames)
    )
    return _file(SegmentationStorage, "SEG", referenced, _frames(frames) + _sequence(0x5200, 0x9230, groups))


def enhanced_mr(frames: int = 20_000) -> bytes:
    """Return the file of an enhanced MR without pixels; each frame names two images and has eight functional groups."""
    referenced = _references(0x0008, 0x1140, frames) + _references(0x0008, 0x2112, frames)
    common = b"".join(
        _sequence(group, element, _item(_text(group, 0x0FFF, b"LO", "value") * 4))
        for group, element in ((0x0018, 0x9112), (0x0018, 0x9114), (0x0018, 0x9125), (0x0018, 0x9226), (0x0028, 0x9110))
    )
    groups = b"".join(
        _item(
            common
            + _sequence(0x0020, 0x9111, _item(_short(0x0020, 0x9157, b"UL", struct.pack("<LL", 1, number))))
            + _sequence(0x0020, 0x9113, _item(_text(0x0020, 0x0032, b"DS", f"-100\\-100\\{number * 0.5}")))
            + _sequence(0x0020, 0x9116, _item(_text(0x0020, 0x0037, b"DS", "1\\0\\0\\0\\1\\0")))
        )
        for number in range(frames)
    )
    return _file(EnhancedMRImageStorage, "MR", referenced, _frames(frames) + _sequence(0x5200, 0x9230, groups))


def structure_set(megabytes: int = 100, points: int = 100) -> bytes:
    """Return the file of an RT structure set of so many contours as make up the size (PS3.3 C.8.8.6)."""
    data = _long(0x3006, 0x0050, b"DS", (b"-123.45\\-123.45\\67.5\\" * points)[:-1] + b" ")
    contour = _item(
        _references(0x3006, 0x0016, 1)
        + _text(0x3006, 0x0042, b"CS", "CLOSED_PLANAR")
        + _text(0x3006, 0x0046, b"IS", str(points))
        + data
    )
    contours = _sequence(0x3006, 0x0040, contour * ((megabytes << 20) // len(contour)))
    return _file(RTStructureSetStorage, "RTSTRUCT", b"", _sequence(0x3006, 0x0039, _item(contours)))


def data_set_of(file: bytes, sop_class: str) -> bytes:
    """Return what a sender sends of a file made here."""
    return file[len(_head(sop_class)) :]


def _file(sop_class: str, modality: str, ahead_of_uids: bytes, rest: bytes) -> bytes:
    return b"".join(
        (
            _head(sop_class),
            *(_uid(0x0008, 0x0016, sop_class), _uid(0x0008, 0x0018, INSTANCE), _text(0x0008, 0x0060, b"CS", modality)),
            ahead_of_uids,
            *(_uid(0x0020, 0x000D, STUDY), _uid(0x0020, 0x000E, SERIES)),
            rest,
        )
    )


def _head(sop_class: str) -> bytes:
    return file_head(
        sop_class=sop_class,
        instance=INSTANCE,
        transfer_syntax=ExplicitVRLittleEndian,
        calling="SCANNER",
        called="NODE",
    )


def _frames(count: int) -> bytes:
    rows = _short(0x0028, 0x0010, b"US", b"\x10\0") + _short(0x0028, 0x0011, b"US", b"\x10\0")
    return _text(0x0028, 0x0008, b"IS", str(count)) + rows


def _references(group: int, element: int, count: int, first: int = 0) -> bytes:
    """Return a sequence of references to instances (PS3.3 10.8)."""
    items = (
        _item(_uid(0x0008, 0x1150, EnhancedMRImageStorage) + _uid(0x0008, 0x1155, f"1.2.840.99999.1.2.3.{first + at}"))
        for at in range(count)
    )
    return _sequence(group, element, b"".join(items))


def _sequence(group: int, element: int, items: bytes) -> bytes:
    return struct.pack("<HH2sHL", group, element, b"SQ", 0, 0xFFFFFFFF) + items + _END


def _item(elements: bytes) -> bytes:
    return _ITEM + elements + _END_OF_ITEM


def _uid(group: int, element: int, uid: str) -> bytes:
    return _short(group, element, b"UI", uid.encode() + b"\0" * (len(uid) % 2))


def _text(group: int, element: int, vr: bytes, text: str) -> bytes:
    return _short(group, element, vr, text.encode() + b" " * (len(text) % 2))


def _short(group: int, element: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", group, element, vr, len(value)) + value


def _long(group: int, element: int, vr: bytes, value: bytes) -> bytes:
    """Return an element whose value may be long: DS of more than 64 KiB are written as UN (PS3.5 6.2.2)."""
    if len(value) < 0xFFFF:
        return _short(group, element, vr, value)
    return struct.pack("<HH2sHL", group, element, b"UN", 0, len(value)) + value
