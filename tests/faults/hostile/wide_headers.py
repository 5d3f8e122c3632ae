"""Objects of a few kilobytes whose headers hold a million items, ahead of their UIDs or behind them (PS3.5 7.5)."""

from __future__ import annotations

import struct
import zlib

from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid

from tests.support.dicom import ct_slice, data_set_bytes, encoded
from tests.support.malformed import Wire, stored

ITEMS = 1_000_000
REFERENCED_IMAGES, PRIVATE, PER_FRAME = (0x0008, 0x1140), (0x0009, 0x1010), (0x5200, 0x9230)
_MODALITY, _PIXELS = b"\x08\x00\x60\x00CS", b"\xe0\x7f\x10\x00"
_EMPTY_ITEM = b"\xfe\xff\x00\xe0" + bytes(4)
_END_OF_ITEM, _END = b"\xfe\xff\x0d\xe0" + bytes(4), b"\xfe\xff\xdd\xe0" + bytes(4)
_OPEN_ITEM = b"\xfe\xff\x00\xe0\xff\xff\xff\xff"


def empty_items_deflated(called: str, items: int = ITEMS) -> Wire:
    """A sequence of empty items ahead of the UIDs, deflated to 12 kB: minutes and 700 MB where items are built."""
    return _stored_deflated(called, _MODALITY, sequence(PRIVATE, _EMPTY_ITEM * items))


def referenced_items_deflated(called: str, items: int = ITEMS) -> Wire:
    """The same as images that are referred to, of which a legitimate object may have many."""
    return _stored_deflated(called, _MODALITY, sequence(REFERENCED_IMAGES, _EMPTY_ITEM * items))


def delimited_items_deflated(called: str, items: int = ITEMS // 2) -> Wire:
    """Items of undefined length, each with its delimiter."""
    return _stored_deflated(called, _MODALITY, sequence(PRIVATE, (_OPEN_ITEM + _END_OF_ITEM) * items))


def items_behind_the_uids_deflated(called: str, items: int = ITEMS) -> Wire:
    """A sequence of empty items that only who reads the whole header comes to."""
    return _stored_deflated(called, _PIXELS, sequence((0x0040, 0x0275), _EMPTY_ITEM * items))


def frames_deflated(called: str, items: int = ITEMS) -> Wire:
    """A million functional groups of an object that has one frame."""
    return _stored_deflated(called, _PIXELS, sequence(PER_FRAME, _EMPTY_ITEM * items))


def empty_items(called: str, items: int = ITEMS) -> Wire:
    """The sequence ahead of the UIDs as it is, 8 MB."""
    data_set, uid = with_inserted(_MODALITY, sequence(PRIVATE, _EMPTY_ITEM * items))
    return stored(data_set, uid, called, transfer_syntax=ExplicitVRLittleEndian)


def nested(called: str, depth: int = 100_000) -> Wire:
    """Sequences within sequences, never closed."""
    opened = struct.pack("<HH2sHI", 0x0009, 0x1010, b"SQ", 0, 0xFFFFFFFF) + _OPEN_ITEM
    return _stored_deflated(called, _MODALITY, opened * depth)


def unordered(called: str) -> Wire:
    """A data set whose SOP Class UID stands behind the Series Instance UID."""
    data_set, uid = with_inserted(_MODALITY, b"")
    at = data_set.index(b"\x08\x00\x16\x00UI")
    end = at + 8 + struct.unpack_from("<H", data_set, at + 6)[0]
    moved, rest = data_set[at:end], data_set[:at] + data_set[end:]
    pixels = rest.index(_PIXELS)
    return stored(rest[:pixels] + moved + rest[pixels:], uid, called, transfer_syntax=ExplicitVRLittleEndian)


def implicit_items(called: str, items: int = ITEMS) -> Wire:
    """The sequence in Implicit VR, where only a dictionary says what is one."""
    dataset = ct_slice(generate_uid(), generate_uid(), transfer_syntax_uid=ImplicitVRLittleEndian)
    data_set = data_set_bytes(encoded(dataset))
    at = data_set.index(b"\x08\x00\x60\x00")
    wide = struct.pack("<HHI", *REFERENCED_IMAGES, 0xFFFFFFFF) + _EMPTY_ITEM * items + _END
    uid = str(dataset.SOPInstanceUID)
    return stored(data_set[:at] + wide + data_set[at:], uid, called, transfer_syntax=ImplicitVRLittleEndian)


def sequence(tag: tuple[int, int], items: bytes) -> bytes:
    """Return a sequence of undefined length in Explicit VR (PS3.5 7.5.2)."""
    return struct.pack("<HH2sHI", *tag, b"SQ", 0, 0xFFFFFFFF) + items + _END


def with_inserted(ahead_of: bytes, inserted: bytes) -> tuple[bytes, str]:
    """Return a CT slice in Explicit VR with bytes ahead of an element, and its SOP Instance UID."""
    dataset = ct_slice(generate_uid(), generate_uid())
    data_set = data_set_bytes(encoded(dataset))
    at = data_set.index(ahead_of)
    return data_set[:at] + inserted + data_set[at:], str(dataset.SOPInstanceUID)


def _stored_deflated(called: str, ahead_of: bytes, inserted: bytes) -> Wire:
    data_set, uid = with_inserted(ahead_of, inserted)
    deflating = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    deflated = deflating.compress(data_set) + deflating.flush()
    return stored(deflated, uid, called, transfer_syntax=DeflatedExplicitVRLittleEndian)
