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
_COUNTS = ("acknowledged", "lost", "doubled", "missing", "misplaced", "without_end")


def write_summary() -> None:
    """Write the page anew."""
    runs = [json.loads(line) for line in RUNS.read_text().splitlines()]
    databases = sorted({run["database"] for run in runs})
    tables = [_table(name, [run for run in runs if run["database"] == name]) for name in databases]
    _SUMMARY.write_text("\n\n".join([_HEAD, *tables]) + "\n")


_HEAD = """# Kills at random moments

Written by `python -m tests.faults.random_kills`, from `kills.jsonl` beside it. In each run three stories happen at
once: a scanner sends a series, and then nothing; or a caller that corrects moves it, or half of it, to another study
or patient; or a stranger tries to; or it comes again under new UIDs, in its study or for another patient; or a
rejection note takes it back, from who may and from who may not. One part of the node is killed (`kill -9`) at a
random moment. When everything has ended it is counted what the catalog, the disk, Orthanc and a strict archive hold:

- *lost*: acknowledged versions without their bytes, a row, the right state, or a reason where they are not current;
- *doubled*: results at a peer that say what another there says, that the node does not know of, or that changed;
- *missing*: series whose images that count are not one stack with the right end, and results that a peer should have;
- *misplaced*: results at a peer under another patient or study than their images, which no rejection note there names;
- *without end*: stacks and deliveries on their way, or waiting for a person.

A work process "for good" is one of two on PostgreSQL; nothing starts it again. Until 2026-11-29 series were only
sent, in 105 runs on SQLite and 101 on PostgreSQL: 3,708 acknowledged images, nothing lost, doubled, missing or
without an end."""


def _table(database: str, runs: Sequence[dict[str, Any]]) -> str:
    ended = [run for run in runs if "problem" not in run]
    killed = sorted({run["killed"] for run in ended})
    rows = [_row(part, [run for run in ended if run["killed"] == part]) for part in killed]
    head = ["killed", "runs", *(name.replace("_", " ") for name in _COUNTS)]
    lines = [head, ["---"] * len(head), *rows, _row("all", ended)]
    dates = f"{runs[0]['at'][:10]} to {runs[-1]['at'][:10]}"
    title = f"## {database}: {len(runs)} runs, {dates}, {len(runs) - len(ended)} that did not end in time"
    return "\n".join([title, "", *(f"| {' | '.join(line)} |" for line in lines), "", _stories(ended)])


def _row(name: str, runs: Sequence[dict[str, Any]]) -> list[str]:
    return [name, str(len(runs)), *(str(sum(run[count] for run in runs)) for count in _COUNTS)]


def _stories(runs: Sequence[dict[str, Any]]) -> str:
    kinds = Counter(kind for run in runs for kind in run["stories"])
    return f"Stories: {', '.join(f'{kind} {count}' for kind, count in kinds.most_common())}."
