"""A full disk and a database that is away pass: what meets them is done again, until they have."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy.exc import OperationalError

_log = logging.getLogger(__name__)

_FULL = (errno.ENOSPC, errno.EDQUOT)
_PAUSE_S, _PAUSE_MAX_S = 0.5, 30.0  # before the second attempt; doubles


def lasting(function: Callable[..., Any], *args: Any) -> Any:
    """Return what function(*args) returns; it may be called again and again, and has to bear that.

    The job's slot is held meanwhile: with a full disk or without a database, no other job would fare better.
    """
    pause_s = _PAUSE_S
    while True:
        try:
            return function(*args)
        except (OperationalError, OSError) as error:
            if not passes(error):
                raise
            _log.warning("disk full or database away (%s); next attempt in %.1f s", first_line(error), pause_s)
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _PAUSE_MAX_S)


def passes(error: Exception) -> bool:
    """Say whether an error comes of a full disk or of a database that is away: no fault of what met the error."""
    return isinstance(error, OperationalError) or (isinstance(error, OSError) and error.errno in _FULL)


def first_line(error: Exception) -> str:
    """Return what an error says, without the lines that a library adds."""
    return str(error).partition("\n")[0]
