"""How a transfer syntax encodes elements (PS3.5 10, A)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import lru_cache

IMPLICIT_LITTLE, EXPLICIT_BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
DEFLATED = frozenset(  # PS3.5 A.5 and JPIP with it
    {"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"}
)
LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())  # PS3.5 Table 7.1-1
SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
UNDEFINED = 0xFFFFFFFF  # PS3.5 7.1.1
ITEM, END_OF_ITEM, END_OF_SEQUENCE = 0xE000, 0xE00D, 0xE0DD  # elements of group FFFE (PS3.5 7.5)
ITEMS = 0xFFFE


@dataclass(frozen=True, slots=True)
class Encoding:
    """What one has to know to find elements in bytes."""

    is_implicit: bool = False
    is_big_endian: bool = False
    is_deflated: bool = False
    head: struct.Struct = field(init=False, repr=False)  # group, element, explicit VR, its short length
    long: struct.Struct = field(init=False, repr=False)

    def __post_init__(self) -> None:
        order = ">" if self.is_big_endian else "<"
        object.__setattr__(self, "head", struct.Struct(f"{order}HH2sH"))
        object.__setattr__(self, "long", struct.Struct(f"{order}L"))

    @staticmethod
    @lru_cache(64)
    def of(transfer_syntax_uid: str) -> Encoding:
        """Return the encoding of a transfer syntax; one that is not known is Explicit VR Little Endian (PS3.5 A.4)."""
        return Encoding(
            transfer_syntax_uid == IMPLICIT_LITTLE, transfer_syntax_uid == EXPLICIT_BIG, transfer_syntax_uid in DEFLATED
        )

    def read_head(self, data: bytes, at: int) -> tuple[int, bytes, int, int]:
        """Return the tag, the VR ("" is an implicit one), where the value starts, and its length, of an element.

        An item or delimiter has no VR, whatever its length looks like.

        Raises:
            struct.error: the bytes end before the value starts.
        """
        group, element, vr, length = self.head.unpack_from(data, at)
        tag = group << 16 | element
        if not self.is_implicit and group != ITEMS:
            if vr in SHORT_VRS:
                return tag, vr, at + 8, length
            if vr in LONG_VRS:
                return tag, vr, at + 12, self.long.unpack_from(data, at + 8)[0]
            if is_two_capitals(vr):
                return tag, vr, at + 8, length
        return tag, b"", at + 8, self.long.unpack_from(data, at + 4)[0]


def is_two_capitals(vr: bytes) -> bool:
    """Say whether two bytes can be a value representation; where they cannot, some writers mean an implicit one."""
    return b"AA" <= vr <= b"ZZ"
