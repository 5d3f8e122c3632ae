"""Malformed input by the thousand, by hand: `python -m tests.faults.fuzz --inputs 10000 --seed 1`.

Every kind of malformed input is thrown at a whole node. Every few hundred a good sender must be served, and what each
process holds is measured. When every series has an end, it is held against what was sent. The summary is written to
benchmarks/faults/fuzz.md.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from dicom_node.demo.orthanc import Orthanc
from tests.faults.fuzz.inputs import Input
from tests.faults.fuzz.kinds import inputs
from tests.faults.fuzz.ledger import Ledger
from tests.faults.fuzz.watch import HALF_OPEN, Watch
from tests.faults.house import KEPT_HERE, House
from tests.faults.sending import CALLED

_SUMMARY = Path(__file__).parents[3] / "benchmarks" / "faults" / "fuzz.md"
_EVERY, _ATTACKERS = 500, 8
_DISK_MB = 6144
_SETTLED_S = 3600.0
_SHOWN = 20  # problems in the summary


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
        house = stack.enter_context(
            House(folder / "house", pacs, max_study_age_days=14, disk_mb=_DISK_MB, gate="", routes=KEPT_HERE)
        )
        watch = Watch(house, stack.enter_context(ThreadPoolExecutor(_ATTACKERS)))
        watch.begin()
        began = time.monotonic()
        ends_at = began + asked.minutes * 60
        while watch.inputs < asked.inputs and time.monotonic() < ends_at:
            with watch.trickle():
                _throw(watch, min(_EVERY, asked.inputs - watch.inputs), asked.seed * asked.inputs + watch.inputs)
            watch.look()
        sys.stdout.write(f"thrown after {time.monotonic() - began:.0f} s\n")
        house.wait(lambda: house.settled(0), _SETTLED_S, "every series to end", every_s=1.0)
        watch.look()
        problems = list(watch.problems())
        sys.stdout.write("".join(f"{problem}\n" for problem in problems))
        _write(watch, house, problems, asked.seed, (time.monotonic() - began) / 60)
    return 1 if problems else 0


def _throw(watch: Watch, count: int, number: int) -> None:
    @seed(number)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(thrown=inputs(CALLED))
    def throw(thrown: Input) -> None:
        watch.throw(thrown)

    throw()


def _write(watch: Watch, house: House, problems: list[str], number: int, minutes: float) -> None:
    _SUMMARY.parent.mkdir(exist_ok=True)
    _SUMMARY.write_text("\n".join(_summary(watch, house, problems, number, minutes)) + "\n")


def _summary(watch: Watch, house: House, problems: list[str], number: int, minutes: float) -> Iterator[str]:
    ledger = watch.ledger
    peaks = ", ".join(f"{part} {peak:.0f}" for part, peak in watch.peaks_mb.items())
    yield from (
        "# Malformed input",
        "",
        "Written by `python -m tests.faults.fuzz`. Broken connections: random bytes, truncated and unknown PDUs, "
        "lengths that lie, contexts and commands that cannot be. Broken objects: truncated, with altered bytes, "
        "absurd Rows x Columns and frame counts, sequences nested by the thousand, UIDs missing, empty or with path "
        "characters in them. Header nonsense, altered streams, wide data sets, forged messages and pixel bombs: "
        "`tests/faults/fuzz/` has a module for each. Beside them sixty senders say a byte now and then.",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, seed {number}, {minutes:.0f} minutes: {watch.inputs} inputs to a whole node, "
        f"{_ATTACKERS} at a time; after every {_EVERY}, a good sender was served while {HALF_OPEN} connections had "
        f"said half a sentence ({watch.half_open} in all; {watch.trickling} trickled). {house.node.count()} objects "
        "are stored.",
        "",
        "| kind | inputs | acknowledged | ends of their stacks |",
        "|---|---|---|---|",
    )
    for kind, count in sorted(ledger.thrown.items()):
        kept = sum(one.kind == kind for one in ledger.acknowledged.values())
        ends = ", ".join(f"{end} {times}" for (of, end), times in sorted(ledger.ends.items()) if of == kind)
        yield f"| {kind} | {count} | {kept} | {ends} |"
    yield from ("", *_streams(ledger), "")
    yield from (
        f"- file handles of all processes: {watch.handles[0].total()} before, {watch.handles[-1].total()} after; those "
        f"of the databases' pools, which fill up and then stay: {watch.pooled[0]} before, {watch.pooled[-1]} after",
        f"- memory of all processes but the model's: {watch.memory_mb[0]:.0f} MiB before, at most "
        f"{max(watch.memory_mb):.0f} when looked at, {watch.memory_mb[-1]:.0f} after",
        f"- peak of the largest process of each part, MiB: {peaks}",
        f"- slowest run of a pipeline: {ledger.slowest_s:.1f} s; model processes: {len(watch.models)}",
        f"- problems: {len(problems) or 'none'}",
        *(f"  - {problem}" for problem in problems[:_SHOWN]),
    )


def _streams(ledger: Ledger) -> Iterator[str]:
    """Yield how altered streams ended, by transfer syntax."""
    yield from (
        "Altered streams: none of these formats has a checksum, so that an altered bit may decode to other pixels "
        "without any sign; those are counted apart.",
        "",
        "| transfer syntax | not delivered, with a reason | pixels as they were | other pixels, without a sign |",
        "|---|---|---|---|",
    )
    for name in sorted({*ledger.refused, *ledger.unaltered, *ledger.altered}):
        yield f"| {name} | {ledger.refused[name]} | {ledger.unaltered[name]} | {ledger.altered[name]} |"


if __name__ == "__main__":
    sys.exit(main())
