"""The random kills in one page, made from the file of runs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parents[2] / "benchmarks" / "faults"
RUNS = _FOLDER / "kills.jsonl"
_SUMMARY = _FOLDER / "kills.md"
_COUNTS = ("acknowledged", "lost", "doubled", "missing", "without_end")


def write_summary() -> None:
    """Write the page anew."""
    runs = [json.loads(line) for line in RUNS.read_text().splitlines()]
    databases = sorted({run["database"] for run in runs})
    tables = [_table(name, [run for run in runs if run["database"] == name]) for name in databases]
    _SUMMARY.write_text("\n\n".join([_HEAD, *tables]) + "\n")


_HEAD = """# Kills at random moments

Written by `python -m tests.faults.random_kills`, from `kills.jsonl` beside it. In each run three senders send a series
each, one part of the node is killed (`kill -9`) at a random moment, and when everything has ended it is counted what
Orthanc and a strict archive hold. A work process "for good" is one of two on PostgreSQL; nothing starts it again."""


def _table(database: str, runs: Sequence[dict[str, Any]]) -> str:
    ended = [run for run in runs if "problem" not in run]
    killed = sorted({run["killed"] for run in ended})
    rows = [_row(part, [run for run in ended if run["killed"] == part]) for part in killed]
    head = ["killed", "runs", *(name.replace("_", " ") for name in _COUNTS)]
    lines = [head, ["---"] * len(head), *rows, _row("all", ended)]
    dates = f"{runs[0]['at'][:10]} to {runs[-1]['at'][:10]}"
    title = f"## {database}: {len(runs)} runs, {dates}, {len(runs) - len(ended)} that did not end in time"
    return "\n".join([title, "", *(f"| {' | '.join(line)} |" for line in lines), "", _ends(ended)])


def _row(name: str, runs: Sequence[dict[str, Any]]) -> list[str]:
    return [name, str(len(runs)), *(str(sum(run[count] for run in runs)) for count in _COUNTS)]


def _ends(runs: Sequence[dict[str, Any]]) -> str:
    ends = Counter(end.partition(" (")[0] for run in runs for end in run["ends"])
    return f"Stacks ended: {', '.join(f'{name} {count}' for name, count in ends.most_common())}."
