"""A file in another transfer syntax: elements get other headers, and no value is decoded (PS3.5 7.1, A.1, A.2)."""

from __future__ import annotations

import dataclasses
import struct
import zlib
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeAlias

from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_VR
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomIO
from pydicom.filewriter import write_file_meta_info
from pydicom.tag import Tag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)
from pynetdicom.dsutils import split_dataset

from dicom_node.errors import ObjectError

CONVERTIBLE = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian)
DECODABLE = (RLELossless, JPEGLSLossless, JPEG2000Lossless)  # what results are compressed in; nothing is lost

_LONG_VRS = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
_SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_UNDEFINED = 0xFFFFFFFF
_DELIMITERS = 0xFFFE  # group of items and delimiters, which have no VR
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD  # PS3.5 7.5
_PHOTOMETRIC, _PLANAR, _PIXEL_REPRESENTATION, _PIXELS = 0x00280004, 0x00280006, 0x00280103, 0x7FE00010
_OFFSET_TABLES = frozenset((0x7FE00001, 0x7FE00002))  # of encapsulated pixels only
_SHORTEST_TOO_LONG = 1 << 16  # bytes; such a value has no room in a short explicit header

Pieces: TypeAlias = Generator[bytes | memoryview, None, int]
"""What is written, in order; ends with the place behind what was read."""


@dataclass(frozen=True, slots=True)
class _Element:
    """A data element's header (PS3.5 7.1): its tag, VR (empty where implicit), value length, and where the value is."""

    tag: int
    vr: bytes
    length: int
    at: int

    @property
    def name(self) -> str:
        return str(Tag(self.tag))


def transcode(path: Path, target: UID, file: IO[bytes]) -> None:
    """Write a file's object in an uncompressed little endian syntax; the SOP Instance UID and every pixel stay.

    Text stays as bytes, whatever Specific Character Set says of it. Of a compressed object only the attributes that
    describe the stored pixels change.

    Raises:
        ObjectError: an element has no header that can be read; names the object and the element.
    """
    meta, offset = split_dataset(path)
    source = UID(meta.TransferSyntaxUID)
    data = path.read_bytes()[offset:]
    if source == DeflatedExplicitVRLittleEndian:
        data = zlib.decompress(data, -zlib.MAX_WBITS)
    file_meta = FileMetaDataset()
    file_meta.update(meta)
    file_meta.TransferSyntaxUID = target
    file.write(bytes(128) + b"DICM")
    write_file_meta_info(DicomIO(file), file_meta)
    transcoder = _Transcoder(
        name=str(meta.MediaStorageSOPInstanceUID),
        data=memoryview(data),
        is_signed=source == ImplicitVRLittleEndian and _is_signed(path),
        reads_implicit=source == ImplicitVRLittleEndian,
        writes_implicit=target == ImplicitVRLittleEndian,
        replaced=_decompress(path) if source in DECODABLE else {},
    )
    file.writelines(transcoder.data_set(0, len(data)))


