"""Every published network and its whole path at full size against the original.

`python -m benchmarks.parity [MODEL ..]` prints a Markdown table. Each model runs in a process of its own, so that its
peak memory is its own. The kidney cascade with its real networks takes seven minutes on two cores and 8 GB.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator

from pipelines.published.kidney_modes import MODES
from pipelines.published.recipes import NETWORKS
from tests.parity.cascade import cascade_figures, shown_by, stand_in, volume
from tests.parity.oracle import FOLDER, WHY_NOT, Figure, imported, network_figures
from tests.parity.pipes import RUNS, kidney_figures, pipe_figures

EVERYTHING = (*NETWORKS, "Kidney_stub", "Kidney")


def figures(model: str) -> Iterator[Figure]:
    """Compare one model, or the cascade, with what the original computed."""
    if model == "Kidney_stub":
        shown = shown_by({mode: stand_in(mode) for mode in MODES}, volume())
        yield from cascade_figures(model, shown)
        return
    recipes = [f"KidneyTumorSeg_{mode}" for mode in MODES] if model == "Kidney" else [model]
    with imported(*recipes) as config:
        if model == "Kidney":
            yield from kidney_figures(config)
            return
        yield from network_figures(model, config, full=True)
        if model in RUNS:
            yield from pipe_figures(model, config)


def measure(model: str) -> None:
    """Print one model's comparisons as JSON."""
    begun = time.perf_counter()
    rows = [(one.output, one.error, one.tolerance) for one in figures(model)]
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    sys.stdout.write(json.dumps({"rows": rows, "seconds": time.perf_counter() - begun, "peak_gb": peak_gb}))


def main() -> None:
    """Print the table; exit 1 where a comparison failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=EVERYTHING, help=f"of {', '.join(EVERYTHING)}; none: all")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if not FOLDER.is_dir():
        sys.exit(WHY_NOT)
    if asked.measure:
        measure(asked.measure)
        return
    sys.stdout.write("| model | output | max error | tolerance | verdict | seconds | peak GB |\n" + "|---" * 7 + "|\n")
    failed = [model for model in asked.models if not _rows(model)]
    sys.exit(1 if failed else 0)


def _rows(model: str) -> bool:
    command = [sys.executable, "-m", "benchmarks.parity", "--measure", model]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  # our own command line
    found = json.loads(ran.stdout)
    cost = f"{found['seconds']:.0f} | {found['peak_gb']:.1f}"
    for output, error, tolerance in found["rows"]:
        verdict = "ok" if error <= tolerance else "FAILED"
        sys.stdout.write(f"| {model} | {output} | {error:.2g} | {tolerance:.2g} | {verdict} | {cost} |\n")
        cost = " | "
    sys.stdout.flush()
    return all(error <= tolerance for _, error, tolerance in found["rows"])


if __name__ == "__main__":
    main()
