"""What decoders written in C print on standard error, libjpeg's warnings above all, heard by who has them decode."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

_STANDARD_ERROR = 2
_READ_BYTES = 64 << 10  # what a pipe holds; a decoder that prints more goes on, and the rest is lost


class _Capture:
    """Standard error led into a pipe for as long as one frame is decoded."""

    def __init__(self, usual: int) -> None:
        """`usual` is a descriptor of where standard error leads otherwise."""
        self._usual = usual
        self._read, self._write = os.pipe()
        for end in (self._read, self._write):
            os.set_blocking(end, False)
        self._lock = threading.Lock()  # decoders hold the interpreter's lock anyway

    @contextlib.contextmanager
    def lines(self) -> Iterator[list[str]]:
        """Collect what is printed, in a list that is filled when the context is left."""
        printed: list[str] = []
        with self._lock:
            os.dup2(self._write, _STANDARD_ERROR)
            try:
                yield printed
            finally:
                os.dup2(self._usual, _STANDARD_ERROR)
                printed += self._taken()

    def _taken(self) -> list[str]:
        with contextlib.suppress(BlockingIOError):
            text = os.read(self._read, _READ_BYTES).decode(errors="replace")
            return [" ".join(line.split()) for line in text.splitlines() if line.strip()]
        return []


_captures: list[_Capture] = []  # one, from `capture_decoder_messages` on


def capture_decoder_messages() -> None:
    """Have what decoders print in this process count as their warnings from now on.

    Standard error is the whole process's: this is for processes that do nothing else while they decode, and start no
    program then. Python's own lines go where standard error led before, also while a frame is decoded; a log that is
    set up later does as well.
    """
    if not _captures:
        usual = os.dup(_STANDARD_ERROR)
        sys.stderr = os.fdopen(usual, "w", buffering=1)
        _captures.append(_Capture(usual))


def decoder_messages() -> contextlib.AbstractContextManager[list[str]]:
    """Collect the lines that a decoder prints while the context is open; none where the process does not capture."""
    return _captures[0].lines() if _captures else contextlib.nullcontext([])
