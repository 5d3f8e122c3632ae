"""UIDs: which text is one, and how ours are derived (PS3.5 9, PS3.5 B.2)."""

import hashlib
import re
from functools import lru_cache

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")

IMPLEMENTATION_NAME = "DICOM_NODE"

STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"  # Storage Commitment Push Model SOP Class (PS3.4 J.3)
STORAGE_COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"  # its well-known SOP Instance (PS3.4 J.3.5)


@lru_cache(1024)  # the few of a push are asked about again and again
def is_uid(text: str) -> bool:
    """Say whether text can stand as a UID, and so as a file name.

    Leading zeros in a component are tolerated: real devices write them (PS3.5 9.1 forbids them).
    """
    return len(text) <= 64 and _UID.fullmatch(text) is not None


def digest(*parts: str) -> str:
    """Return the SHA-256 (64 hex digits) over parts, each kept apart from the next."""
    joined = "\x1f".join(parts)
    return hashlib.sha256(joined.encode()).hexdigest()


def derived_uid(*parts: str) -> str:
    """Return a 2.25 UID made of 128 bits of SHA-256 over parts: same parts, same UID (PS3.5 B.2)."""
    return f"2.25.{int(digest(*parts)[:32], 16)}"


IMPLEMENTATION_CLASS_UID = derived_uid("dicom-node", "implementation")
