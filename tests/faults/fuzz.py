"""Malformed input by the thousand, by hand: `python -m tests.faults.fuzz --inputs 10000 --seed 1`.

Broken connections and broken objects, in equal parts, are thrown at a whole node. Every few hundred a good sender must
be served, and what each process holds is measured. The summary is written to benchmarks/faults/fuzz.md.
"""

from __future__ import annotations

import argparse
import math
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from dicom_node.demo.orthanc import Orthanc
from tests.faults import processes
from tests.faults.house import House, Part
from tests.faults.sending import CALLED, Modality
from tests.support.dicom import series
from tests.support.malformed import ESCAPED, Wire, attack, bombs, objects, request, stored, wires

_SUMMARY = Path(__file__).parents[2] / "benchmarks" / "faults" / "fuzz.md"
_EVERY = 500
_ATTACKERS, _HALF_OPEN = 8, 300
_DISK_MB = 2048
_PARTS: tuple[Part, ...] = ("receiver", "registrar", "worker", "supervisor")
_SETTLED_S, _CLOSED_S = 3600.0, 40.0
_GROWTH_MB, _PEAK_MB = (
    200.0,
    1000.0,
)  # over the first look: in the end, and at most (a bomb of 300 MiB is read)
_POOLED, _POOLED_AT_MOST = "database", 96  # SQLAlchemy keeps 5 connections of a pool and lends 10 more, DBOS up to 20


@dataclass
class Watch:
    """What is looked at from time to time."""

    house: House
    attackers: ThreadPoolExecutor
    inputs: int = 0
    half_open: int = 0  # connections, in all
    under_way: list[Future[bytes]] = field(default_factory=list)
    pids: list[int] = field(default_factory=list)
    handles: list[Counter[str]] = field(default_factory=list)
    pooled: list[int] = field(default_factory=list)  # handles of the databases' pools, which fill up to their bound
    memory_mb: list[float] = field(default_factory=list)
    outside: set[Path] = field(default_factory=set)  # files beside the storage folder, at first

    def throw(self, wire: Wire) -> None:
        """Attack while others still do."""
        self.under_way.append(self.attackers.submit(attack, self.house.port, wire))
        self.inputs += 1

    def look(self) -> None:
        """Let a good sender store beside connections that say half a sentence, and measure every process.

        Raises TimeoutError where the sender is not served, or connections stay that nobody holds any more.
        """
        for attacking in self.under_way:
            attacking.result()
        self.under_way.clear()
        with ExitStack() as held:
            for number in range(_HALF_OPEN if self.inputs else 0):
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
        names = Counter(_kind(name) for pid in pids for name in processes.open_files(pid))
        self.pooled.append(names.pop(_POOLED, 0))
        self.handles.append(names)
        self.memory_mb.append(sum(map(processes.resident_mb, pids)))
        self.outside = self.outside or set(self.files_outside())
        words = self.inputs, names.total(), self.pooled[-1], self.memory_mb[-1]
        sys.stdout.write("{} inputs, {} handles, {} of databases, {:.0f} MiB\n".format(*words))
        sys.stdout.flush()

    def files_outside(self) -> Iterator[Path]:
        """Yield every file below the house's folder that is not in the storage folder."""
        storage = self.house.node.config.storage_folder
        yield from (path for path in self.house.folder.rglob("*") if not path.is_relative_to(storage))

    def problems(self) -> Iterator[str]:
        """Yield what went wrong."""
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


def main() -> int:
    """Throw everything; 1 where something went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=math.inf, help="throw nothing more after so many")
    asked = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fuzz-")))
        pacs = stack.enter_context(Orthanc(folder / "orthanc"))
        (folder / "house").mkdir()
        house = stack.enter_context(House(folder / "house", pacs, max_study_age_days=14, disk_mb=_DISK_MB))
        watch = Watch(house, stack.enter_context(ThreadPoolExecutor(_ATTACKERS)))
        watch.look()
        ends_at = time.monotonic() + asked.minutes * 60
        while watch.inputs < asked.inputs and time.monotonic() < ends_at:
            _throw(watch, min(_EVERY, asked.inputs - watch.inputs), asked.seed * asked.inputs + watch.inputs)
            watch.look()
        house.wait(lambda: house.settled(0), _SETTLED_S, "every series to end", every_s=1.0)
        watch.look()
        problems = list(watch.problems())
        _write(watch, house, problems, asked.seed)
    return 1 if problems else 0


def _throw(watch: Watch, inputs: int, number: int) -> None:
    broken = st.one_of(wires(CALLED), objects().map(lambda pair: stored(*pair, called=CALLED)), bombs(CALLED))

    @seed(number)
    @settings(
        max_examples=inputs,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(wire=broken)
    def throw(wire: Wire) -> None:
        watch.throw(wire)

    throw()


def _write(watch: Watch, house: House, problems: list[str], number: int) -> None:
    kept = house.node.count()
    ends = sorted({str(stack.state) for stack in house.node.stacks()})
    lines = [
        "# Malformed input",
        "",
        "Written by `python -m tests.faults.fuzz`. Broken connections: random bytes, truncated and unknown PDUs, "
        "lengths that lie, contexts and commands that cannot be. Broken objects: truncated, with altered bytes, "
        "deflate bombs, absurd Rows x Columns and frame counts, sequences nested by the thousand, UIDs missing, empty "
        "or with path characters in them.",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, seed {number}: {watch.inputs} inputs to a whole node, {_ATTACKERS} at a time; "
        f"after every {_EVERY}, a good sender was served while {_HALF_OPEN} connections had said half a sentence "
        f"({watch.half_open} in all). {kept} objects were stored, every series has an end ({', '.join(ends)}).",
        "",
        f"- file handles of all processes: {watch.handles[0].total()} before, {watch.handles[-1].total()} after; those "
        f"of the databases' pools, which fill up and then stay: {watch.pooled[0]} before, {watch.pooled[-1]} after",
        f"- memory of all processes: {watch.memory_mb[0]:.0f} MiB before, at most {max(watch.memory_mb):.0f} when "
        f"looked at, {watch.memory_mb[-1]:.0f} after",
        f"- problems: {'; '.join(problems) or 'none'}",
    ]
    _SUMMARY.parent.mkdir(exist_ok=True)
    _SUMMARY.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
