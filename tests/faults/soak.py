"""A long load, by hand: `python -m tests.faults.soak --minutes 30`.

Four senders send series after series, a fifth abuses the node; everything that the four were told is safe must be there
in the end, and memory must not grow. The summary is written to benchmarks/faults/soak.md.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from dicom_node.catalog import Instance
from orthanc_test.orthanc import Orthanc
from tests.faults import processes
from tests.faults.house import House, Part
from tests.faults.sending import CALLED, Modality
from tests.support.dicom import ct_slice, data_set_bytes, encoded, series
from tests.support.malformed import DATA, Wire, attack, fragment, pdu, request, store_command, stored

_SUMMARY = Path(__file__).parents[2] / "benchmarks" / "faults" / "soak.md"
_SENDERS, _IMAGES, _PAUSE_S = 4, 20, 6.0
_LOOK_S, _WARM_S, _WINDOW = 10.0, 300.0, 12  # memory: every 10 s; from the fifth minute on; two minutes together
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
    memory_mb: dict[str, list[float]] = field(default_factory=dict)

    def send(self) -> None:
        """Send series after series."""
        while time.monotonic() < self.ends_at:
            modality = Modality(self.house.port, series(_IMAGES))
            modality.send_all(120)
            self.sent.append(modality)
            time.sleep(_PAUSE_S)

    def abuse(self) -> None:
        """Break one rule after the other, and hold connections open that say nothing."""
        chance = random.Random(1)  # noqa: S311  # no secret
        while time.monotonic() < self.ends_at:
            attack(self.house.port, _abuse(chance))
            self.attacks += 1
            time.sleep(0.05)

    def watch(self) -> None:
        """Measure what each part holds."""
        while time.monotonic() < self.ends_at:
            for part in _PARTS:
                in_use = sum(map(processes.resident_mb, self.house.pids(part)))
                self.memory_mb.setdefault(part, []).append(in_use)
            time.sleep(_LOOK_S)

    def growth(self, part: str) -> float:
        """Return by how much a part has grown since it was warm, as a share."""
        warm = self.memory_mb[part][int(_WARM_S / _LOOK_S) :]
        first, last = statistics.mean(warm[:_WINDOW]), statistics.mean(warm[-_WINDOW:])
        return last / first - 1

    def lost(self) -> int:
        """Return how many acknowledged images have no row or no file."""
        folder = self.house.node.config.storage_folder
        with self.house.node.catalog.read() as session:
            kept = {
                uid for uid, path in session.execute(select(Instance.uid, Instance.path)) if (folder / path).exists()
            }
        return sum(len(modality.acknowledged - kept) for modality in self.sent)


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
            work = [load.abuse, load.watch, *[load.send] * _SENDERS]
            threads = [threading.Thread(target=one) for one in work]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            images = sum(len(one.acknowledged) for one in load.sent)
            house.wait(lambda: house.settled(images), _SETTLED_S, "every series to end")
            return _write(load, asked.minutes, images)


def _write(load: Load, minutes: float, images: int) -> int:
    seconds = sorted(one for modality in load.sent for one in modality.seconds)
    growth = {part: load.growth(part) for part in _PARTS}
    lost, restarts = load.lost(), load.house.node.times_up("receiver") - 1
    rows = [
        f"| {part} | {load.memory_mb[part][0]:.0f} | {max(load.memory_mb[part]):.0f} | {100 * growth[part]:+.1f} % |"
        for part in _PARTS
    ]
    lines = [
        "# Soak",
        "",
        f"Written by `python -m tests.faults.soak`. {datetime.now(UTC):%Y-%m-%d}: {minutes:g} minutes, "
        f"{_SENDERS} senders of {_IMAGES} images every {_PAUSE_S:g} s, {load.attacks} abuses of a fifth; every series "
        "went through a gate, a stand-in model and to two archives.",
        "",
        f"- images acknowledged: {images} in {len(load.sent)} series; lost: {lost}; receivers restarted: {restarts}",
        f"- C-STORE answers: median {1000 * seconds[len(seconds) // 2]:.1f} ms, p99 "
        f"{1000 * seconds[int(0.99 * len(seconds))]:.1f} ms, longest {1000 * seconds[-1]:.0f} ms",
        "",
        "| process | MiB at first | MiB at most | growth after five minutes |",
        "|---|---|---|---|",
        *rows,
    ]
    _SUMMARY.parent.mkdir(exist_ok=True)
    _SUMMARY.write_text("\n".join(lines) + "\n")
    return 1 if lost or max(growth.values()) > 0.1 else 0


if __name__ == "__main__":
    sys.exit(main())
