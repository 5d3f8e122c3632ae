"""A pipeline's own code is called in here: whatever it raises becomes one sentence with its name, file and line."""

from __future__ import annotations

import errno
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dicom_node.errors import DicomNodeError, ModelError

_OURS = str(Path(__file__).parents[1])
_LIBRARIES = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))
_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def guarded(pipeline: str, step: str) -> Iterator[None]:
    """Turn what a pipeline's code raises into a ModelError; errors of ours, a full disk and too little memory pass.

    `step` names what was called, for an error that was raised before the pipeline's own code began.
    """
    try:
        yield
    except (DicomNodeError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _FULL:
            raise
        raise ModelError(f"{pipeline}: {describe(error, step)}") from error


def describe(error: Exception, step: str) -> str:
    """Return "prepare raised KeyError: 'spacing' (/site/knee.py:31)": the innermost line of the pipeline's own code."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(_OURS)]
    own = [frame for frame in frames if not frame.filename.startswith((*_LIBRARIES, "<"))]
    said = " ".join(str(error).split())
    kind = type(error).__name__
    where = f" ({own[-1].filename}:{own[-1].lineno})" if own else ""
    called = own[0].name if own and own[0].name.isidentifier() else step
    return f"{called} raised {kind}{f': {said}' if said else ''}{where}"
