"""Objects in another transfer syntax: values travel as bytes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.encaps import generate_frames
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from dicom_node.deliver import send
from dicom_node.deliver.transcoding import transcode
from dicom_node.errors import ObjectError
from tests.deliver.pacs import archive, our_config
from tests.support.dicom import ct_slice, data_set_bytes, encoded

NAMES = {
    "Latin-1 that claims to be UTF-8": ("ISO_IR 192", b"M\xfcller^J\xf6rg "),
    "Latin-1 that names no character set": ("", b"M\xfcller^J\xf6rg "),
    "ISO 2022 escapes": ("\\ISO 2022 IR 149", b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7"),
    "an escape that nobody closes": ("\\ISO 2022 IR 87", b"Yamada^Tarou=\x1b$B;3ED^\x1b$BB@O"),
    "blanks and NULs behind the value": ("ISO_IR 100", b"Syntheticus^Patiens  \0\0"),
}


def with_name(character_set: str, name: bytes, syntax: UID = ExplicitVRLittleEndian) -> bytes:
    """Return the file of a CT slice with sequences of both kinds of length, and a name's bytes in it three times."""
    dataset = ct_slice("1.2.3", "1.2.4")
    dataset.SpecificCharacterSet = character_set.split("\\")
    dataset.PatientName = stands_in = "X" * len(name)
    for keyword in ("RequestAttributesSequence", "ReferencedStudySequence"):
        code, purpose, item = Dataset(), Dataset(), Dataset()
        code.CodeValue, purpose.CodeMeaning = "1", "synthetic"
        item.PatientName, item.PurposeOfReferenceCodeSequence, item.ConceptNameCodeSequence = (
            stands_in,
            [purpose],
            [code],
        )
        setattr(dataset, keyword, [item])
        dataset[keyword].is_undefined_length = keyword == "RequestAttributesSequence"
        item.is_undefined_length_sequence_item = keyword == "ReferencedStudySequence"
    dataset.private_block(0x0009, "SYNTHETIC", create=True).add_new(0x01, "OB", b"\x01\x02\x03\x04")
    file = encoded(dataset).replace(stands_in.encode(), name)
    if syntax != DeflatedExplicitVRLittleEndian:
        return file
    dataset.file_meta.TransferSyntaxUID = syntax
    deflated = encoded(dataset)
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflated[: -len(data_set_bytes(deflated))] + deflate.compress(data_set_bytes(file)) + deflate.flush()


def values(dataset: Dataset, where: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], object]]:
    """Yield where each value stands, and its bytes as they are read; pydicom decodes the character set's alone."""
    for tag in list(dataset.keys()):
        element = dataset.get_item(tag)
        if dataset[tag].VR == "SQ":
            for number, item in enumerate(dataset[tag].value):
                yield from values(item, (*where, int(tag), number))
        else:
            yield (*where, int(tag)), getattr(element, "value", None) or b""


def transcoded(file: bytes, folder: Path, syntax: UID) -> bytes:
    (folder / "source.dcm").write_bytes(file)
    with (folder / "target.dcm").open("wb") as target:
        transcode(folder / "source.dcm", syntax, target)
    return (folder / "target.dcm").read_bytes()


