"""A whole node under malformed input, looked at from time to time: processes, memory, handles, files, its log."""

from __future__ import annotations

import math
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from pydicom.uid import ExplicitVRLittleEndian

from dicom_node.catalog import StackState
from tests.faults import processes
from tests.faults.fuzz.inputs import Input, give_identity, stored_object
from tests.faults.fuzz.ledger import Ledger
from tests.faults.fuzz.mutated_streams import original
from tests.faults.hostile.trickling import KINDS, Trickle, Trickling
from tests.faults.house import House, Part
from tests.faults.sending import CALLED, Modality
from tests.support.dicom import PATIENT_ID, PATIENT_NAME, series
from tests.support.malformed import ESCAPED, attack, request

HALF_OPEN = 300  # connections that say half a sentence while a good sender is served
_PARTS: tuple[Part, ...] = ("receiver", "registrar", "worker", "supervisor")
_CLOSED_S, _PATIENCE_S = 40.0, 60.0
_SILENCE_S = 0.2  # after which whoever stores nothing hangs up
_GROWTH_MB, _PEAK_MB = 200.0, 1000.0  # over the first look: in the end, and at most (a bomb of 300 MiB is read)
_POOLED, _POOLED_AT_MOST = "database", 96  # SQLAlchemy keeps 5 connections of a pool and lends 10 more, DBOS up to 20
_MARKS = "/ready/"  # files that the registrar opens for a moment
_PERSONAL = (PATIENT_NAME, PATIENT_ID)


@dataclass
class Watch:
    """What is looked at from time to time."""

    house: House
    attackers: ThreadPoolExecutor
    ledger: Ledger = field(default_factory=Ledger)
    began: float = field(default_factory=time.monotonic)
    inputs: int = 0
    trickling: int = 0  # connections that said a byte now and then, in all
    half_open: int = 0  # connections, in all
    under_way: list[tuple[Input, Future[bytes]]] = field(default_factory=list)
    pids: list[int] = field(default_factory=list)
    handles: list[Counter[str]] = field(default_factory=list)
    pooled: list[int] = field(default_factory=list)  # handles of the databases' pools, which fill up to their bound
    memory_mb: list[float] = field(default_factory=list)
    peaks_mb: dict[str, float] = field(default_factory=dict)  # of the largest process of a part
    models: set[int] = field(default_factory=set)  # ids of the model processes that were seen
    outside: set[Path] = field(default_factory=set)  # files beside the storage folder, at first

    def throw(self, thrown: Input) -> None:
        """Attack while others still do."""
        patience_s = _PATIENCE_S if thrown.instance else _SILENCE_S
        self.under_way.append((thrown, self.attackers.submit(attack, self.house.port, thrown.wire, patience_s)))
        self.inputs += 1

    def begin(self) -> None:
        """Let a radiograph that nothing is wrong with be run, so that every process is up, and look."""
        whole = original(ExplicitVRLittleEndian)
        give_identity(whole, Random(0))  # noqa: S311  # a fixed seed
        attack(self.house.port, stored_object(whole, CALLED), _PATIENCE_S)
        states = [StackState.DELIVERED]
        self.house.wait(
            lambda: [stack.state for stack in self.house.node.stacks()] == states, 240, "a radiograph to be looked at"
        )
        self.look()

    @contextmanager
    def trickle(self) -> Iterator[None]:
        """Let sixty senders say a byte now and then, each time in another way, while the context is open."""
        kind = KINDS[self.inputs % len(KINDS)]
        with Trickling(self.house.port, Trickle(kind, every_s=1.0), CALLED) as trickling:
            yield
        self.trickling += trickling.calls

    def look(self) -> None:
        """Let a good sender store beside connections that say half a sentence, and measure every process.

        Raises TimeoutError where the sender is not served, or connections stay that nobody holds any more.
        """
        for thrown, attacking in self.under_way:
            self.ledger.record(thrown, attacking.result())
        self.under_way.clear()
        with ExitStack() as held:
            for number in range(HALF_OPEN if self.inputs else 0):
                connection = held.enter_context(socket.create_connection(("127.0.0.1", self.house.port), timeout=10))
                connection.sendall(request(CALLED)[: number % 80])
                self.half_open += 1
            Modality(self.house.port, series(2)).send_all(60)
        receivers = self.house.pids("receiver")
        at_first = sum(self.handles[0].values()) if self.handles else math.inf
        self.house.wait(
            lambda: sum(map(processes.sockets, receivers)) <= at_first, _CLOSED_S, "connections to be closed"
        )
        self._measure()

    def _measure(self) -> None:
        pids = [pid for part in _PARTS for pid in self.house.pids(part)]
        self.pids += [pid for pid in pids if pid not in self.pids]
        opened = [name for pid in pids for name in processes.open_files(pid) if _MARKS not in name]
        names = Counter(map(_kind, opened))
        self.pooled.append(names.pop(_POOLED, 0))
        self.handles.append(names)
        self.memory_mb.append(sum(map(processes.resident_mb, pids)))
        self.models |= set(self.house.pids("model"))
        for part in (*_PARTS, "model"):
            peaks = map(processes.peak_mb, self.house.pids(part))
            self.peaks_mb[part] = max([self.peaks_mb.get(part, 0.0), *peaks])
        self.outside = self.outside or set(self.files_outside())
        words = self.inputs, names.total(), self.pooled[-1], self.memory_mb[-1]
        sys.stdout.write(f"{time.monotonic() - self.began:.0f} s: ")
        sys.stdout.write("{} inputs, {} handles, {} of databases, {:.0f} MiB\n".format(*words))
        sys.stdout.flush()

    def files_outside(self) -> Iterator[Path]:
        """Yield every file below the house's folder that is not in the storage folder."""
        storage = self.house.node.config.storage_folder
        yield from (path for path in self.house.folder.rglob("*") if not path.is_relative_to(storage))

    def problems(self) -> Iterator[str]:
        """Yield what went wrong, once every series has an end."""
        yield from self.ledger.problems(self.house)
        log = self.house.node.log()
        yield from (f"the log holds {word!r}" for word in ("Traceback", "\x1b", *_PERSONAL) if word in log)
        if restarted := len(self.pids) - len([pid for part in _PARTS for pid in self.house.pids(part)]):
            yield f"{restarted} processes were started again"
        if more := self.handles[-1] - self.handles[0]:
            yield f"file handles that were not there in the beginning: {dict(more)}"
        if self.pooled[-1] > _POOLED_AT_MOST:
            yield f"{self.pooled[-1]} handles of databases"
        first, most, last = self.memory_mb[0], max(self.memory_mb), self.memory_mb[-1]
        if most > first + _PEAK_MB or last > first + _GROWTH_MB:
            yield f"memory grew from {first:.0f} to {last:.0f} MiB, and to {most:.0f} in between"
        strays = set(self.files_outside()) - self.outside
        if strays or ESCAPED.exists() or any(path.is_symlink() for path in self.house.disk.rglob("*")):
            yield f"files stand outside the storage folder: {[path.name for path in strays]}"


def _kind(name: str) -> str:
    """Return what a handle is to, without what differs from one to the next."""
    if ".sqlite" in name:
        return _POOLED
    return name.partition(":")[0] if ":[" in name else name
