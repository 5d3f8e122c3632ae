"""A long load, by hand: `python -m tests.faults.soak --minutes 30`.

Four senders send series after series, a fifth abuses the node; everything that the four were told is safe must be there
in the end, and memory must not grow. The summary is written to benchmarks/faults/soak.md.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from dicom_node.catalog import Instance
from dicom_node.demo.orthanc import Orthanc
from dicom_node.status import read_status
from tests.faults import processes
from tests.faults.house import House, Part
from tests.faults.sending import CALLED, Modality
from tests.support.dicom import ct_slice, data_set_bytes, encoded, series
from tests.support.malformed import DATA, Wire, attack, fragment, pdu, request, store_command, stored

_SUMMARY = Path(__file__).parents[2] / "benchmarks" / "faults" / "soak.md"
_SENDERS, _IMAGES, _PAUSE_S = 4, 20, 2.0
_UNFINISHED_AT_MOST = 8  # series, before the senders go on
_LOOK_S, _WARM_S, _REST_S = 10.0, 300.0, 5.0
_PARTS: tuple[Part, ...] = ("receiver", "registrar", "worker", "supervisor", "model")
_DISK_MB = 4096
_SETTLED_S = 600.0


@dataclass
class Load:
    """What the senders have seen; shared by their threads."""

    house: House
    ends_at: float
    sent: list[Modality] = field(default_factory=list)
    attacks: int = 0
    most_mb: Counter[str] = field(default_factory=Counter)
    may_send: threading.Event = field(default_factory=threading.Event)
    busy: set[int] = field(default_factory=set)  # threads that send

    def send(self) -> None:
        """Send series after series, no more of them than the node keeps up with."""
        while self._goes_on():
            modality = Modality(self.house.port, series(_IMAGES))
            with self._busy():
                modality.send_all(_SETTLED_S)
                self.sent.append(modality)
            time.sleep(_PAUSE_S)
            while read_status(self.house.node.catalog).unfinished > _UNFINISHED_AT_MOST:
                time.sleep(_PAUSE_S)

    def abuse(self) -> None:
        """Break one rule after the other, and hold connections open that say nothing."""
        chance = random.Random(1)  # noqa: S311  # no secret
        while self._goes_on():
            with self._busy():
                attack(self.house.port, _abuse(chance))
            self.attacks += 1
            time.sleep(0.05)

    def watch(self) -> None:
        """Measure what each part holds at most."""
        while time.monotonic() < self.ends_at:
            for part, in_use in self._in_use().items():
                self.most_mb[part] = max(self.most_mb[part], math.ceil(in_use))
            time.sleep(_LOOK_S)

    def at_rest(self) -> dict[str, float]:
        """Let everything that was sent come to its end, and return what each part holds then, in MiB.

        Raises TimeoutError where it does not.
        """
        self.may_send.clear()
        try:
            self.house.wait(lambda: not self.busy, _SETTLED_S, "the senders to pause", every_s=0.2)
            self.house.wait(lambda: self.house.settled(self.images), _SETTLED_S, "every series to end", every_s=0.5)
            time.sleep(_REST_S)
            return self._in_use()
        finally:
            self.may_send.set()

    @property
    def images(self) -> int:
        """How many images were acknowledged."""
        return sum(len(modality.acknowledged) for modality in self.sent)

    def lost(self) -> int:
        """Return how many acknowledged images have no row or no file."""
        folder = self.house.node.config.storage_folder
        with self.house.node.catalog.read() as session:
            kept = {
                uid for uid, path in session.execute(select(Instance.uid, Instance.path)) if (folder / path).exists()
            }
        return sum(len(modality.acknowledged - kept) for modality in self.sent)

    def _goes_on(self) -> bool:
        self.may_send.wait()
        return time.monotonic() < self.ends_at

    @contextmanager
    def _busy(self) -> Iterator[None]:
        self.busy.add(threading.get_ident())
        try:
            yield
        finally:
            self.busy.discard(threading.get_ident())

    def _in_use(self) -> dict[str, float]:
        return {part: sum(map(processes.resident_mb, self.house.pids(part))) for part in _PARTS}


def _abuse(chance: random.Random) -> Wire:
    image = ct_slice("1.2.1", "1.2.1.1", chance.randrange(1, 1000))
    data_set = data_set_bytes(encoded(image))
    return chance.choice(
        [
            [chance.randbytes(300)],
            [request(CALLED)[: chance.randrange(1, 200)]],
            [request(CALLED), pdu(DATA, b"", chance.randrange(1 << 32))],
            [request(CALLED), pdu(DATA, fragment(store_command(), 3)), pdu(DATA, fragment(data_set[:500], 0))],
            stored(data_set[: chance.randrange(len(data_set))], str(image.SOPInstanceUID), CALLED),
            stored(data_set, "../../escaped", CALLED),
        ]
    )


def main() -> int:
    """Load the node for so many minutes; 1 where something was lost or memory grew by more than a tenth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder, Orthanc(Path(folder) / "orthanc") as pacs:
        place = Path(folder) / "house"
        place.mkdir()
        with House(place, pacs, disk_mb=_DISK_MB) as house:
            load = Load(house, time.monotonic() + asked.minutes * 60)
            with ThreadPoolExecutor(_SENDERS + 2) as pool:
                ends = [pool.submit(one) for one in (load.watch, load.abuse, *[load.send] * _SENDERS)]
                load.may_send.set()
                time.sleep(min(_WARM_S, asked.minutes * 60 / 2))
                warm = load.at_rest()
            for end in ends:
                end.result()
            return _write(load, asked.minutes, warm, load.at_rest())


