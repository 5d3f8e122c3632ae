"""The table of cells, as docs/faults.md shows it."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from pathlib import Path

from tests.faults.matrix import Cell, left_out
from tests.faults.steps import STEPS
from tests.faults.strikes import STRIKES
from tests.faults.verdict import Verdict

BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"


class Report:
    """Collects verdicts by cell."""

    def __init__(self) -> None:
        self._verdicts: dict[Cell, Verdict] = {}

    def add(self, cell: Cell, verdict: Verdict) -> None:
        """Remember what a cell came to."""
        self._verdicts[cell] = verdict

    def table(self) -> str:
        """Return the table in Markdown: lost / doubled / without end, "-" where a cell makes no sense."""
        head = ["fault", *STEPS]
        rows = [[fault, *(self._shown(Cell(step, fault)) for step in STEPS)] for fault in STRIKES]
        lines = [head, ["---"] * len(head), *rows]
        return "\n".join([self._summary(), "", *(f"| {' | '.join(line)} |" for line in lines), "", self._reasons()])

    def write_into(self, path: Path) -> None:
        """Put the table between the two marks of a file."""
        before, _, rest = path.read_text().partition(BEGIN)
        after = rest.partition(END)[2]
        path.write_text(f"{before}{BEGIN}\n{self.table()}\n{END}{after}")

    def _shown(self, cell: Cell) -> str:
        if left_out(cell):
            return "-"
        verdict = self._verdicts.get(cell)
        return "not run" if verdict is None else f"{verdict.lost} / {verdict.doubled} / {verdict.without_end}"

    def _summary(self) -> str:
        all_of = list(self._verdicts.values())
        return (
            f"{datetime.now(UTC):%Y-%m-%d}, {platform.python_implementation()} {platform.python_version()}: "
            f"{len(all_of)} cells, {sum(one.acknowledged for one in all_of)} acknowledged images; "
            f"lost {sum(one.lost for one in all_of)}, results doubled {sum(one.doubled for one in all_of)}, "
            f"results missing {sum(one.missing for one in all_of)}, "
            f"series without an end {sum(one.without_end for one in all_of)}. Each cell: lost / doubled / without end."
        )

    @staticmethod
    def _reasons() -> str:
        out = {left_out(Cell(step, fault)) for step in STEPS for fault in STRIKES} - {""}
        return f"Left out (-): {'; '.join(sorted(out))}."
