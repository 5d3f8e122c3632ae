"""Warnings of pydicom and of decoders, heard by the thread that caused them, and which of them are harmless."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
from collections.abc import Iterator

_heard = threading.local()


class _Hearing(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        warn(record.getMessage())


def warn(message: str) -> None:
    """Add a decoder's warning to what is collected in this thread."""
    messages: list[str] | None = getattr(_heard, "messages", None)
    if messages is not None:
        messages.append(message)


logging.getLogger("pydicom").addHandler(_Hearing(logging.WARNING))


@contextlib.contextmanager
def pydicom_warnings() -> Iterator[list[str]]:
    """Collect what pydicom and decoders warn of in this thread, in a list that fills while the context is open."""
    found: list[str] = []
    _heard.messages = found
    try:
        yield found
    finally:
        _heard.messages = None


@dataclasses.dataclass(frozen=True, slots=True)
class Harmless:
    """A warning after which the pixels can be trusted; their results carry a remark."""

    message: str  # a part of pydicom's or the decoder's message
    says: str  # for a reader of the result
    shown_by: str  # the object that showed that the pixels can be trusted


HARMLESS = (
    Harmless(
        "bytes of excess padding to be removed",
        "its pixel data are followed by bytes that are no pixels",
        "pydicom's MR_small_padded.dcm",
    ),
    Harmless(
        "JFIF APP marker which indicates",
        "its JPEG stream is of other colours than its header says; the stream's were used",
        "endoscopes' pictures that are called RGB and hold a JFIF stream, which is YCbCr",
    ),
    Harmless(
        "component IDs that indicate",
        "its JPEG stream is of other colours than its header says; the stream's were used",
        "a picture whose components are called R, G and B under YBR_FULL, as tests/imaging/test_warned.py makes one",
    ),
    Harmless(
        "Invalid SOS parameters for sequential JPEG",
        "its JPEG stream's scan header says what has no meaning in its process, and was not used",
        "pydicom's JPEG-lossy.dcm",
    ),
)
"""What pydicom and decoders may warn of as they decode; all else is a reason to refuse."""


def harmless(message: str) -> str | None:
    """Return what a result's reader is told of a warning, None where it is a reason to refuse."""
    return next((one.says for one in HARMLESS if one.message in message), None)
