"""What no peer should send: broken PDUs, broken commands and broken objects, as hypothesis strategies.

PDUs and their items: PS3.8 9.3; command elements: PS3.7 9.3.1 and E.1.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from io import BytesIO
from pathlib import Path

from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    generate_uid,
)

from tests.support.dicom import ct_slice, data_set_bytes, deflate_bomb, encoded

Wire = Sequence[bytes]
"""What one connection says, in this order."""

ASSOCIATE_RQ, DATA, RELEASE_RQ = 0x01, 0x04, 0x05
_COMMAND = 0x01
COMMAND_LAST, DATA_LAST = 0x03, 0x02  # message control header (PS3.8 E.2)
_APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
ESCAPED = Path("/tmp/escaped.dcm")  # noqa: S108  # where no object may ever stand
_PATHS = [  # as UIDs
    "../../../../../../tmp/escaped",
    "/tmp/escaped",  # noqa: S108
    "..",
    ".",
    "1.2/3",
    "1.2\\3",
    "1.2.\0.3",
    "",
    "1." * 60,
    "C:1.2",
]


def pdu(kind: int, body: bytes, length: int | None = None) -> bytes:
    """Return a PDU, which may lie about its length."""
    return struct.pack(">BBI", kind, 0, len(body) if length is None else length) + body


def item(kind: int, body: bytes, length: int | None = None) -> bytes:
    """Return an item of a PDU, which may lie about its length."""
    return struct.pack(">BBH", kind, 0, len(body) if length is None else length) + body


def request(called: str = "NODE", contexts: Sequence[tuple[int, str, str]] = (), calling: str = "FUZZER") -> bytes:
    """Return an A-ASSOCIATE-RQ; a context is its id, abstract syntax and transfer syntax."""
    wanted = contexts or ((1, CTImageStorage, ExplicitVRLittleEndian),)
    proposed = b"".join(
        item(0x20, bytes([number, 0, 0, 0]) + item(0x30, abstract.encode()) + item(0x40, transfer.encode()))
        for number, abstract, transfer in wanted
    )
    user = item(0x50, item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.3.4"))
    names = f"{called:<16}{calling:<16}".encode() + bytes(32)
    return pdu(
        ASSOCIATE_RQ, struct.pack(">HH", 1, 0) + names + item(0x10, _APPLICATION_CONTEXT.encode()) + proposed + user
    )


def fragment(body: bytes, control: int, context: int = 1, length: int | None = None) -> bytes:
    """Return a PDV, which may lie about its length."""
    return struct.pack(">I", len(body) + 2 if length is None else length) + bytes([context, control]) + body


def store_command(sop_class: str = CTImageStorage, instance: str = "1.2.3.4", has_data: int = 0x0001) -> bytes:
    """Return the command set of a C-STORE-RQ, in implicit VR little endian."""
    elements = [
        (0x0002, sop_class.encode()),
        (0x0100, struct.pack("<H", 0x0001)),
        (0x0110, struct.pack("<H", 1)),
        (0x0700, struct.pack("<H", 0)),
        (0x0800, struct.pack("<H", has_data)),
        (0x1000, instance.encode()),
    ]
    return command(elements)


def command(elements: Sequence[tuple[int, bytes]]) -> bytes:
    """Return a command set of elements of group 0000, in implicit VR little endian."""
    encoded_elements = b"".join(_command_element(element, value) for element, value in elements)
    return _command_element(0x0000, struct.pack("<I", len(encoded_elements))) + encoded_elements


def _command_element(element: int, value: bytes) -> bytes:
    padded = value + bytes(len(value) % 2)
    return struct.pack("<HHI", 0x0000, element, len(padded)) + padded


def stored(
    data_set: bytes,
    instance: str,
    called: str = "NODE",
    sop_class: str = CTImageStorage,
    transfer_syntax: str = ExplicitVRLittleEndian,
) -> list[bytes]:
    """Return what a whole, orderly connection says that stores these bytes, whatever they are."""
    whole = [data_set[first : first + 16000] for first in range(0, len(data_set), 16000)] or [b""]
    fragments = [(part, 0 if number < len(whole) else DATA_LAST) for number, part in enumerate(whole, 1)]
    return [
        request(called, [(1, sop_class, transfer_syntax)]),
        pdu(DATA, fragment(store_command(sop_class, instance), COMMAND_LAST)),
        *(pdu(DATA, fragment(part, control)) for part, control in fragments),
        pdu(RELEASE_RQ, bytes(4)),
    ]


def data_set_of(wire: Wire) -> bytes:
    """Return the data set that an orderly connection stores (PS3.8 E.2)."""
    fragments = [said[12:] for said in wire if said[0] == DATA and not said[11] & _COMMAND]
    return b"".join(fragments)


def wires(called: str) -> st.SearchStrategy[Wire]:
    """Connections that go wrong in one way or another."""
    good = request(called)
    junk = st.binary(max_size=600)
    return st.one_of(
        junk.map(lambda body: [body]),
        junk.map(lambda body: [good, body]),
        st.builds(lambda at, byte: [_altered(good, at, byte)], st.integers(0, len(good) - 1), st.integers(0, 255)),
        st.integers(1, len(good) - 1).map(lambda end: [good[:end]]),
        st.builds(lambda kind, length, body: [good, pdu(kind, body, length)], _bytes(), _lengths(), junk),
        st.builds(lambda length, body: [good, pdu(DATA, fragment(body, 3, 1, length))], _lengths(), junk),
        st.builds(lambda body, control, cx: [good, pdu(DATA, fragment(body, control, cx))], junk, _bytes(), _bytes()),
        st.lists(junk, max_size=3).map(lambda parts: [good, *(pdu(DATA, fragment(part, 1)) for part in parts)]),
        contexts().map(lambda proposed: [request(called, proposed), pdu(DATA, fragment(store_command(), 3))]),
        st.builds(
            lambda name, has: [good, pdu(DATA, fragment(store_command(instance=name, has_data=has), 3))],
            _names(),
            _words(),
        ),
    )


def contexts() -> st.SearchStrategy[list[tuple[int, str, str]]]:
    """Presentation contexts that we cannot take: ids of any kind, syntaxes that are none."""
    names = st.sampled_from(["", "1.2.3", "not a UID", CTImageStorage, ImplicitVRLittleEndian, "9" * 64])
    return st.lists(st.tuples(st.integers(0, 255), names, names), min_size=1, max_size=130)


def objects() -> st.SearchStrategy[tuple[bytes, str]]:
    """Broken data sets in explicit VR little endian, each with the SOP Instance UID that its command names."""
    return st.one_of(_with_bad_uids(), _cut_short(), _altered_bytes(), _absurd(), _nested())


def bombs(called: str) -> st.SearchStrategy[Wire]:
    """Whole connections that store a deflated object that inflates to a thousand times its size."""
    return st.sampled_from([30, 100, 300]).map(lambda size: _bomb(size, called))


@cache
def _bomb(inflated_mb: int, called: str) -> Wire:
    file = deflate_bomb(inflated_mb)
    uid = str(dcmread(BytesIO(file), stop_before_pixels=True).SOPInstanceUID)
    return stored(data_set_bytes(file), uid, called, transfer_syntax=DeflatedExplicitVRLittleEndian)


def _with_bad_uids() -> st.SearchStrategy[tuple[bytes, str]]:
    keywords = st.sampled_from(["SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID"])
    bad = st.builds(lambda keyword, value: _object({keyword: value}), keywords, _names())
    return st.one_of(bad, keywords.map(_without))


def _without(keyword: str) -> tuple[bytes, str]:
    dataset = ct_slice(generate_uid(), generate_uid())
    without = data_set_bytes(encoded(dataset)).replace(_element(dataset, keyword), b"", 1)
    return without, str(dataset.SOPInstanceUID)


def _element(dataset: Dataset, keyword: str) -> bytes:
    """Return an element of VR UI as it is encoded in explicit VR little endian (PS3.5 7.1.2)."""
    element = dataset[keyword]
    padded = str(element.value).encode() + bytes(len(str(element.value)) % 2)
    return struct.pack("<HH2sH", element.tag.group, element.tag.element, b"UI", len(padded)) + padded


def _cut_short() -> st.SearchStrategy[tuple[bytes, str]]:
    return st.floats(0, 1).map(lambda share: _part(*_object({}), share))


def _part(data_set: bytes, uid: str, share: float) -> tuple[bytes, str]:
    return data_set[: int(share * len(data_set))], uid


def _altered_bytes() -> st.SearchStrategy[tuple[bytes, str]]:
    changes = st.lists(st.tuples(st.integers(0, 700), st.integers(0, 255)), min_size=1, max_size=8)

    def alter(changes: list[tuple[int, int]]) -> tuple[bytes, str]:
        data_set, uid = _object({})
        for at, byte in changes:
            data_set = _altered(data_set, at % len(data_set), byte)
        return data_set, uid

    return changes.map(alter)


def _absurd() -> st.SearchStrategy[tuple[bytes, str]]:
    number = st.sampled_from([0, 1, 255, 65535])
    frames = st.sampled_from(["0", "-1", "2147483647", "1e9", "many"])
    sizes = st.fixed_dictionaries(dict.fromkeys(["Rows", "Columns", "BitsAllocated", "SamplesPerPixel"], number))
    return st.builds(lambda size, count: _object({**size, "NumberOfFrames": count}), sizes, frames)


def _nested() -> st.SearchStrategy[tuple[bytes, str]]:
    """Sequences inside sequences, of undefined length and never closed (PS3.5 7.5)."""
    opened = b"\x08\x00\x40\x11SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    return st.integers(1, 3000).map(lambda depth: _with_tail(opened * depth))


def _with_tail(tail: bytes) -> tuple[bytes, str]:
    data_set, uid = _object({})
    at = data_set.index(b"\x08\x00\x60\x00")  # Modality, in the middle of group 0008
    return data_set[:at] + tail + data_set[at:], uid


def _object(values: dict[str, object]) -> tuple[bytes, str]:
    study, series = (generate_uid(entropy_srcs=[word, str(values)]) for word in ("study", "series"))
    dataset = ct_slice(study, series)
    uid = str(dataset.SOPInstanceUID)
    raw = {keyword: value for keyword, value in values.items() if isinstance(value, str)}
    for keyword, value in values.items():
        if keyword not in raw:
            setattr(dataset, keyword, value)
    return _raw(data_set_bytes(encoded(dataset)), dataset, raw), str(raw.get("SOPInstanceUID", uid))


def _raw(data_set: bytes, dataset: Dataset, values: dict[str, str]) -> bytes:
    """Put texts in the place of elements without asking whether they may stand there."""
    for keyword, value in values.items():
        old = str(dataset.get(keyword, ""))
        data_set = data_set.replace(_short(old), _short(value), 1) if old else data_set
    return data_set


def _short(value: str) -> bytes:
    padded = value.encode() + bytes(len(value.encode()) % 2)
    return struct.pack("<H", len(padded)) + padded


def _altered(data: bytes, at: int, byte: int) -> bytes:
    return data[:at] + bytes([byte]) + data[at + 1 :]


def _bytes() -> st.SearchStrategy[int]:
    return st.integers(0, 255)


def _words() -> st.SearchStrategy[int]:
    return st.sampled_from([0x0000, 0x0001, 0x0101, 0xFFFF])


def _lengths() -> st.SearchStrategy[int]:
    return st.sampled_from([0, 1, 5, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 24]) | st.integers(0, 0xFFFFFFFF)


def _names() -> st.SearchStrategy[str]:
    return st.sampled_from(_PATHS) | st.text(st.characters(max_codepoint=127), max_size=70)


def attack(port: int, wire: Wire, patience_s: float = 0.2, address: str = "127.0.0.1") -> bytes:
    """Say all that on one connection, then listen until the other side closes it or is silent for a while."""
    heard = b""
    with (
        suppress(OSError),
        socket.create_connection(("127.0.0.1", port), timeout=5, source_address=(address, 0)) as connection,
    ):
        connection.settimeout(patience_s)
        for words in wire:
            connection.sendall(words)
        connection.shutdown(socket.SHUT_WR)
        while said := connection.recv(1 << 16):
            heard += said
    return heard