@pytest.mark.parametrize(("character_set", "name"), NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("source", [ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_every_value_reaches_a_peer_of_implicit_vr_byte_for_byte(
    tmp_path: Path, character_set: str, name: bytes, source: UID
) -> None:
    file = with_name(character_set, name, source)
    path = tmp_path / "one.dcm"
    path.write_bytes(file)
    with archive(syntaxes=[ImplicitVRLittleEndian]) as pacs:
        (sent,) = send(our_config(tmp_path), pacs.peer(), [path])
    syntax, data_set = pacs.received[sent.sop_instance_uid]
    assert (sent.outcome, syntax) == ("stored", ImplicitVRLittleEndian)
    came = dcmread(BytesIO(data_set), force=True)
    assert list(values(came)) == list(values(dcmread(BytesIO(file))))
    assert data_set.count(name) == 3


def test_a_data_set_that_went_to_implicit_vr_and_back_is_the_same(tmp_path: Path) -> None:
    file = with_name(*NAMES["Latin-1 that claims to be UTF-8"])
    there = transcoded(file, tmp_path, ImplicitVRLittleEndian)
    back = transcoded(there, tmp_path, ExplicitVRLittleEndian)
    private = b"OB\0\0\x04\0\0\0\x01\x02\x03\x04"  # the dictionary of an implicit reader does not have it
    assert data_set_bytes(back) == data_set_bytes(file).replace(private, b"UN" + private[2:])


def test_only_what_describes_the_pixels_changes_where_they_are_decompressed(tmp_path: Path) -> None:
    image = dcmread(BytesIO(with_name(*NAMES["Latin-1 that claims to be UTF-8"])))
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PlanarConfiguration = 3, "RGB", 0
    image.Rows, image.Columns, image.BitsAllocated, image.BitsStored, image.HighBit = 8, 8, 8, 8, 7
    pixels = np.arange(192, dtype=np.uint8)
    image.PixelData = pixels.tobytes()
    image["PixelData"].VR = "OB"
    image.compress(RLELossless, generate_instance_uid=False)
    (frame,) = generate_frames(image.PixelData)
    image.ExtendedOffsetTable, image.ExtendedOffsetTableLengths = bytes(8), struct.pack("<Q", len(frame))
    file = encoded(image)
    sent = transcoded(file, tmp_path, ImplicitVRLittleEndian)
    assert np.array_equal(dcmread(BytesIO(sent)).pixel_array.ravel(), pixels)
    describing = {0x00280006, 0x7FE00001, 0x7FE00002, 0x7FE00010}
    before, after = (dict(values(dcmread(BytesIO(one)))) for one in (file, sent))
    changed = {where[0] for where in before.keys() | after.keys() if before.get(where) != after.get(where)}
    assert changed <= describing
    assert not {(0x7FE00001,), (0x7FE00002,)} & after.keys()


def test_an_unknown_vr_of_undefined_length_keeps_its_implicit_items(tmp_path: Path) -> None:
    item = struct.pack("<HHLHHL", 0xFFFE, 0xE000, 12, 0x0010, 0x0010, 4) + b"A^B "
    unknown = struct.pack("<HH2sxxL", 0x0009, 0x1001, b"UN", 0xFFFFFFFF) + item + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    file = encoded(ct_slice("1.2.3", "1.2.4")).replace(b"\x10\0\x10\0PN", unknown + b"\x10\0\x10\0PN", 1)
    came = transcoded(file, tmp_path, ImplicitVRLittleEndian)
    assert struct.pack("<HHL", 0x0009, 0x1001, 0xFFFFFFFF) + item in came
    assert item in transcoded(file, tmp_path, ExplicitVRLittleEndian)


BROKEN = {
    b"\x10\0\x10\0ZZ": "has the VR b'ZZ'",
    b"\x10\0\x10\0UN\0\0\xff\xff\xff\x7f": "ends within (0010,0010)",
    b"\x10\0\x10\0OB\0\0\xff\xff\xff\xff": "(0010,0010) has no length",
    b"\x10\0\x10\0SQ\0\0\xff\xff\xff\xff\x10\0\x10\0LO": "stands where an item of a sequence must",
}


@pytest.mark.parametrize(("bytes_", "problem"), BROKEN.items(), ids=BROKEN.values())
def test_an_element_that_cannot_be_read_is_named_with_its_object(tmp_path: Path, bytes_: bytes, problem: str) -> None:
    image = ct_slice("1.2.3", "1.2.4")
    broken = encoded(image).replace(b"\x10\0\x10\0PN", bytes_, 1)
    with pytest.raises(ObjectError) as error:
        transcoded(broken, tmp_path, ImplicitVRLittleEndian)
    assert problem in str(error.value)
    assert error.value.name == image.SOPInstanceUID


@pytest.mark.parametrize(("is_signed", "vr"), [(0, b"US"), (1, b"SS")])
def test_a_vr_that_the_dictionary_leaves_open_follows_the_pixels(tmp_path: Path, is_signed: int, vr: bytes) -> None:
    image = ct_slice("1.2.3", "1.2.4", transfer_syntax_uid=ImplicitVRLittleEndian)
    image.PixelRepresentation = is_signed
    image.add_new(0x00280120, "US", 256)
    file = transcoded(encoded(image), tmp_path, ExplicitVRLittleEndian)
    assert b"\x28\0\x20\x01" + vr + b"\x02\0\0\x01" in file
