"""Files that are locked while somebody lives: nobody can hold a lock after death."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

UNLOCKED = ".new"


def locked(path: Path) -> int:
    """Return the descriptor of a new file that is locked before anybody can see it by its name.

    Raises:
        OSError: it cannot be made.
    """
    unseen = path.with_name(f"{path.name}{UNLOCKED}")
    descriptor = os.open(unseen, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    unseen.rename(path)
    return descriptor


def is_locked(path: Path) -> bool:
    """Say whether who made it lives; False where there is no such file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