@dataclass(frozen=True, slots=True)
class _Transcoder:
    """Reads one data set's elements and yields them in the other encoding."""

    name: str  # SOP Instance UID, for errors
    data: memoryview  # the data set, little endian
    is_signed: bool  # whether pixels are, which decides a VR that the dictionary leaves open
    reads_implicit: bool
    writes_implicit: bool
    replaced: Mapping[int, tuple[bytes, bytes]]  # tag -> VR and value of what is written instead

    def data_set(self, at: int, end: int) -> Pieces:
        """Yield the elements from one place to another, or to the delimiter of the item that they are in."""
        nested = dataclasses.replace(self, replaced={}) if self.replaced else self
        while at < end:
            element = self._read(at)
            if element.tag == _ITEM_END:
                return element.at
            if element.tag in self.replaced:
                vr, value = self.replaced[element.tag]
                yield self._header(element.tag, vr, len(value))
                yield value
                at = self._end_of(element)
            elif self.replaced and element.tag in _OFFSET_TABLES:
                at = self._end_of(element)
            else:
                at = yield from nested._element(element)
        return at

    def _element(self, element: _Element) -> Pieces:
        vr = element.vr or self._vr(element)
        if element.vr == b"UN" and element.length == _UNDEFINED:  # its items are implicit (PS3.5 6.2.2)
            yield self._header(element.tag, vr, _UNDEFINED)
            implicit = dataclasses.replace(self, reads_implicit=True, writes_implicit=True)
            return (yield from implicit._items(element.at, None))
        if vr == b"SQ":
            return (yield from self._sequence(element))
        yield self._header(element.tag, vr, element.length)
        end = self._end_of(element)
        yield self.data[element.at : end]
        return end

    def _sequence(self, element: _Element) -> Pieces:
        if element.length == _UNDEFINED:
            yield self._header(element.tag, b"SQ", _UNDEFINED)
            return (yield from self._items(element.at, None))
        end = self._end_of(element)
        items = b"".join(self._items(element.at, end))
        yield self._header(element.tag, b"SQ", len(items))
        yield items
        return end

    def _items(self, at: int, end: int | None) -> Pieces:
        """Yield a sequence's items; the delimiter ends one whose `end` is None (PS3.5 7.5.2)."""
        while end is None or at < end:
            item = self._read(at)
            if item.tag == _SEQUENCE_END:
                yield self._header(_SEQUENCE_END, b"", 0)
                return item.at
            if item.tag != _ITEM:
                raise ObjectError(self.name, f"{item.name} stands where an item of a sequence must")
            at = yield from self._item(item)
        return at

    def _item(self, item: _Element) -> Pieces:
        if item.length == _UNDEFINED:
            yield self._header(_ITEM, b"", _UNDEFINED)
            at = yield from self.data_set(item.at, len(self.data))
            yield self._header(_ITEM_END, b"", 0)
            return at
        end = self._end_of(item)
        content = b"".join(self.data_set(item.at, end))
        yield self._header(_ITEM, b"", len(content))
        yield content
        return end

    def _read(self, at: int) -> _Element:
        try:
            group, number = struct.unpack_from("<HH", self.data, at)
            tag = group << 16 | number
            if self.reads_implicit or group == _DELIMITERS:
                return _Element(tag, b"", struct.unpack_from("<L", self.data, at + 4)[0], at + 8)
            vr = bytes(self.data[at + 4 : at + 6])
            if vr in _LONG_VRS:
                return _Element(tag, vr, struct.unpack_from("<L", self.data, at + 8)[0], at + 12)
            if vr in _SHORT_VRS:
                return _Element(tag, vr, struct.unpack_from("<H", self.data, at + 6)[0], at + 8)
        except struct.error as error:
            raise ObjectError(self.name, "ends within the header of an element") from error
        raise ObjectError(self.name, f"{Tag(tag)} has the VR {vr!r}, which the standard does not have")

    def _end_of(self, element: _Element) -> int:
        if element.length != _UNDEFINED:
            end = element.at + element.length
            if end > len(self.data):
                raise ObjectError(self.name, f"ends within {element.name}")
            return end
        if element.tag not in self.replaced:
            raise ObjectError(self.name, f"{element.name} has no length, and is no sequence")
        fragment = self._read(element.at)
        while fragment.tag == _ITEM:
            fragment = self._read(fragment.at + fragment.length)
        return fragment.at

    def _vr(self, element: _Element) -> bytes:
        """Return the VR of an implicit element: the dictionary's, UN where it has none or the value is too long."""
        try:
            vr = dictionary_VR(element.tag)
        except KeyError:
            is_creator = element.tag >> 16 & 1 and 0x10 <= element.tag & 0xFFFF <= 0xFF  # PS3.5 7.8.1
            vr = "LO" if is_creator else "UN"
        if element.length == _UNDEFINED:
            return b"SQ"
        if "OW" in vr:
            return b"OW"
        if vr == "US or SS":
            vr = "SS" if self.is_signed else "US"
        code = vr.encode()
        return b"UN" if code in _SHORT_VRS and element.length >= _SHORTEST_TOO_LONG else code

    def _header(self, tag: int, vr: bytes, length: int) -> bytes:
        group, number = tag >> 16, tag & 0xFFFF
        if self.writes_implicit or group == _DELIMITERS:
            return struct.pack("<HHL", group, number, length)
        if vr in _LONG_VRS:
            return struct.pack("<HH2sxxL", group, number, vr, length)
        return struct.pack("<HH2sH", group, number, vr, length)


def _is_signed(path: Path) -> bool:
    return bool(
        dcmread(path, stop_before_pixels=True, specific_tags=[Tag(_PIXEL_REPRESENTATION)]).get("PixelRepresentation")
    )


def _decompress(path: Path) -> Mapping[int, tuple[bytes, bytes]]:
    """Return VR and value of what differs once the pixels are decompressed (PS3.5 8.2)."""
    dataset: Dataset = dcmread(path)
    dataset.decompress(generate_instance_uid=False)
    photometric = str(dataset.PhotometricInterpretation).encode()
    pixels = dataset["PixelData"]
    return {
        _PHOTOMETRIC: (b"CS", photometric + b" " * (len(photometric) % 2)),
        _PLANAR: (b"US", struct.pack("<H", int(dataset.get("PlanarConfiguration") or 0))),
        _PIXELS: (str(pixels.VR).encode(), bytes(pixels.value)),
    }