def _write(load: Load, minutes: float, warm: Mapping[str, float], last: Mapping[str, float]) -> int:
    seconds = sorted(one for modality in load.sent for one in modality.seconds)
    growth = {part: last[part] / warm[part] - 1 for part in _PARTS}
    lost, node = load.lost(), load.house.node
    ends = Counter(str(stack.state) for stack in node.stacks())
    restarts = sum(node.times_up(part) - 1 for part in ("receiver", "registrar", "worker"))
    rows = [
        f"| {part} | {warm[part]:.0f} | {last[part]:.0f} | {100 * growth[part]:+.1f} % | {load.most_mb[part]} |"
        for part in _PARTS
    ]
    lines = [
        "# Soak",
        "",
        f"Written by `python -m tests.faults.soak`. {datetime.now(UTC):%Y-%m-%d}: {minutes:g} minutes, {_SENDERS} "
        f"senders of {_IMAGES} images at a time, {load.attacks} abuses of a fifth; every series went through a gate, a "
        f"stand-in model and to two archives. {os.cpu_count()} processors, a load of {os.getloadavg()[2]:.0f} in the "
        "last quarter of an hour.",
        "",
        f"- images acknowledged: {load.images} in {len(load.sent)} series; lost: {lost}; parts restarted: {restarts}",
        f"- stacks ended: {', '.join(f'{name} {count}' for name, count in ends.most_common())}",
        f"- C-STORE answers: median {1000 * seconds[len(seconds) // 2]:.1f} ms, p99 "
        f"{1000 * seconds[int(0.99 * len(seconds))]:.1f} ms, longest {1000 * seconds[-1]:.0f} ms",
        "",
        f"Memory at rest, all series ended: after {min(_WARM_S / 60, minutes / 2):g} minutes and after the last.",
        "",
        "| process | MiB warm | MiB last | growth | MiB at most under load |",
        "|---|---|---|---|---|",
        *rows,
    ]
    _SUMMARY.parent.mkdir(exist_ok=True)
    _SUMMARY.write_text("\n".join(lines) + "\n")
    return 1 if lost or restarts or max(growth.values()) > 0.1 else 0


if __name__ == "__main__":
    sys.exit(main())
