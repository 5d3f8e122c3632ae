"""Writing that the disk begins with before a sync asks for it: a large object is half written when it is whole."""

from __future__ import annotations

import ctypes

BEGIN_AT = 256 << 10  # bytes that have come since

_WRITE = 2  # SYNC_FILE_RANGE_WRITE of <fcntl.h>
_sync_file_range = getattr(ctypes.CDLL(None), "sync_file_range", None)  # Linux
if _sync_file_range is not None:
    _sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)


def begin_writing(file: int, at: int, size: int) -> None:
    """Let the disk begin with bytes of an open file; nothing is waited for, and no error is seen or used up.

    Whether they are there, only a sync says.
    """
    if _sync_file_range is not None:
        _sync_file_range(file, at, size, _WRITE)
