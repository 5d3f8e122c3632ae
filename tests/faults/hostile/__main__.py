"""What good senders notice of attacks, by hand: `python -m tests.faults.hostile --rounds 5`.

Each attack strikes a whole node while 50 good images are pushed, in turns with the same push alone. The summary is
written to benchmarks/faults/hostile.md.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from dicom_node.demo.orthanc import Orthanc
from tests.faults.hostile.beside import PARTS, Attack, Figures, measure
from tests.faults.hostile.table import attacks
from tests.faults.house import KEPT_HERE, House

_SUMMARY = Path(__file__).parents[3] / "benchmarks" / "faults" / "hostile.md"
_RATIO = 2.0  # at most, of the 95th percentile of good answers beside an attack to that without it
_DISK_MB = 4096
_SETTLED_S = 3600.0


def main() -> int:
    """Let every attack strike; 1 where good senders noticed too much or a series has no end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("attacks", nargs="*", help="names; all where none is given")
    asked = parser.parse_args()
    found: dict[Attack, Figures] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hostile-")))
        pacs = stack.enter_context(Orthanc(folder / "orthanc"))
        (folder / "house").mkdir()
        build = partial(House, max_study_age_days=14, disk_mb=_DISK_MB, gate="", routes=KEPT_HERE)
        house = stack.enter_context(build(folder / "house", pacs))
        for attack in attacks():
            if not asked.attacks or attack.name in asked.attacks:
                found[attack] = measure(house, attack, asked.rounds)
                _write(found, asked.rounds)  # what has been measured so far
                sys.stdout.write(_row(attack, found[attack]) + "\n")
                sys.stdout.flush()
        house.wait(lambda: house.settled(0), _SETTLED_S, "every series to end", every_s=1.0)
    problems = _write(found, asked.rounds, "Every series has an end.")
    sys.stdout.write("".join(f"{problem}\n" for problem in problems))
    return 1 if problems else 0


def _write(found: Mapping[Attack, Figures], rounds: int, end: str = "") -> list[str]:
    """Write the summary and return what good senders noticed too much of."""
    problems = list(_problems(found))
    lines = [*_summary(found, rounds), "", f"Problems: {'; '.join(problems) or 'none'}. {end}".strip()]
    _SUMMARY.write_text("\n".join(lines) + "\n")
    return problems


def _problems(found: Mapping[Attack, Figures]) -> Iterator[str]:
    for attack, figures in found.items():
        if figures.lost:
            yield f"{attack.name}: {figures.lost} acknowledged images lost"
        if statistics.median(figures.ratios) > _RATIO:
            yield f"{attack.name}: good answers took {statistics.median(figures.ratios):.1f} times as long"


def _summary(found: Mapping[Attack, Figures], rounds: int) -> Iterator[str]:
    yield from (
        "# Good senders beside attacks",
        "",
        f"Written by `python -m tests.faults.hostile --rounds {rounds}` on {datetime.now(UTC):%Y-%m-%d}. Each attack "
        "strikes a whole node while 50 good images are pushed, in turns with the same push alone. Ratio: the 95th "
        "percentile of the good answers beside the attack to that without it, median [range] of the rounds; goal at "
        "most 2. Answer: seconds until the attacker's connection is answered or closed. Peak: memory of the largest "
        "process of each kind during the attack, MiB. Series: seconds until a series of three slices, sent after the "
        "good images, has its result, alone and beside the attack, median [most].",
        "",
        f"| attack | what | ratio | alone, ms | answer, s: median, most | peak: {', '.join(PARTS)} | series | lost |",
        "|---|---|---|---|---|---|---|---|",
    )
    yield from (_row(attack, figures) for attack, figures in found.items())


def _row(attack: Attack, figures: Figures) -> str:
    ratios, answers = figures.ratios, sorted(figures.answers)
    answered = f"{statistics.median(answers):.2f}, {answers[-1]:.2f}" if answers else "-"
    peaks = ", ".join(f"{figures.peak_mb[part]:.0f}" for part in PARTS)
    cells = (
        attack.name,
        attack.says,
        f"{statistics.median(ratios):.2f} [{ratios[0]:.2f} to {ratios[-1]:.2f}]",
        f"{1000 * statistics.median(figures.quiet):.1f}",
        answered,
        peaks,
        f"{_median_most(figures.ends_quiet)}; {_median_most(figures.ends_beside)}",
        str(figures.lost),
    )
    return f"| {' | '.join(cells)} |"


def _median_most(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.1f} [{max(seconds):.1f}]"


if __name__ == "__main__":
    sys.exit(main())
