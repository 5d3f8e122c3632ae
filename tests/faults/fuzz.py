"""Malformed input by the thousand, by hand: `python -m tests.faults.fuzz --inputs 10000 --seed 1`.

Broken connections and broken objects, in equal parts, are thrown at a whole node. Every few hundred a good sender must
be served, and what each process holds is measured. The summary is written to benchmarks/faults/fuzz.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from orthanc_test.orthanc import Orthanc
from tests.faults import processes
from tests.faults.house import House, Part
from tests.faults.sending import CALLED, Modality
from tests.support.dicom import series
from tests.support.malformed import ESCAPED, Wire, attack, objects, stored, wires

_SUMMARY = Path(__file__).parents[2] / "benchmarks" / "faults" / "fuzz.md"
_EVERY = 500
_PARTS: tuple[Part, ...] = ("receiver", "registrar", "worker", "supervisor")
_SETTLED_S = 300.0
_GROWTH = 1.1  # of handles, past the first look


@dataclass
class Watch:
    """What is looked at from time to time."""

    house: House
    inputs: int = 0
    pids: list[int] = field(default_factory=list)
    handles: list[int] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)

    def look(self) -> None:
        """Let a good sender store, and measure every process.

        Raises TimeoutError where the sender is not served.
        """
        Modality(self.house.port, series(2)).send_all(60)
        pids = [pid for part in _PARTS for pid in self.house.pids(part)]
        self.pids += [pid for pid in pids if pid not in self.pids]
        self.handles.append(sum(map(processes.open_handles, pids)))
        self.memory_mb.append(sum(map(processes.resident_mb, pids)))
        sys.stdout.write(f"{self.inputs} inputs, {self.handles[-1]} handles, {self.memory_mb[-1]:.0f} MiB\n")
        sys.stdout.flush()

    def problems(self) -> Iterator[str]:
        """Yield what went wrong."""
        if restarted := len(self.pids) - len([pid for part in _PARTS for pid in self.house.pids(part)]):
            yield f"{restarted} processes were started again"
        if self.handles[-1] > self.handles[0] * _GROWTH:
            yield f"{self.handles[-1]} file handles, {self.handles[0]} in the beginning"
        if ESCAPED.exists() or any(path.is_symlink() for path in self.house.disk.rglob("*")):
            yield "a file stands outside the storage folder"


def main() -> int:
    """Throw everything; 1 where something went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder, Orthanc(Path(folder) / "orthanc") as pacs:
        (Path(folder) / "house").mkdir()
        with House(Path(folder) / "house", pacs, max_study_age_days=14) as house:
            watch = Watch(house)
            watch.look()
            _throw(watch, asked.inputs, asked.seed)
            watch.look()
            house.wait(lambda: house.settled(0), _SETTLED_S, "every series to end")
            problems = list(watch.problems())
            _write(watch, house, problems, asked.seed)
    return 1 if problems else 0


def _throw(watch: Watch, inputs: int, number: int) -> None:
    broken = st.one_of(wires(CALLED), objects().map(lambda pair: stored(*pair, called=CALLED)))

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
        attack(watch.house.port, wire)
        watch.inputs += 1
        if watch.inputs % _EVERY == 0:
            watch.look()

    throw()


def _write(watch: Watch, house: House, problems: list[str], number: int) -> None:
    kept = house.node.count()
    ends = sorted({str(stack.state) for stack in house.node.stacks()})
    lines = [
        "# Malformed input",
        "",
        "Written by `python -m tests.faults.fuzz`: random bytes, broken PDUs, contexts and commands; broken objects.",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, seed {number}: {watch.inputs} inputs to a whole node; a good sender was served "
        f"after every {_EVERY}. {kept} objects were stored, every series has an end ({', '.join(ends)}).",
        "",
        f"- file handles of all its processes: {watch.handles[0]} before, {watch.handles[-1]} after",
        f"- memory of all its processes: {watch.memory_mb[0]:.0f} MiB before, at most {max(watch.memory_mb):.0f}",
        f"- problems: {'; '.join(problems) or 'none'}",
    ]
    _SUMMARY.parent.mkdir(exist_ok=True)
    _SUMMARY.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
