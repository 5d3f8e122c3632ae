"""The associations of all receivers of a node: a small table in shared memory, so that limits hold over all of them."""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

_LAYOUT = struct.Struct("<B3xiI8s8sddQ")  # an Entry
_PROGRESS = struct.Struct("<dQ")  # its last two fields
_PROGRESS_AT = _LAYOUT.size - _PROGRESS.size
FREE, OPEN, CUT = 0, 1, 2
STRANGER = -1


class Entry(NamedTuple):
    """One association."""

    state: int  # FREE, OPEN, or CUT: its receiver is to end it, and its place is another's already
    named: int  # which of the [callers] it is, in their order in the configuration, or STRANGER
    process: int  # of its receiver
    ae_title: bytes  # digests, so that entries have one size
    address: bytes
    began_s: float  # on the monotonic clock, which all processes of a machine share
    slow_since_s: float  # since when nothing or next to nothing has come, 0 while it does
    received: int  # bytes


class AssociationTable:
    """Entries that several processes read and write; each writes the progress of its own only."""

    def __init__(self, associations: int, descriptor: int | None = None) -> None:
        """Make a table for so many associations, or attach to the one behind an inherited descriptor."""
        self._size = 2 * associations  # those that were cut keep theirs until their receiver has ended them
        self._descriptor = descriptor if descriptor is not None else os.memfd_create("associations", os.MFD_CLOEXEC)
        if descriptor is None:
            os.ftruncate(self._descriptor, self._size * _LAYOUT.size)
        self._memory = mmap.mmap(self._descriptor, self._size * _LAYOUT.size)
        self._threads = threading.Lock()

    def fileno(self) -> int:
        """Return the descriptor, for a process that is to share the table."""
        return self._descriptor

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other thread and process from counting or entering; its holder's death ends the lock."""
        with self._threads:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX)  # a record lock, held by the process
            try:
                yield
            finally:
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN)

    def entries(self) -> list[Entry]:
        """Return all entries, free ones too."""
        return [Entry._make(values) for values in _LAYOUT.iter_unpack(self._memory)]

    def put(self, index: int, entry: Entry) -> None:
        """Write an entry."""
        _LAYOUT.pack_into(self._memory, index * _LAYOUT.size, *entry)

    def set_state(self, index: int, state: int) -> None:
        """Set one entry's state alone."""
        self._memory[index * _LAYOUT.size] = state

    def is_cut(self, index: int) -> bool:
        """Say whether an association is to end, because another got its place."""
        return self._memory[index * _LAYOUT.size] == CUT

    def set_progress(self, index: int, slow_since_s: float, received: int) -> None:
        """Write how an association gets on, which needs no lock."""
        _PROGRESS.pack_into(self._memory, index * _LAYOUT.size + _PROGRESS_AT, slow_since_s, received)

    def forget_process(self, process: int) -> None:
        """Free the places that a dead receiver held."""
        with self.locked():
            for index, entry in enumerate(self.entries()):
                if entry.process == process:
                    self.set_state(index, FREE)

    def close(self) -> None:
        """Give the memory back."""
        self._memory.close()
        os.close(self._descriptor)


def digest(text: str) -> bytes:
    """Return what stands for an AE title or an address in an entry."""
    return hashlib.blake2b(text.encode(), digest_size=8).digest()
