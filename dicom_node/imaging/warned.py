"""pydicom's warnings, heard by the thread that caused them."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator

_heard = threading.local()


class _Hearing(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        messages: list[str] | None = getattr(_heard, "messages", None)
        if messages is not None:
            messages.append(record.getMessage())


logging.getLogger("pydicom").addHandler(_Hearing(logging.WARNING))


@contextlib.contextmanager
def pydicom_warnings() -> Iterator[list[str]]:
    """Collect what pydicom warns of in this thread, in a list that fills while the context is open."""
    found: list[str] = []
    _heard.messages = found
    try:
        yield found
    finally:
        _heard.messages = None
